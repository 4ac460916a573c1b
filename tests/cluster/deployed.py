"""A stack on a cluster: manifests applied, nodes simulated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.naming import MODEL_LABEL, TIER_LABEL, model_namespace
from config.parsing import parse
from config.settings import Settings
from config.stack_config import without_secret_values
from planning.plan import Plan, make_plan
from tests.cluster.cluster import Cluster, is_ready
from tests.cluster.simulated_nodes import GPU, NodeGroup, node_groups
from tests.cluster.simulated_platform import gpu_operator
from tools.preview import offline
from tools.preview.manifests import manifests

Object = dict[str, Any]


@dataclass(frozen=True)
class Deployed:
    cluster: Cluster
    settings: Settings
    plan: Plan
    groups: Mapping[str, NodeGroup]
    manifests: list[Object]
    applied: list[Object]

    def tier(self, tier: str, model: str | None = None) -> list[Object]:
        """Pods of one tier (floor or burst), of one model or of all."""
        labels = {TIER_LABEL: tier} | ({MODEL_LABEL: model} if model else {})
        return self.cluster.pods(**labels)

    def floors_ready(self) -> bool:
        """Whether each floor has all its replicas ready, with the newest pod template."""
        floors = {name: model.scaling.floor for name, model in self.settings.models.items() if model.scaling.floor}
        return all(_complete(self._deployment(name, "floor"), floor) for name, floor in floors.items())

    def bursts_ready(self) -> bool:
        pods = self.tier("burst")
        return bool(pods) and all(is_ready(pod) for pod in pods)

    def node_group(self, model: str, capacity: str) -> NodeGroup:
        return self.groups[f"{self.settings.models[model].node_pool}-{capacity}"]

    def _deployment(self, model: str, tier: str) -> Object:
        return self.cluster.get("Deployment", f"{model}-{tier}", model_namespace(model), api="apps/v1")


def deploy(cluster: Cluster, config: Mapping[str, Any], name: str = "test", *, on_nodes: bool = False) -> Deployed:
    """Applies the program's manifests for `config` in the offline preview's order, and stand-ins for its charts.

    With `on_nodes` the minimum nodes of its pools are Ready before anything is applied, as `pulumi up` makes the pools before the
    models; else it adds no node. The order matters to spreading: the scheduler spreads over the zones of the nodes that it knows.
    """
    settings = parse(without_secret_values(config))
    recording = offline.run(config, name, known=True)
    objects, groups = manifests(recording), node_groups(settings, recording)
    if on_nodes:
        cluster.add_nodes(node for group in groups.values() for node in group.nodes())
        cluster.wait_for("nodes ready", lambda: all(is_ready(node) for node in cluster.list("Node")))
    applied = [cluster.apply(one) for one in objects]
    for one in gpu_operator(recording):
        cluster.apply(one)
    return Deployed(cluster, settings, make_plan(settings), groups, objects, applied)


def _complete(deployment: Object, replicas: int) -> bool:
    status = deployment.get("status", {})
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    return seen and counts == [replicas] * 3


def gpus_in_use(cluster: Cluster) -> Iterator[tuple[str, int, int]]:
    """(node, GPUs requested by its pods, allocatable GPUs) of every node."""
    pods = cluster.pods()
    for node in cluster.list("Node"):
        name = node["metadata"]["name"]
        given = sum(_gpus(pod) for pod in pods if pod["spec"].get("nodeName") == name)
        yield name, given, int(node["status"]["allocatable"].get(GPU, 0))


def _gpus(pod: Object) -> int:
    return sum(int(one.get("resources", {}).get("limits", {}).get(GPU, 0)) for one in pod["spec"]["containers"])
