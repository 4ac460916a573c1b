"""Replicas of a model over time in the whole chain: load up, steady, down; its floor lost, its spot nodes lost, its metrics lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.naming import model_namespace
from planning import scaling as law
from tests.cluster.chain import DOWN_SECONDS, ScaledModel, scaling_chain, turns
from tests.cluster.conftest import needs_own_control_plane
from tests.cluster.simulated_nodes import NODE_POOL_LABEL
from tests.stacks import stack

pytestmark = needs_own_control_plane
MODEL, FLOOR, CEILING = "qwen3-8b", 2, 8
STACK = {
    "nodePools.l4": {"machineType": "g2-standard-12", "onDemand": {"min": 2, "max": 8}, "spot": {"max": 12}},
    f"models.{MODEL}.scaling": {"floor": FLOOR, "ceiling": CEILING, "burst": "spot-preferred"},
}
# Replicas kept busy by a load that needs five.
BUSY = 4.5 / law.HEADROOM


@pytest.fixture(scope="module")
def model() -> Iterator[ScaledModel]:
    with scaling_chain(stack(STACK), {"on-demand": 6, "spot": 8}) as chain:
        yield chain.models[MODEL]


def test_replicas_follow_the_load_up_and_down_and_stay_where_they_are_between(model):
    model.settle(0.2, burst=0)
    model.load.replicas_for(BUSY)
    up = model.watch(DOWN_SECONDS, lambda: model.ready("burst") >= 3)
    assert up[-1] >= 3, "within five minutes of real time"
    cleared = model.watch(3 * DOWN_SECONDS)  # what waited meanwhile asks for more, as long as it waits
    assert max(cleared) <= CEILING - FLOOR
    way = model.reach(3, 3 * DOWN_SECONDS)
    steady = model.watch(2 * DOWN_SECONDS)
    assert set(steady) == {3}, steady
    down = model.settle(0.2, burst=0)
    assert max(down) == 3
    assert turns([*up, *cleared, *way, *steady, *down]) <= 1


def test_a_lost_floor_replica_is_replaced_by_the_burst(model):
    model.settle(BUSY, burst=3)
    on_demand = model.deployed.node_group(MODEL, "on-demand")
    assert model.cluster.delete_nodes(**{NODE_POOL_LABEL: on_demand.name}) >= FLOOR
    for pod in model.deployed.tier("floor"):
        model.cluster.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=0)
    model.reach(5, 4 * DOWN_SECONDS)
    model.cluster.add_nodes(on_demand.nodes(8, first=20))
    model.reach(3, 6 * DOWN_SECONDS)
    assert model.ready("floor") == FLOOR


def test_on_demand_replicas_stand_in_while_spot_nodes_are_gone(model):
    model.settle(BUSY, burst=3)
    spot = model.deployed.node_group(MODEL, "spot")
    assert model.cluster.delete_nodes(**{NODE_POOL_LABEL: spot.name})
    for pod in model.deployed.tier("burst"):
        model.cluster.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=0)
    model.watch(4 * DOWN_SECONDS, lambda: model.ready("burst-on-demand") >= 3)
    assert model.ready("burst-on-demand") >= 3, "and more, for what has waited"
    assert model.ready("floor") == FLOOR
    model.cluster.add_nodes(spot.nodes(8, first=40))
    model.watch(4 * DOWN_SECONDS, lambda: model.asked("burst-on-demand") == 0)
    assert model.asked("burst-on-demand") == 0
    model.reach(3, 6 * DOWN_SECONDS)


def test_a_scrape_that_breaks_and_a_prometheus_that_is_gone_take_no_replica_away(model):
    model.settle(BUSY, burst=3)
    model.load.silent = True
    assert set(model.watch(2 * DOWN_SECONDS)) == {3}
    model.load.silent = False
    model.watch(3)
    model.settle(BUSY, burst=3)
    model.prometheus.process.kill()
    assert set(model.watch(2 * DOWN_SECONDS)) == {3}
    scaled = model.cluster.get("ScaledObject", f"{MODEL}-burst", model_namespace(MODEL), api="keda.sh/v1alpha1")
    assert {one["type"]: one["status"] for one in scaled["status"]["conditions"]}["Fallback"] == "True"
