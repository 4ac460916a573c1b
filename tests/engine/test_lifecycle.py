"""Every stack file from first preview to complete destroy, on Pulumi's real engine and Kubernetes provider."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from components.naming import MANAGED, MODEL_LABEL, TIER_LABEL
from tests.cluster.cluster import is_ready
from tests.engine.engine import STACK_TYPE, Operation, name_of, type_of
from tests.engine.environment import SECRETS, Environment
from tests.program.conftest import STACKS, configuration
from tests.stacks import changed

PROTECTION = "deletionProtection"
CLUSTER = "vllm-platform:cluster"
EXISTING = [name for name in STACKS if configuration(name)[CLUSTER]["provider"] == "existing"]
PROTECTED = [name for name in STACKS if configuration(name)[CLUSTER].get(PROTECTION)]
TOKEN, PASSWORD = "hf_only-in-the-stack-file", "grafana_only-in-the-stack-file"


@dataclass
class Life:
    """The operations on a stack, in order."""

    environment: Environment
    config: dict[str, Any]
    secrets: dict[str, str]
    previewed: Operation
    created: Operation
    objects: dict[str, list[dict[str, Any]]]
    """Objects in the cluster after the update, by kind."""
    state: dict[str, Any]
    outputs: dict[str, Any]
    again: Operation
    moved: Operation | None = None
    """A preview with another kubeconfig for the same cluster."""
    refused: Operation | None = None
    after_refusal: list[dict[str, Any]] = field(default_factory=list)
    destroyed: Operation = field(default_factory=Operation)
    remaining: list[dict[str, Any]] = field(default_factory=list)

    @property
    def operations(self) -> list[Operation]:
        return [one for one in (self.previewed, self.created, self.again, self.refused, self.destroyed) if one]


@pytest.fixture(scope="module", params=STACKS)
def life(request, new_environment) -> Iterator[Life]:
    with new_environment() as environment:
        yield live(request.param, environment)


def live(name: str, environment: Environment) -> Life:
    config = configuration(name)
    own = {} if config.get("vllm-platform:secrets") else {"huggingFaceToken": TOKEN, "grafanaAdminPassword": PASSWORD}
    stack = environment.stack(name, config, own)
    life = Life(
        environment,
        config,
        own or SECRETS,
        previewed=stack.preview().succeeded(),
        created=stack.up().succeeded(),
        objects={kind: environment.cluster.list(kind) for kind in ("Pod", "Secret", "PersistentVolume")},
        state=stack.state(),
        outputs=stack.outputs(),
        again=stack.preview().succeeded(),
    )
    if name in EXISTING:
        stack.configure(environment.with_charts(changed(config, other_kubeconfig(environment))), own)
        life.moved = stack.preview().succeeded()
        stack.configure(environment.with_charts(config), own)
    if name in PROTECTED:
        life.refused = stack.destroy()
        life.after_refusal = stack.resources()
        stack.configure(environment.with_charts(changed(config, {f"cluster.{PROTECTION}": False})), own)
        stack.up().succeeded()
    life.destroyed = stack.destroy().succeeded()
    life.remaining = stack.resources()
    return life


def other_kubeconfig(environment: Environment) -> dict[str, str]:
    """Settings for the same cluster by another kubeconfig path and context."""
    path = environment.google.home / "other-kubeconfig"
    content = yaml.safe_load(environment.google.kubeconfig.read_text())
    content["contexts"][0]["name"] = "other"
    path.write_text(yaml.safe_dump(content))
    return {"cluster.kubeconfig": str(path), "cluster.context": "other"}


def test_the_first_preview_shows_what_the_update_creates(life):
    assert {kind for kind, _ in life.previewed.changes} == {"create"}
    assert life.previewed.urns() == life.created.urns()


def test_every_floor_is_ready_when_the_update_ends(life):
    models = life.config["vllm-platform:models"]
    for name, model in models.items():
        labels = {MODEL_LABEL: name, TIER_LABEL: "floor"}.items()
        pods = [pod for pod in life.objects["Pod"] if labels <= pod["metadata"]["labels"].items()]
        assert [is_ready(pod) for pod in pods] == [True] * model.get("scaling", {}).get("floor", 1), name


def test_a_second_preview_changes_nothing(life):
    assert life.again.changes == []


@pytest.mark.parametrize("life", EXISTING, indirect=True, scope="module")
def test_another_kubeconfig_for_the_same_cluster_shows_nothing_as_replaced(life):
    assert life.moved is not None
    assert [(kind, type_of(urn)) for kind, urn in life.moved.changes] == [("update", "pulumi:providers:kubernetes")]


def test_no_secret_is_in_plain_text_in_state_outputs_or_logs(life):
    values = [form for value in life.secrets.values() for form in (value, base64.b64encode(value.encode()).decode())]
    texts = [json.dumps(life.state), json.dumps(life.outputs, default=str), *(one.output for one in life.operations)]
    assert [value for value in values for text in texts if value in text] == []


def test_the_secrets_arrive_in_the_cluster(life):
    values = {base64.b64decode(value).decode() for one in life.objects["Secret"] for value in one.get("data", {}).values()}
    assert [secret for secret in life.secrets.values() if not any(secret in value for value in values)] == []


@pytest.mark.parametrize("life", PROTECTED, indirect=True, scope="module")
def test_deletion_protection_refuses_before_anything_is_deleted(life):
    assert life.refused is not None
    assert "protected" in life.refused.failed
    assert [one["urn"] for one in life.after_refusal] == [one["urn"] for one in life.state["resources"]]


def test_a_destroyed_stack_leaves_nothing_behind(life):
    assert [name_of(one["urn"]) for one in life.remaining if type_of(one["urn"]) != STACK_TYPE] == []
    assert life.environment.google.existing() == []
    assert life.environment.google.left_behind() == []


@pytest.mark.parametrize("life", EXISTING, indirect=True, scope="module")
def test_a_cluster_that_stays_is_clean_again(life):
    assert life.objects["PersistentVolume"], "there were disks"
    assert life.environment.cluster.list("Namespace", **MANAGED) == []
    life.environment.cluster.wait_for("no disk is left", lambda: not life.environment.cluster.list("PersistentVolume"))
