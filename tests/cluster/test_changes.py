"""Running models while nodes fail or are drained, or the stack changes."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from components.naming import MODEL_LABEL, TIER_LABEL, model_namespace
from config.errors import StackError
from planning.plan import make_plan
from tests.cluster.cluster import Cluster, is_ready
from tests.cluster.conftest import needs_own_control_plane
from tests.cluster.deployed import Deployed, deploy, gpus_in_use
from tests.cluster.simulated_nodes import GPU, NODE_POOL_LABEL, ZONE_LABEL
from tests.stacks import settings, stack

MODEL = "qwen3-8b"
FLOOR_OF_TWO = {f"models.{MODEL}.scaling": {"floor": 2, "ceiling": 3}}
FULL_POOL = FLOOR_OF_TWO | {"nodePools.l4.onDemand": {"max": 2}}
SPARE_NODE = FLOOR_OF_TWO | {"nodePools.l4.onDemand": {"max": 3}}


def deployed(cluster: Cluster, changes: dict) -> Deployed:
    """The changed small stack, its floor ready on the nodes that its pool always keeps."""
    found = deploy(cluster, stack(changes))
    for group in found.groups.values():
        cluster.add_nodes(group.nodes())
    cluster.wait_for("floors ready", found.floors_ready)
    return found


def names(pods: list[dict]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods}


def _node(pod: dict) -> str | None:
    return pod["spec"].get("nodeName")


def ready(pods: list[dict]) -> int:
    return sum(map(is_ready, pods))


class Watch:
    """The fewest ready replicas and the most pods of a floor while a test waits."""

    def __init__(self, found: Deployed) -> None:
        self.found, self.fewest_ready, self.most_pods = found, 99, 0

    def until(self, condition) -> bool:
        pods = self.found.cluster.pods(**{MODEL_LABEL: MODEL, TIER_LABEL: "floor"})
        self.fewest_ready = min(self.fewest_ready, ready(pods))
        self.most_pods = max(self.most_pods, len(pods))
        return condition()


@needs_own_control_plane
def test_googles_driver_installer_runs_on_every_gpu_node(cluster):
    found = deployed(cluster, FULL_POOL | {"cluster.gpuStack": "driver-installer"})
    on = lambda: {_node(pod) for pod in cluster.pods("kube-system", name="nvidia-driver-installer") if is_ready(pod)}  # noqa: E731
    cluster.wait_for("installers on the GPU nodes", lambda: on() == {node for node, _, gpus in gpus_in_use(cluster) if gpus})
    assert found.floors_ready()


def test_two_replicas_are_in_two_zones(cluster):
    found = deployed(cluster, FULL_POOL)
    zones = {cluster.get("Node", name)["metadata"]["labels"][ZONE_LABEL] for name in map(_node, found.tier("floor"))}
    assert zones == {"us-central1-a", "us-central1-b"}


def test_losing_all_spot_nodes_leaves_floors_alone_and_bursts_come_back(cluster):
    found = deployed(cluster, FULL_POOL)
    spot = found.node_group(MODEL, "spot")
    cluster.add_nodes(spot.nodes(1))
    cluster.wait_for("burst ready", found.bursts_ready)
    floor, burst = names(found.tier("floor")), names(found.tier("burst"))

    assert cluster.delete_nodes(**{NODE_POOL_LABEL: spot.name}) == 1
    # In a cluster with kubelets the pod garbage collector does this a minute later.
    for pod in found.tier("burst"):
        cluster.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=0)
    cluster.wait_for("bursts wait", lambda: (pods := found.tier("burst")) and not any(map(_node, pods)))
    assert names(found.tier("floor")) == floor
    assert ready(found.tier("floor")) == 2

    cluster.add_nodes(spot.nodes(1, first=1))
    cluster.wait_for("burst is back", found.bursts_ready)
    assert not names(found.tier("burst")) & burst
    assert names(found.tier("floor")) == floor


def test_a_drain_takes_one_replica_after_the_other(cluster):
    found = deployed(cluster, FULL_POOL)
    cluster.add_nodes(found.node_group(MODEL, "on-demand").nodes(2, first=2))
    first, second = found.tier("floor")
    for pod in (first, second):
        cluster.patch("Node", pod["spec"]["nodeName"], {"spec": {"unschedulable": True}})
    assert cluster.evict(first)
    assert not cluster.evict(second), "both replicas could be evicted at once"
    cluster.wait_for("the successor is ready and the budget allows the second eviction", lambda: cluster.evict(second))
    gone = {first["spec"]["nodeName"], second["spec"]["nodeName"]}
    cluster.wait_for("both replicas ready elsewhere", lambda: ready([pod for pod in found.tier("floor") if _node(pod) not in gone]) == 2)


@pytest.mark.parametrize("floor", [1, 2])
def test_a_drain_ends_even_when_there_is_nowhere_to_go(cluster, floor):
    """A node upgrade must not hang for ever on a PodDisruptionBudget: every node can be drained."""
    found = deployed(cluster, FULL_POOL | {f"models.{MODEL}.scaling": {"floor": floor, "ceiling": 3}})
    for pod in found.tier("floor"):
        node = pod["spec"]["nodeName"]
        cluster.patch("Node", node, {"spec": {"unschedulable": True}})
        cluster.wait_for(f"{node} drained", lambda pod=pod: cluster.evict(pod), seconds=20)
        cluster.patch("Node", node, {"spec": {"unschedulable": False}})
        cluster.wait_for("floor ready again", found.floors_ready)


@contextmanager
def an_update(found: Deployed, changes: dict):
    """Applies the changed stack and yields a watch over the floor; at the end every replica is a new one."""
    before = names(found.tier("floor"))
    watch = Watch(found)
    deploy(found.cluster, stack(changes | {f"models.{MODEL}.engine.maxModelLen": 4096}))
    yield watch
    assert not before & names(found.tier("floor"))


def test_a_rolling_update_on_a_full_pool_needs_no_spare_gpu(cluster):
    found = deployed(cluster, FULL_POOL)
    assert make_plan(found.settings).models[MODEL].rollout.max_surge == 0
    with an_update(found, FULL_POOL) as watch:
        cluster.wait_for("all replicas replaced", lambda: watch.until(found.floors_ready))
    assert watch.fewest_ready >= 1
    assert watch.most_pods <= 2


def test_a_rolling_update_surges_where_a_node_can_exist(cluster):
    found = deployed(cluster, SPARE_NODE)
    with an_update(found, SPARE_NODE) as watch:
        pending = cluster.wait_for("a surge replica asks for a node", lambda: len(found.tier("floor")) == 3)
        assert pending
        cluster.add_nodes(found.node_group(MODEL, "on-demand").nodes(1, first=2))
        cluster.wait_for("all replicas replaced", lambda: watch.until(found.floors_ready))
    assert watch.fewest_ready == 2, "a surge keeps the whole floor"


def test_replicas_beyond_the_pool_stay_pending_and_the_plan_had_said_so(cluster):
    found = deployed(cluster, FULL_POOL)
    cluster.patch("Deployment", f"{MODEL}-floor", {"spec": {"replicas": 3}}, model_namespace(MODEL), api="apps/v1")
    unplaced = cluster.wait_for("an unschedulable replica", lambda: [pod for pod in found.tier("floor") if _unschedulable(pod)])
    assert len(unplaced) == 1
    with pytest.raises(StackError, match=r"nodePools\.l4\.onDemand\.max: 2 nodes cannot hold the floors"):
        make_plan(settings(FULL_POOL | {f"models.{MODEL}.scaling": {"floor": 3, "ceiling": 3}}))


def test_a_replica_larger_than_a_node_stays_pending_and_the_plan_had_said_so(cluster):
    found = deploy(cluster, stack())
    cluster.add_nodes(found.node_group(MODEL, "on-demand").nodes(4))
    two = {"name": "vllm", "resources": {"limits": {GPU: "2"}, "requests": {GPU: "2"}}}
    change = {"spec": {"template": {"spec": {"containers": [two]}}}}
    cluster.patch("Deployment", f"{MODEL}-floor", change, model_namespace(MODEL), api="apps/v1")
    cluster.wait_for("an unschedulable replica", lambda: any(_unschedulable(pod) for pod in found.tier("floor")))
    with pytest.raises(StackError, match="tensor"):
        make_plan(settings({f"models.{MODEL}.parallelism.tensor": 2}))


def _unschedulable(pod: dict) -> bool:
    return any(one.get("reason") == "Unschedulable" for one in pod.get("status", {}).get("conditions", ()))
