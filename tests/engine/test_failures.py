"""A model that is never ready: what fails, what does not, and that one can go on from there."""

from __future__ import annotations

from typing import Any

import pytest

from components.naming import MODEL_LABEL, model_namespace
from config.parsing import parse
from planning import startup
from planning.plan import make_plan
from tests.cluster.cluster import Cluster, is_ready
from tests.engine.engine import SHARED, Program, Stack, name_of, owners
from tests.program.conftest import configuration
from tests.stacks import changed

GOOD, BAD = "qwen3-0-6b", "never-ready"
# Seconds that the program under test assumes for a new node and for an image, so that a failure need not take ten minutes.
SHORTENED, SHORT = ("NODE_SECONDS", "IMAGE_PULL_SECONDS"), 5
NO_NODES = {"hardware": {"vcpus": 6, "memoryGiB": 16}, "onDemand": {"min": 1, "max": 1, "nodeSelector": {"pool": "sold-out"}}}
MODEL = {
    "source": "Qwen/Qwen3-0.6B",
    "nodePool": "sold-out",
    "engine": {"maxModelLen": 2048, "enforceEager": True},
    "resources": {"cpu": 2, "memoryGiB": 8},
    "startupBudgetSeconds": 60,
}
# For both models and a surge replica: else the plan would have one less available while the other moves in.
ROOM = 3
TWO_MODELS = changed(
    configuration("local"),
    {"nodePools.cpu.onDemand.max": ROOM, "nodePools.cpu.onDemand.min": 2, "nodePools.sold-out": NO_NODES, f"models.{BAD}": MODEL},
)


def shorten(program: Program) -> None:
    for constant in SHORTENED:
        program.edit("planning/startup.py", f"\n{constant} = {getattr(startup, constant)}\n", f"\n{constant} = {SHORT}\n")


def budget(monkeypatch: pytest.MonkeyPatch) -> int:
    """Seconds that the shortened program gives the model."""
    for constant in SHORTENED:
        monkeypatch.setattr(startup, constant, SHORT)
    return make_plan(parse(TWO_MODELS)).models[BAD].startup.update_timeout


def ready_pods(cluster: Cluster, model: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in cluster.pods(model_namespace(model), **{MODEL_LABEL: model}) if is_ready(pod)]


def test_a_model_that_is_never_ready_fails_alone_and_within_its_own_budget(own_environment, monkeypatch):
    stack = own_environment.stack("local", TWO_MODELS)
    own_environment.cluster.delete_nodes(pool="sold-out")
    shorten(stack.program)

    failed = stack.up()
    assert failed.failures == [f"{BAD}-floor"]
    deployment = _resource(stack, f"{BAD}-floor", "kubernetes:apps/v1:Deployment")
    assert deployment["customTimeouts"]["create"] == budget(monkeypatch)
    assert deployment["initErrors"]
    good = ready_pods(own_environment.cluster, GOOD)
    assert len(good) == 1

    stack.configure(own_environment.with_charts(changed(TWO_MODELS, {f"models.{BAD}.nodePool": "cpu"})))
    recovered = stack.up().succeeded()
    assert owners(recovered, stack.resources()) - SHARED == {BAD}
    assert len(ready_pods(own_environment.cluster, BAD)) == 1
    assert ready_pods(own_environment.cluster, GOOD) == good
    assert stack.preview().changes == []


def _resource(stack: Stack, name: str, type_: str) -> dict[str, Any]:
    return next(one for one in stack.resources() if name_of(one["urn"]) == name and one["type"] == type_)
