"""The whole chain of scaling: a real Prometheus with the program's rules, KEDA, the HPA controller, the scheduler. Nodes, replicas and
their load are simulated. A second stands for fifteen: of windows, intervals and of the time that a start takes.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from components.naming import model_namespace
from components.observability.rules import prometheus_rule_spec
from components.observability.scaling import DEFAULT_PACE, Pace, model_scaling
from components.observability.stack import shared_groups
from planning import scaling as law
from tests import prometheus_tools
from tests.cluster.autoscaling import keda
from tests.cluster.cluster import Cluster, is_ready
from tests.cluster.conftest import any_cluster, needs_own_control_plane
from tests.cluster.deployed import Deployed, deploy
from tests.cluster.model_under_load import ModelUnderLoad, scraped
from tests.cluster.simulated_nodes import NODE_POOL_LABEL
from tests.stacks import stack
from tools.demo.metrics.prometheus import LocalPrometheus, Target

pytestmark = needs_own_control_plane
MODEL, FLOOR, CEILING = "qwen3-8b", 2, 8
STACK = {
    "nodePools.l4": {"machineType": "g2-standard-12", "onDemand": {"min": 2, "max": 8}, "spot": {"max": 12}},
    f"models.{MODEL}.scaling": {"floor": FLOOR, "ceiling": CEILING, "burst": "spot-preferred"},
}
STANDS_FOR = 15
# Replicas kept busy by a load that needs five.
BUSY = 4.5 / law.HEADROOM
DOWN_SECONDS = 300 // STANDS_FOR
PACE = Pace(**{name: max(1, value // STANDS_FOR) for name, value in vars(DEFAULT_PACE).items()})


@dataclass
class Chain:
    deployed: Deployed
    model: ModelUnderLoad
    prometheus: LocalPrometheus
    seen: list[tuple[float, int]] = field(default_factory=list)
    """Burst replicas that the HPA asked for, whenever they changed."""

    @property
    def cluster(self) -> Cluster:
        return self.deployed.cluster

    def asked(self, tier: str = "burst") -> int:
        return self.cluster.get("Deployment", f"{MODEL}-{tier}", model_namespace(MODEL), api="apps/v1")["spec"]["replicas"]

    def ready(self, tier: str) -> int:
        return sum(map(is_ready, self.deployed.tier(tier)))

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> list[int]:
        """Burst replicas over the time, one a half second, until the condition holds."""
        counts, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            counts.append(self.asked())
            time.sleep(0.5)
        return [*counts, self.asked()]

    def reach(self, burst: int, seconds: float) -> list[int]:
        """Replicas on the way to so many, all ready; fails where they do not come."""
        counts = self.watch(seconds, lambda: self.asked() == burst == self.ready("burst"))
        told = self.prometheus.query(f'{{__name__=~"model:(replicas_for|replicas_wanted|burst|floor_ready).*", model="{MODEL}"}}')
        rules = {f"{one.labels['__name__']} {one.labels.get('reason', '')}": one.points[0][1] for one in told if one.points}
        assert counts[-1] == burst, f"{burst} burst replicas wanted: {counts}; {rules}"
        return counts

    def settle(self, replicas: float, burst: int) -> list[int]:
        """Load for so many busy replicas."""
        self.model.replicas_for(replicas)
        return self.reach(burst, 6 * DOWN_SECONDS)


def turns(counts: list[int]) -> int:
    """How often they changed their direction."""
    steps = [after - before for before, after in pairwise(counts) if after != before]
    return sum((before > 0) != (after > 0) for before, after in pairwise(steps))


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    prometheus_tools.tool("prometheus")
    with contextlib.ExitStack() as entered:
        scratch = Path(entered.enter_context(tempfile.TemporaryDirectory(prefix="keda-")))
        cluster = entered.enter_context(any_cluster("--horizontal-pod-autoscaler-sync-period=1s"))
        entered.enter_context(keda(cluster, scratch))
        deployed = deploy(cluster, stack(STACK), on_nodes=True)
        for group, nodes in (("on-demand", 6), ("spot", 8)):
            cluster.add_nodes(deployed.node_group(MODEL, group).nodes(nodes, first=2))
        plan = deployed.plan.models[MODEL]
        assert plan.scaling
        model = ModelUnderLoad(cluster, plan)
        target = replace(plan.scaling, startup_seconds=(plan.scaling.startup_seconds + 30) / STANDS_FOR - 30)
        own = model_scaling(replace(plan, scaling=target), gateway=True, pace=PACE)
        shared = [group for group in shared_groups(deployed.settings, deployed.plan) if group.name == "model-replicas"]
        port = entered.enter_context(scraped(model))
        rules = prometheus_rule_spec([*shared, own], "docs/runbooks")
        prometheus = entered.enter_context(LocalPrometheus([Target("all", port, honour=True)], rules, every_seconds=1))
        for one in deployed.manifests:
            if one["kind"] == "ScaledObject":
                cluster.apply(hurried(one, prometheus.url))
        cluster.wait_for("floor ready", deployed.floors_ready)
        yield Chain(deployed, model, prometheus)


def hurried(scaled_object: dict, prometheus: str) -> dict:
    """With this Prometheus, and times that are shorter."""
    spec = scaled_object["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    for rules in behavior.values():
        rules["stabilizationWindowSeconds"] //= STANDS_FOR
        rules["policies"] = [policy | {"periodSeconds": policy["periodSeconds"] // STANDS_FOR} for policy in rules["policies"]]
    wish, *others = spec["triggers"]
    wish = wish | {"metadata": wish["metadata"] | {"serverAddress": prometheus}}
    times = {"pollingInterval": 1, "cooldownPeriod": DOWN_SECONDS, "triggers": [wish, *others]}
    return scaled_object | {"spec": spec | times}


def test_replicas_follow_the_load_up_and_down_and_stay_where_they_are_between(chain):
    chain.settle(0.2, burst=0)
    chain.model.replicas_for(BUSY)
    up = chain.watch(DOWN_SECONDS, lambda: chain.ready("burst") >= 3)
    assert up[-1] >= 3, "within five minutes of real time"
    way = chain.reach(3, 6 * DOWN_SECONDS)
    assert max(way) <= CEILING - FLOOR
    steady = chain.watch(2 * DOWN_SECONDS)
    assert set(steady) == {3}, steady
    down = chain.settle(0.2, burst=0)
    assert max(down) == 3
    assert turns([*up, *way, *steady, *down]) <= 1


def test_a_lost_floor_replica_is_replaced_by_the_burst(chain):
    chain.settle(BUSY, burst=3)
    on_demand = chain.deployed.node_group(MODEL, "on-demand")
    assert chain.cluster.delete_nodes(**{NODE_POOL_LABEL: on_demand.name}) >= FLOOR
    for pod in chain.deployed.tier("floor"):
        chain.cluster.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=0)
    chain.reach(5, 4 * DOWN_SECONDS)
    chain.cluster.add_nodes(on_demand.nodes(8, first=20))
    chain.reach(3, 6 * DOWN_SECONDS)
    assert chain.ready("floor") == FLOOR


def test_on_demand_replicas_stand_in_while_spot_nodes_are_gone(chain):
    chain.settle(BUSY, burst=3)
    spot = chain.deployed.node_group(MODEL, "spot")
    assert chain.cluster.delete_nodes(**{NODE_POOL_LABEL: spot.name})
    for pod in chain.deployed.tier("burst"):
        chain.cluster.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=0)
    chain.watch(4 * DOWN_SECONDS, lambda: chain.ready("burst-on-demand") == 3)
    assert chain.ready("burst-on-demand") == 3
    assert chain.ready("floor") == FLOOR
    chain.cluster.add_nodes(spot.nodes(8, first=40))
    chain.watch(4 * DOWN_SECONDS, lambda: chain.asked("burst-on-demand") == 0)
    assert chain.asked("burst-on-demand") == 0
    chain.reach(3, 6 * DOWN_SECONDS)


def test_a_scrape_that_breaks_and_a_prometheus_that_is_gone_take_no_replica_away(chain):
    chain.settle(BUSY, burst=3)
    chain.model.silent = True
    assert set(chain.watch(2 * DOWN_SECONDS)) == {3}
    chain.model.silent = False
    chain.watch(3)
    chain.settle(BUSY, burst=3)
    chain.prometheus.process.kill()
    assert set(chain.watch(2 * DOWN_SECONDS)) == {3}
    scaled = chain.cluster.get("ScaledObject", f"{MODEL}-burst", model_namespace(MODEL), api="keda.sh/v1alpha1")
    assert {one["type"]: one["status"] for one in scaled["status"]["conditions"]}["Fallback"] == "True"
