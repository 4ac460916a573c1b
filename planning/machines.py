"""Node pools in planning: the capacity of a node for model servers, and the labels and taints by which pods find it.

A pool becomes up to two node groups, on-demand and spot. Their labels and taints are a contract: the cluster puts them on the
nodes; pods' nodeSelector and tolerations name them.
"""

from __future__ import annotations

from dataclasses import dataclass

from config import catalog
from config.cluster import GkeCluster
from config.node_pools import Capacity, NodePool
from config.settings import Settings

POOL_LABEL = "vllm-platform/node-pool"
CAPACITY_LABEL = "vllm-platform/capacity"

# A node's capacity is less than its machine's memory: the kernel's page structures take 1/64, kernel and firmware up to 0.2 GiB more.
# Three sizes measured: 0.64 of 32, 2.19 of 128, 8.11 of 512 GiB (2i2c-org/infrastructure, issue 2121).
_PAGE_STRUCTURES_SHARE = 1 / 64
_FIRMWARE_GIB = 0.2
# GKE's reserved memory as graded shares of the capacity: 25 % of the first 4 GiB, ... plus 100 MiB for eviction; reserved CPU likewise.
# cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes
_MEMORY_RESERVE = ((4, 0.25), (4, 0.20), (8, 0.10), (112, 0.06), (float("inf"), 0.02))
_EVICTION_GIB = 100 / 1024
_CPU_RESERVE = ((1, 0.06), (1, 0.01), (2, 0.005), (float("inf"), 0.0025))
# GKE's reserved disk: of a boot disk min(50 %, 6 GiB + 35 %, 100 GiB), of local SSDs by their number; and 10 % for eviction.
_BOOT_DISK_RESERVE = (0.5, 6.0, 0.35, 100.0)
_LOCAL_SSD_RESERVE_GIB = {1: 50.0, 2: 75.0}
_LOCAL_SSD_RESERVE_MOST_GIB = 100.0
_LOCAL_SSD_GIB = 375e9 / 1024**3
_EVICTION_DISK_SHARE = 0.1
# Unpacked images of vLLM and of the DaemonSets, on nodes whose boot disk also holds emptyDir volumes. Assumed.
_IMAGES_GIB = 30.0
# What pods on every GPU node request: GKE's own (454m, 656 MiB: 2i2c-org/infrastructure, pull request 4131) and its device plugin (50m,
# 50 MiB), the driver installer (150m), Node Feature Discovery (5m, 64 MiB). Charts give DCGM's and the node exporter no requests.
DAEMONSET_CPU = 0.66
DAEMONSET_MEMORY_GIB = 0.75
# Kept free: on a full node a new critical DaemonSet, or one with larger requests after an upgrade, would preempt a model. Assumed.
SLACK_CPU = 0.3
SLACK_MEMORY_GIB = 0.75
# Least CPUs and memory per slot for any model server.
_LEAST_CPU = 0.1
_LEAST_MEMORY_GIB = 1.0


@dataclass(frozen=True)
class Taint:
    key: str
    value: str
    effect: str = "NoSchedule"


GPU_TAINT = Taint("nvidia.com/gpu", "present")
SPOT_TAINT = Taint("cloud.google.com/gke-spot", "true")


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one pool and one capacity type. Counts are over all zones."""

    name: str
    capacity: Capacity
    min_nodes: int
    max_nodes: int
    node_selector: dict[str, str]
    taints: tuple[Taint, ...]


@dataclass(frozen=True)
class Machine:
    """Capacity of one node for model servers. Memory in GiB."""

    name: str
    vcpus: float
    memory_gib: float
    accelerator: catalog.Accelerator | None
    accelerator_type: str | None
    gpus: int
    slots: int
    """`nvidia.com/gpu` that the node advertises: its GPUs times the clients or MIG partitions of each. On a CPU node: 1."""
    slot_memory_gib: float
    """GPU memory per slot; 0 on a CPU node."""
    ephemeral_gib: float
    """Disk for emptyDir volumes of pods: the bundled local SSDs if there are any, else the boot disk."""
    has_local_ssd: bool
    clients_per_gpu: int = 1
    """Pods that share a GPU and its memory."""

    @property
    def is_cpu(self) -> bool:
        return self.accelerator is None

    @property
    def has_room(self) -> bool:
        """Whether a slot has enough CPU and memory for any model server."""
        return self.cpu_per_slot >= _LEAST_CPU and self.memory_per_slot >= _LEAST_MEMORY_GIB

    @property
    def cpu_per_slot(self) -> float:
        return (allocatable_cpu(self.vcpus) - DAEMONSET_CPU - SLACK_CPU) / self.slots

    @property
    def memory_per_slot(self) -> float:
        """Node memory (not the GPU's) that a slot's pod may request, GiB."""
        return (allocatable_memory_gib(self.memory_gib) - DAEMONSET_MEMORY_GIB - SLACK_MEMORY_GIB) / self.slots


def allocatable_cpu(vcpus: float) -> float:
    """CPUs of a GKE node that pods may request."""
    return vcpus - _graded(vcpus, _CPU_RESERVE)


def allocatable_memory_gib(memory_gib: float) -> float:
    """Memory of a GKE node that pods may request, from the machine type's `memory_gib`."""
    capacity = memory_gib * (1 - _PAGE_STRUCTURES_SHARE) - _FIRMWARE_GIB
    return capacity - _graded(capacity, _MEMORY_RESERVE) - _EVICTION_GIB


def _graded(total: float, steps: tuple[tuple[float, float], ...]) -> float:
    reserved = 0.0
    for width, share in steps:
        reserved += min(total, width) * share
        total = max(0.0, total - width)
    return reserved


def allocatable_disk_gib(boot_disk_gib: float, local_ssds: int) -> float:
    """Disk of a GKE node for emptyDir volumes: bundled local SSDs if there are any, else the boot disk less reserves and images."""
    if local_ssds:
        total = local_ssds * _LOCAL_SSD_GIB
        return total * (1 - _EVICTION_DISK_SHARE) - _LOCAL_SSD_RESERVE_GIB.get(local_ssds, _LOCAL_SSD_RESERVE_MOST_GIB)
    half, base, share, most = _BOOT_DISK_RESERVE
    reserve = min(boot_disk_gib * half, base + boot_disk_gib * share, most)
    return boot_disk_gib * (1 - _EVICTION_DISK_SHARE) - reserve - _IMAGES_GIB


@dataclass(frozen=True)
class Pool:
    """A node pool of the settings, with the figures of its machine."""

    name: str
    machine: Machine
    zones: tuple[str, ...]
    on_demand: NodeGroup | None
    spot: NodeGroup | None

    def group(self, capacity: Capacity) -> NodeGroup | None:
        return self.on_demand if capacity == "on-demand" else self.spot


def read_pool(settings: Settings, name: str) -> Pool | None:
    """The pool `name`; None if config.rules has already refused it, for an unknown machine type for example."""
    pool = settings.node_pools.get(name)
    machine = _machine(name, pool) if pool else None
    if pool is None or machine is None:
        return None
    cluster = settings.cluster
    zones = tuple(pool.zones or (cluster.zones if isinstance(cluster, GkeCluster) else ()))
    return Pool(name, machine, zones, _group(name, pool, "on-demand", machine), _group(name, pool, "spot", machine))


def _group(name: str, pool: NodePool, capacity: Capacity, machine: Machine) -> NodeGroup | None:
    count = pool.count(capacity)
    if count.max == 0:
        return None
    selector = count.node_selector
    if selector is None:
        selector = {POOL_LABEL: name, CAPACITY_LABEL: capacity}
    taints = (() if machine.is_cpu else (GPU_TAINT,)) + ((SPOT_TAINT,) if capacity == "spot" else ())
    return NodeGroup(f"{name}-{capacity}", capacity, count.min, count.max, selector, taints)


def _machine(name: str, pool: NodePool) -> Machine | None:
    if pool.hardware:
        size, gpus, ssds = pool.hardware, pool.hardware.gpus, 0
        accelerator_type = pool.hardware.accelerator.name if pool.hardware.accelerator else None
        accelerator = pool.hardware.accelerator.row() if pool.hardware.accelerator else None
    else:
        row = catalog.machine_types().get(pool.machine_type or "")
        if row is None:
            return None
        size, gpus, ssds = row, row.gpus, row.local_ssds
        accelerator_type = row.accelerator
        accelerator = catalog.accelerators().get(row.accelerator) if row.accelerator else None
    if accelerator_type and accelerator is None:
        return None
    slots, slot_memory = _slots(pool, accelerator, gpus)
    return Machine(
        name=pool.machine_type or name,
        vcpus=size.vcpus,
        memory_gib=size.memory_gib,
        accelerator=accelerator,
        accelerator_type=accelerator_type,
        gpus=gpus,
        slots=slots,
        slot_memory_gib=slot_memory,
        ephemeral_gib=allocatable_disk_gib(pool.boot_disk_gib, ssds),
        has_local_ssd=ssds > 0,
        clients_per_gpu=pool.gpu_sharing.max_clients_per_gpu if pool.gpu_sharing else 1,
    )


def _slots(pool: NodePool, accelerator: catalog.Accelerator | None, gpus: int) -> tuple[int, float]:
    if accelerator is None:
        return 1, 0.0
    if pool.gpu_partition_size:
        partitions, share = accelerator.partition(pool.gpu_partition_size)
        return gpus * partitions, accelerator.memory_gib * share
    clients = pool.gpu_sharing.max_clients_per_gpu if pool.gpu_sharing else 1
    return gpus * clients, accelerator.memory_gib
