"""docs/adopt.md: objects that exist are taken over, and a stack whose state was lost is imported without a replacement."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.naming import TIER_LABEL
from tests.engine.engine import Stack, name_of, type_of
from tests.engine.environment import Environment
from tests.program.conftest import configuration

UPSERT = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
FOREIGN = {"acme.example/team": "platform"}
RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.fixture
def stack(own_environment: Environment) -> Stack:
    return own_environment.stack("local", configuration("local"))


def test_a_namespace_that_exists_is_taken_over_and_keeps_labels_of_its_own(own_environment, stack):
    own_environment.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateway", "labels": FOREIGN}}, "kubectl")
    refused = stack.up()
    assert refused.failures == ["gateway-namespace"]
    assert "already exists" in refused.output

    adopting = Stack(stack.program, stack.name, {**stack.variables, **UPSERT})
    assert "gateway-namespace" in adopting.up().succeeded().of("create")
    (namespace,) = [one for one in own_environment.cluster.list("Namespace") if one["metadata"]["name"] == "gateway"]
    assert FOREIGN.items() <= namespace["metadata"]["labels"].items()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert stack.preview().changes == []


def test_a_lost_state_is_imported_and_nothing_is_replaced(own_environment, stack, tmp_path):
    stack.up().succeeded()
    known, pods = stack.resources(), floor_pods(own_environment)
    stack = without_state(stack)
    import_into(stack, known, tmp_path / "adopt.json")

    assert {kind for kind, _ in stack.preview().succeeded().changes} <= {"update"}
    stack.up().succeeded()
    assert floor_pods(own_environment) == pods
    assert stack.preview().changes == []
    assert {one["urn"] for one in stack.resources()} == {one["urn"] for one in known}


def without_state(stack: Stack) -> Stack:
    run(stack, "stack", "rm", "--force", "--preserve-config", "--yes")
    return Stack(stack.program, stack.name, stack.variables)


def import_into(stack: Stack, known: list[dict[str, Any]], file: Path) -> None:
    """The commands of the page."""
    stack.preview(import_file=str(file)).succeeded()
    file.write_text(json.dumps(with_ids(json.loads(file.read_text()), known)))
    run(stack, "import", "--file", str(file), "--generate-code=false", "--protect=false", "--yes", "--skip-preview")


def with_ids(file: dict[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
    """The file of `pulumi preview --import-file` with ids as the page says."""
    objects = {(type_of(one["urn"]), name_of(one["urn"])): one.get("inputs", {}) for one in known}
    for entry in file["resources"]:
        if entry.get("id") == "<PLACEHOLDER>":
            entry["id"] = identity(entry["type"], objects[entry["type"], entry.get("logicalName", entry["name"])])
    return file


def identity(type_: str, inputs: dict[str, Any]) -> str:
    metadata = inputs if type_ == RELEASE else inputs["metadata"]
    return "/".join(metadata[key] for key in ("namespace", "name") if key in metadata)


def floor_pods(environment: Environment) -> set[str]:
    return {pod["metadata"]["uid"] for pod in environment.cluster.pods(**{TIER_LABEL: "floor"})}


def run(stack: Stack, *words: str) -> None:
    command, variables = stack.command(*words)
    done = subprocess.run(command, check=False, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
