"""What the program creates on Google Cloud: nothing deprecated, what it needs leave for, and what a change of the image mirror does."""

from __future__ import annotations

import re

import pytest

from tests.engine import google_schema
from tests.program.conftest import ROOT
from tests.stacks import stack
from tools.preview import offline
from tools.review.replacements import google_replace_only

REPOSITORY = "gcp:artifactregistry/repository:Repository"
MIRRORED = {"platform.imageMirror": "artifact-registry"}


def google(recording):
    return [one for one in recording.resources if one.type.startswith("gcp:")]


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_nothing_deprecated_is_used(program, name):
    assert {one.name: found for one in google(program(name)) if (found := google_schema.deprecated(one.type, one.inputs))} == {}


def test_a_deprecated_property_would_be_seen():
    old = {"remoteRepositoryConfig": {"dockerRepository": {"customRepository": {"uri": "https://quay.io"}}}}
    assert google_schema.deprecated(REPOSITORY, old) == ["remoteRepositoryConfig.dockerRepository.customRepository"]
    evaluation = {"binaryAuthorization": {"enabled": True}, "tpuConfig": {"enabled": True}}
    assert google_schema.deprecated("gcp:container/cluster:Cluster", evaluation) == ["binaryAuthorization.enabled"]


def test_a_mirror_whose_upstream_changes_is_deleted_before_its_successor_takes_its_name():
    repositories = {one.name: one for one in google(offline.run(stack(MIRRORED), "test")) if one.type == REPOSITORY}
    upstreams = {name: one.inputs["remoteRepositoryConfig"] for name, one in repositories.items()}
    assert upstreams["llm-quay-io"]["commonRepository"] == {"uri": "https://quay.io"}
    assert upstreams["llm-docker-io"]["dockerRepository"] == {"publicRepository": "DOCKER_HUB"}
    assert all(one.delete_before_replace for one in repositories.values())


EVERYTHING = MIRRORED | {
    "models.qwen3-8b.weights": {"uri": "gs://acme-weights/qwen3-8b"},
    "cluster.security.diskKmsKey": "projects/acme-keys/locations/us-central1/keyRings/gke/cryptoKeys/disks",
    "secrets": {"source": "secret-manager", "huggingFaceToken": "hugging-face-token"},
}
LEAVE = (ROOT / "docs" / "google-cloud.md").read_text()


def rows() -> list[tuple[set[str], str, str]]:
    """Types and functions, API and role of each line of the table."""
    table = [line.split("|")[1:-1] for line in LEAVE.splitlines() if line.startswith("| ")][1:]
    return [
        (set(re.findall(r"`([^`]+:[^`]+)`", what)), re.findall(r"`(.+?)`", api)[0], re.findall(r"`(.+?)`", role)[0])
        for what, _, api, role in table
    ]


def test_every_resource_and_function_has_its_api_and_role_in_the_documents_and_no_other_has(program):
    recordings = [program("dev"), program("prod"), offline.run(stack(EVERYTHING), "test")]
    used = {one.type.removeprefix("gcp:") for recording in recordings for one in google(recording)}
    used |= {token.removeprefix("gcp:") for token in offline._INVOKES}
    assert set().union(*(types for types, _, _ in rows())) == used


def test_what_only_a_replacement_changes_is_known_of_every_resource():
    for one in google(offline.run(stack(EVERYTHING), "test")):
        assert google_replace_only(one.type, one.inputs, one.inputs) == [], one.name


def test_the_commands_turn_on_every_api_and_grant_every_role_of_the_table():
    commands = LEAVE.partition("```sh")[2]
    assert set(re.findall(r"[a-z]+\.googleapis\.com", commands)) == {api for _, api, _ in rows()}
    loop = commands[commands.index("for role in") : commands.index("; do")].replace("\\", " ").split()[3:]
    granted = {f"roles/{role}" for role in loop} | set(re.findall(r"--role (roles/[A-Za-z.]+)", commands))
    assert granted == {role for _, _, role in rows()}


def test_the_roles_that_the_program_grants_are_named():
    granted = {one.inputs["role"] for one in google(offline.run(stack(), "test")) if one.type == "gcp:projects/iAMMember:IAMMember"}
    assert granted
    assert granted <= set(re.findall(r"`(roles/[A-Za-z.]+)`", LEAVE))
