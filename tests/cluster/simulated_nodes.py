"""Nodes as GKE would make them for a stack's node pools: the program's own NodePool resources, with what GKE adds.

Taken from the resources that the program registers, not from the plan, so that a label or taint that the cluster side forgets is
missing here too. On an existing cluster there is no such resource: nodes follow from the stack's `nodePools`. CPU and memory are those
of measured nodes (`tests/data/gke_nodes.yaml`), not the plan's, so that a plan that asks for more than a node has leaves a pod pending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config import catalog
from config.settings import Settings
from planning.machines import (
    NodeGroup as PlannedGroup,
)
from planning.machines import (
    Pool,
    allocatable_disk_gib,
    read_pool,
)
from tests.cluster.control_plane import KWOK_ANNOTATION
from tools.preview.offline import Recording

MEASURED = yaml.safe_load((Path(__file__).parent.parent / "data" / "gke_nodes.yaml").read_text())
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
ZONE_LABEL = "topology.kubernetes.io/zone"
GPU = "nvidia.com/gpu"
_NODE_POOL = "gcp:container/nodePool:NodePool"
_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}
_PODS = 110
_LINUX = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}


@dataclass(frozen=True)
class NodeGroup:
    """Nodes alike. `least` and `most` are over all zones, as the cluster autoscaler counts them."""

    name: str
    least: int
    most: int
    zones: Sequence[str]
    labels: Mapping[str, str]
    taints: Sequence[Mapping[str, str]]
    allocatable: Mapping[str, str]

    def nodes(self, count: int | None = None, first: int = 0) -> list[dict[str, Any]]:
        """Node objects, dealt to the zones in turn. Default: as many as the autoscaler always keeps."""
        return [self._node(index) for index in range(first, first + (self.least if count is None else count))]

    def _node(self, index: int) -> dict[str, Any]:
        name = f"{self.name}-{index}"
        zone = {ZONE_LABEL: self.zones[index % len(self.zones)]} if self.zones else {}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {**self.labels, **zone, "kubernetes.io/hostname": name},
                "annotations": {KWOK_ANNOTATION: "fake"},
            },
            "spec": {"taints": list(self.taints)},
            "status": {"allocatable": dict(self.allocatable), "capacity": dict(self.allocatable)},
        }


def node_groups(settings: Settings, recording: Recording) -> dict[str, NodeGroup]:
    """The stack's node groups by name."""
    pools = [resource for resource in recording.resources if resource.type == _NODE_POOL]
    groups = [gke_node_group(pool.name, pool.inputs) for pool in pools] if pools else _described_groups(settings)
    return {group.name: group for group in groups}


def gke_node_group(name: str, inputs: Mapping[str, Any]) -> NodeGroup:
    """The nodes of a GKE node pool, from the inputs of the program's NodePool resource."""
    node = inputs["nodeConfig"]
    autoscaling, accelerators = inputs["autoscaling"], node.get("guestAccelerators") or []
    machine = catalog.machine_types()[node["machineType"]]
    local_ssds = (node.get("ephemeralStorageLocalSsdConfig") or {}).get("localSsdCount", 0)
    taints = [{"key": one["key"], "value": one["value"], "effect": _EFFECTS[one["effect"]]} for one in node.get("taints") or ()]
    if accelerators and GPU not in {taint["key"] for taint in taints}:
        taints.append({"key": GPU, "value": "present", "effect": "NoSchedule"})
    return NodeGroup(
        name=name,
        least=autoscaling["totalMinNodeCount"],
        most=autoscaling["totalMaxNodeCount"],
        zones=inputs["nodeLocations"],
        labels={**_labels_of_gke(name, node), **(node.get("labels") or {})},
        taints=taints,
        allocatable=_allocatable(
            allocatable_milli_cpu(machine.vcpus),
            allocatable_memory_ki(machine.memory_gib),
            allocatable_disk_gib(node["bootDisk"]["sizeGb"], local_ssds),
            sum(_advertised(accelerator) for accelerator in accelerators),
        ),
    )


def _labels_of_gke(name: str, node: Mapping[str, Any]) -> dict[str, str]:
    labels = {NODE_POOL_LABEL: name, "node.kubernetes.io/instance-type": node["machineType"], **_LINUX}
    if node.get("spot"):
        labels["cloud.google.com/gke-spot"] = "true"
    for accelerator in node.get("guestAccelerators") or ():
        labels["cloud.google.com/gke-accelerator"] = accelerator["type"]
    return labels


def _advertised(accelerator: Mapping[str, Any]) -> int:
    """`nvidia.com/gpu` of a node: GKE's device plugin multiplies GPUs that are divided or shared."""
    each = (accelerator.get("gpuSharingConfig") or {}).get("maxSharedClientsPerGpu", 1)
    if size := accelerator.get("gpuPartitionSize"):
        each, _ = catalog.accelerators()[accelerator["type"]].partition(size)
    return int(accelerator["count"]) * each


def _described_groups(settings: Settings) -> list[NodeGroup]:
    pools = [read_pool(settings, name) for name in settings.node_pools]
    return [_described_group(pool, group) for pool in pools if pool for group in (pool.on_demand, pool.spot) if group]


def _described_group(pool: Pool, group: PlannedGroup) -> NodeGroup:
    machine = pool.machine
    return NodeGroup(
        name=group.name,
        least=group.min_nodes,
        most=group.max_nodes,
        zones=pool.zones,
        labels={**_LINUX, **group.node_selector},
        taints=[{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in group.taints],
        allocatable=_allocatable(
            allocatable_milli_cpu(machine.vcpus),
            allocatable_memory_ki(machine.memory_gib),
            machine.ephemeral_gib,
            0 if machine.is_cpu else machine.slots,
        ),
    )


def allocatable_memory_ki(memory_gib: float) -> int:
    """Memory of a node of nominally `memory_gib` that pods may request, between and beyond the measured sizes along straight lines."""
    return int(_between([(node["memoryGiB"], node["allocatableKi"]) for node in MEASURED["nodes"]], memory_gib))


def allocatable_milli_cpu(vcpus: float) -> int:
    return int(_between([(node["vcpus"], node["allocatableMilliCpu"]) for node in MEASURED["nodes"]], vcpus))


def _between(points: Sequence[tuple[float, float]], wanted: float) -> float:
    """The line through the two measured points around `wanted`, or through the two nearest."""
    after = next((index for index, (size, _) in enumerate(points) if size >= wanted), len(points) - 1)
    (low, first), (high, second) = points[max(1, after) - 1 : max(1, after) + 1]
    return first + (second - first) * (wanted - low) / (high - low)


def _allocatable(milli_cpu: int, memory_ki: int, disk_gib: float, gpus: int) -> dict[str, str]:
    resources = {
        "cpu": f"{milli_cpu}m",
        "memory": f"{memory_ki}Ki",
        "ephemeral-storage": f"{int(disk_gib)}Gi",
        "pods": str(_PODS),
    }
    return {**resources, GPU: str(gpus)} if gpus else resources
