"""A model changes its colour on a real API server: what a failed check leaves alone, what promotion leaves, and what an abort frees."""

from __future__ import annotations

from typing import Any

import pytest

from components.naming import COLOUR_LABEL, GATEWAY_NAMESPACE, MODEL_LABEL, model_namespace
from config.errors import StackError
from planning.plan import make_plan
from tests.cluster.cluster import Cluster
from tests.cluster.simulated_nodes import node_groups
from tests.cluster.updates import Update
from tests.stacks import settings, stack
from tests.unit.wrong_rollouts import ROLLOUT
from tools.preview import offline

MODEL = "qwen3-8b"
SPACE = model_namespace(MODEL)
SMALL: dict[str, Any] = {f"models.{MODEL}.scaling": {"floor": 1, "ceiling": 1}, "nodePools.l4.onDemand": {"min": 2, "max": 2}}
LIVE = SMALL | {ROLLOUT: {"strategy": "blue-green"}}
NEW = {"engine": {"maxModelLen": 4096}}
GREEN = f"{MODEL}-green"


def canary(weight: int, model: dict[str, Any] | None = None) -> dict[str, Any]:
    return SMALL | {ROLLOUT: {"strategy": "blue-green", "candidate": {"model": model or NEW, "weight": weight}}}


PROMOTED = SMALL | {f"models.{MODEL}.engine.maxModelLen": 4096, ROLLOUT: {"strategy": "blue-green", "live": "green"}}


class Stack:
    """A stack that is changed by its configuration alone."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.recorded = cluster, None

    def up(self, changes: dict[str, Any], *failing: str) -> list[str]:
        """Names of what failed."""
        recording = offline.run(stack(changes), "test", known=True)
        failed = Update(self.cluster, failing).run(self.recorded, recording)
        self.recorded = self.recorded if failed else recording
        return failed

    def colours(self) -> set[str]:
        return {pod["metadata"]["labels"][COLOUR_LABEL] for pod in self.cluster.pods(SPACE, **{MODEL_LABEL: MODEL})}

    def seen_by_clients(self) -> dict[str, Any]:
        """The live pods, the routes with their weights, and the Services, as the API server has them, without what it counts."""
        pods = self.cluster.pods(SPACE, **{COLOUR_LABEL: MODEL})
        secret = self.cluster.get("Secret", "gateway-models", GATEWAY_NAMESPACE)
        services = [self.cluster.get("Service", MODEL, SPACE), self.cluster.get("Service", "gateway", GATEWAY_NAMESPACE)]
        deployment = self.cluster.get("Deployment", f"{MODEL}-floor", SPACE, api="apps/v1")
        return {"pods": pods, "routes": secret, "services": services, "deployment": deployment["spec"]}

    def gpus(self) -> int:
        pods = self.cluster.pods(SPACE)
        return sum(int(one["resources"].get("requests", {}).get("nvidia.com/gpu", 0)) for pod in pods for one in pod["spec"]["containers"])


@pytest.fixture
def live(cluster) -> Stack:
    """A blue-green model with one replica, on a pool of two GPUs."""
    found = Stack(cluster)
    recording = offline.run(stack(LIVE), "test", known=True)
    for group in node_groups(settings(LIVE), recording).values():
        cluster.add_nodes(group.nodes())
    cluster.add_nodes(node_groups(settings(LIVE), recording)["l4-on-demand"].nodes(2 - len(cluster.list("Node")), first=7))
    assert found.up(LIVE) == []
    return found


def test_a_candidate_whose_smoke_test_fails_leaves_everything_that_clients_see_as_it_was(live):
    before = live.seen_by_clients()
    assert live.up(canary(10), f"{GREEN}-smoke") == [f"{GREEN}-smoke"]
    assert live.colours() == {MODEL, GREEN}, "the candidate is there, to be looked at"
    assert live.seen_by_clients() == before


def test_a_gate_that_fails_leaves_the_canary_as_it_was(live):
    assert live.up(canary(10)) == []
    before = live.seen_by_clients()
    assert live.up(canary(50), f"{GREEN}-gate") == [f"{GREEN}-gate"]
    assert live.seen_by_clients() == before


def test_promotion_leaves_exactly_one_colour_and_its_pods_are_those_that_were_tested(live):
    assert live.up(canary(100)) == []
    tested = {pod["metadata"]["uid"] for pod in live.cluster.pods(SPACE, **{COLOUR_LABEL: GREEN})}
    assert live.gpus() == 2
    assert live.up(PROMOTED) == []
    live.cluster.wait_for("blue is gone", lambda: live.colours() == {GREEN})
    assert {pod["metadata"]["uid"] for pod in live.cluster.pods(SPACE, **{MODEL_LABEL: MODEL})} == tested
    deployments = [one["metadata"]["name"] for one in live.cluster.list("Deployment", SPACE, api="apps/v1")]
    services = [one["metadata"]["name"] for one in live.cluster.list("Service", SPACE)]
    assert (deployments, services) == ([f"{GREEN}-floor"], [GREEN])
    assert live.gpus() == 1


def test_a_colour_that_comes_back_gets_requests_only_when_the_gateway_sees_it(live):
    assert live.up(canary(100)) == []
    assert live.up(PROMOTED) == []
    live.cluster.wait_for("blue is gone", lambda: live.colours() == {GREEN})
    routes = live.cluster.get("Secret", "gateway-models", GATEWAY_NAMESPACE)
    assert live.up(canary(0), f"{MODEL}-seen") == [f"{MODEL}-seen"]
    assert live.colours() == {MODEL, GREEN}
    assert live.cluster.get("Secret", "gateway-models", GATEWAY_NAMESPACE) == routes
    assert live.up(canary(0)) == []
    assert live.cluster.get("Secret", "gateway-models", GATEWAY_NAMESPACE) != routes


def test_an_abort_frees_the_gpus_and_the_live_pods_never_change(live):
    blue = {pod["metadata"]["uid"] for pod in live.cluster.pods(SPACE, **{COLOUR_LABEL: MODEL})}
    assert live.up(canary(10)) == []
    assert live.gpus() == 2
    assert live.up(LIVE) == []
    live.cluster.wait_for("green is gone", lambda: live.colours() == {MODEL})
    assert live.gpus() == 1
    assert {pod["metadata"]["uid"] for pod in live.cluster.pods(SPACE, **{MODEL_LABEL: MODEL})} == blue


def test_two_colours_that_do_not_fit_are_refused_before_anything_is_created():
    with pytest.raises(StackError, match=r"nodePools\.l4\.onDemand\.max: 1 nodes cannot hold the floors of qwen3-8b, qwen3-8b-candidate"):
        make_plan(settings(canary(0) | {"nodePools.l4.onDemand": {"max": 1}}))
