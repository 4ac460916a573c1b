"""The whole chain of scaling: a real Prometheus with the program's rules, KEDA, the HPA controller, the scheduler, and a real Envoy.
Nodes, replicas and their load are simulated. A second stands for fifteen: of windows, intervals and of the time that a start takes.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from components.naming import model_namespace
from components.observability import spending
from components.observability.rules import Group, prometheus_rule_spec
from components.observability.scaling import DEFAULT_PACE, Pace, model_scaling
from components.observability.stack import shared_groups
from tests import prometheus_tools
from tests.cluster.autoscaling import keda
from tests.cluster.cluster import Cluster, is_ready
from tests.cluster.conftest import any_cluster
from tests.cluster.deployed import Deployed, deploy
from tests.cluster.model_under_load import ModelUnderLoad, scraped
from tools.demo.local_gateway import LocalGateway
from tools.demo.metrics.prometheus import LocalPrometheus, Target
from tools.demo.metrics.scraped import STATS_PATH

STANDS_FOR = 15
MINUTE = 60 / STANDS_FOR
DOWN_SECONDS = 300 // STANDS_FOR
PACE = Pace(**{name: max(1, value // STANDS_FOR) for name, value in vars(DEFAULT_PACE).items()})
# A Service without ready pods has no address, as a name that nobody has (RFC 6761).
NOWHERE = ("nobody.invalid", 8000)


@dataclass(frozen=True)
class ScaledModel:
    """A model of the chain, and how many replicas of it are asked for and ready."""

    deployed: Deployed
    load: ModelUnderLoad
    prometheus: LocalPrometheus

    @property
    def cluster(self) -> Cluster:
        return self.deployed.cluster

    @property
    def name(self) -> str:
        return self.load.plan.name

    def asked(self, tier: str = "burst") -> int:
        return self.cluster.get("Deployment", f"{self.name}-{tier}", model_namespace(self.name), api="apps/v1")["spec"]["replicas"]

    def ready(self, tier: str) -> int:
        return sum(map(is_ready, self.deployed.tier(tier, self.name)))

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> list[int]:
        """Burst replicas over the time, one a half second, until the condition holds."""
        counts, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            counts.append(self.asked())
            time.sleep(0.5)
        return [*counts, self.asked()]

    def reach(self, burst: int, seconds: float) -> list[int]:
        """Replicas on the way to so many, all ready and not just passing; fails where they do not come."""
        since = math.inf

        def stay() -> bool:
            nonlocal since
            since = min(since, time.monotonic()) if self.asked() == burst == self.ready("burst") else math.inf
            return time.monotonic() - since >= MINUTE / 2

        counts = self.watch(seconds, stay)
        told = self.prometheus.query(f'{{__name__=~"model:(replicas_for|replicas_wanted|burst|floor_ready).*", model="{self.name}"}}')
        rules = {f"{one.labels['__name__']} {one.labels.get('reason', '')}": one.points[0][1] for one in told if one.points}
        assert counts[-1] == burst, f"{burst} burst replicas wanted: {counts}; {rules}"
        return counts

    def settle(self, replicas: float, burst: int) -> list[int]:
        """Load for so many busy replicas."""
        self.load.replicas_for(replicas)
        return self.reach(burst, 6 * DOWN_SECONDS)


@dataclass(frozen=True)
class Chain:
    models: Mapping[str, ScaledModel]
    gateway: LocalGateway | None
    prometheus: LocalPrometheus


def turns(counts: Sequence[int]) -> int:
    """How often they changed their direction."""
    steps = [after - before for before, after in pairwise(counts) if after != before]
    return sum((before > 0) != (after > 0) for before, after in pairwise(steps))


@contextlib.contextmanager
def scaling_chain(config: Mapping[str, Any], nodes: Mapping[str, int], *, with_gateway: bool = False) -> Generator[Chain]:
    """`nodes`: by capacity type, beside the pool's minimum. `with_gateway`: a real Envoy counts the requests for models that sleep."""
    prometheus_tools.tool("prometheus")
    with contextlib.ExitStack() as entered:
        scratch = Path(entered.enter_context(tempfile.TemporaryDirectory(prefix="keda-")))
        cluster = entered.enter_context(any_cluster("--horizontal-pod-autoscaler-sync-period=1s"))
        entered.enter_context(keda(cluster, scratch))
        deployed = deploy(cluster, config, on_nodes=True)
        for group, number in nodes.items():
            cluster.add_nodes(deployed.node_group(next(iter(deployed.plan.models)), group).nodes(number, first=100))
        loads = {
            name: ModelUnderLoad(cluster, plan, STANDS_FOR, counts=not _sleeps(deployed, name))
            for name, plan in deployed.plan.models.items()
        }
        targets = [Target(name, entered.enter_context(scraped(load)), honour=True) for name, load in loads.items()]
        gateway = entered.enter_context(_gateway(deployed)) if with_gateway else None
        if gateway:
            targets.append(Target("gateway", gateway.operations_port, STATS_PATH, {"namespace": "gateway", "pod": "g"}))
        rules = prometheus_rule_spec(_groups(deployed), "docs/runbooks")
        prometheus = entered.enter_context(LocalPrometheus(targets, rules, every_seconds=1))
        for one in deployed.manifests:
            if one["kind"] == "ScaledObject":
                cluster.apply(hurried(one, prometheus.url))
        cluster.wait_for("floor ready", deployed.floors_ready)
        yield Chain({name: ScaledModel(deployed, load, prometheus) for name, load in loads.items()}, gateway, prometheus)


def _sleeps(deployed: Deployed, model: str) -> bool:
    return deployed.settings.models[model].scaling.scale_to_zero


def _groups(deployed: Deployed) -> list[Group]:
    """The program's rules for scaling, at this pace."""
    settings, plan = deployed.settings, deployed.plan
    shared = [group for group in shared_groups(settings, plan) if group.name in ("model-replicas", "scaling-budget")]
    return [*shared, *(_own(deployed, name) for name in plan.models)]


def _own(deployed: Deployed, model: str) -> Group:
    plan, scaling = deployed.plan.models[model], deployed.settings.models[model].scaling
    assert plan.scaling
    target = replace(plan.scaling, startup_seconds=(plan.scaling.startup_seconds + 30) / STANDS_FOR - 30)
    return model_scaling(
        replace(plan, scaling=target),
        gateway=True,
        budget=spending.is_limited(deployed.plan, model),
        sleep_after=scaling.sleep_after_seconds // STANDS_FOR if scaling.scale_to_zero else None,
        pace=PACE,
    )


def _gateway(deployed: Deployed) -> LocalGateway:
    plan = deployed.plan.gateway
    assert plan
    return LocalGateway(plan, [ModelRoute(model, [Backend("blue", [NOWHERE])]) for model in plan.models.values()], {})


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
