"""What the program creates on Google Cloud: nothing that the provider calls deprecated, and what a change of the image mirror does."""

from __future__ import annotations

import pytest

from tests.engine import google_schema
from tests.stacks import stack
from tools.preview import offline

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
