"""Placement of replicas: a pod's requests, the nodes that floors and bursts need, and whether a rollout finds a free GPU.

Slots (`nvidia.com/gpu`) are indivisible: a replica takes its GPUs on one node, or more slots if its requests exceed their share of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from config.errors import Problem
from config.models import Model
from config.node_pools import Capacity, NodePool
from planning.engine_options import engine_options
from planning.machines import Machine, NodeGroup, Pool
from planning.sharing import Share, overfull_by_one_more, sharing_problems

# Size of /dev/shm, which counts as the pod's memory, for NCCL and the worker processes. Comparable projects give at most 20 GiB.
_SHARED_MEMORY_SHARE = 0.25
_SHARED_MEMORY_MOST_GIB = 20


@dataclass(frozen=True)
class ReplicaShape:
    """Requests of one replica's pod, and the slots of a node that they take."""

    gpus: int
    cpu: float
    memory_gib: float
    shared_memory_gib: float
    slots: int


@dataclass(frozen=True)
class Rollout:
    """Rolling update of the floor's Deployment."""

    max_surge: int
    max_unavailable: int
    capacity_share: float
    """Share of the floor that serves while a replica is being replaced."""


@dataclass(frozen=True)
class PoolPlan:
    """A pool with its on-demand minimum raised to the nodes that the floors need. Nodes are over all zones."""

    pool: Pool
    floor_nodes: int
    """Nodes on which every floor replica finds room, wherever the scheduler puts the others."""
    packed_floor_nodes: int
    """Nodes on which the floors fit if packed well. Fewer than floor_nodes only if replicas of different sizes share the pool."""
    ceiling_on_demand_nodes: int
    ceiling_spot_nodes: int
    stand_in_nodes: int  # on demand, beyond ceiling_on_demand_nodes
    free_slots: int
    """Slots of the floor nodes that no floor replica uses."""
    surge_sizes: tuple[int, ...]
    """Replica sizes (in slots) for which one more replica fits in the pool's maximum on-demand nodes."""
    crowded: tuple[str, ...]
    """Models for which one more on-demand replica could exceed the memory of a shared GPU."""


@dataclass(frozen=True)
class Placed:
    """A model on its pool."""

    name: str
    model: Model
    shape: ReplicaShape

    @property
    def burst(self) -> int:
        return self.model.scaling.ceiling - self.model.scaling.floor

    def on(self, capacity: Capacity) -> int:
        """Most replicas on nodes of one capacity type."""
        return (self.model.scaling.floor if capacity == "on-demand" else 0) + (
            self.burst if self.model.scaling.burst_capacity == capacity else 0
        )


def replica_shape(model: Model, machine: Machine) -> ReplicaShape:
    """The replica's share of its node, unless `resources` says otherwise."""
    gpus = 0 if machine.is_cpu else model.parallelism.gpus
    slots = max(1, gpus)
    cpu = model.resources.cpu or _down(machine.cpu_per_slot * slots)
    memory = model.resources.memory_gib or _down(machine.memory_per_slot * slots)
    slots = max(slots, math.ceil(cpu / machine.cpu_per_slot - 1e-6), math.ceil(memory / machine.memory_per_slot - 1e-6))
    shared = _down(min(_SHARED_MEMORY_MOST_GIB, memory * _SHARED_MEMORY_SHARE))
    shared += model.parallelism.data * engine_options(model).kv_offloading_size
    return ReplicaShape(gpus, cpu, memory, shared, slots)


def _down(value: float) -> float:
    return math.floor(value * 10) / 10


def nodes_for(replicas: Mapping[int, int], slots: int) -> int:
    """Nodes of `slots` slots that hold `replicas` (slots per replica -> number), by first fit, largest first."""
    free: Counter[int] = Counter()
    for size in sorted(replicas, reverse=True):
        waiting = replicas[size]
        for left in sorted(left for left in free if left >= size):
            waiting -= _fill(free, left, size, waiting, of=free.pop(left))
        _fill(free, slots, size, waiting, of=-(-waiting // max(1, slots // size)))
    return sum(free.values())


def _fill(free: Counter[int], left: int, size: int, waiting: int, *, of: int) -> int:
    """Fills `of` nodes with `left` free slots each, one after another, with up to `waiting` replicas; returns how many fit."""
    most = max(1, left // size)
    full, rest = divmod(min(waiting, of * most), most)
    free[left - most * size] += full
    if rest:
        free[left - rest * size] += 1
    free[left] += of - full - (rest > 0)
    return full * most + rest


def nodes_in_any_order(replicas: Mapping[int, int], slots: int) -> int:
    """Nodes on which `replicas` (slots per replica -> number) fit in whatever order and on whatever node they are placed.

    The scheduler neither packs nor moves pods. A replica of `size` does not fit only if the others use more than `slots - size` slots on
    every node; used slots are a multiple of the greatest common divisor of the sizes.
    """
    used = sum(size * count for size, count in replicas.items())
    divisor = math.gcd(*replicas)
    least = 0
    for size in (size for size, count in replicas.items() if count and size <= slots):
        blocking = divisor * ((slots - size) // divisor + 1)
        least = max(least, (used - size) // blocking + 1)
    return least


def plan_pool(pool: Pool, placed: list[Placed]) -> PoolPlan:
    slots = pool.machine.slots
    floors = _sizes((one, one.model.scaling.floor) for one in placed)
    floor_nodes = nodes_in_any_order(floors, slots)
    on_demand = floors + _sizes((one, one.burst) for one in placed if one.model.scaling.burst_capacity == "on-demand")
    spot = _sizes((one, one.burst) for one in placed if one.model.scaling.burst_capacity == "spot")
    stand_ins = _sizes((one, one.burst) for one in placed if one.model.scaling.has_stand_ins)
    return PoolPlan(
        pool=replace(pool, on_demand=_raised(pool.on_demand, floor_nodes)),
        floor_nodes=floor_nodes,
        packed_floor_nodes=nodes_for(floors, slots),
        ceiling_on_demand_nodes=nodes_for(on_demand, slots),
        ceiling_spot_nodes=nodes_for(spot, slots),
        stand_in_nodes=nodes_for(on_demand + stand_ins, slots) - nodes_for(on_demand, slots),
        free_slots=floor_nodes * slots - sum(size * count for size, count in floors.items()),
        surge_sizes=tuple(size for size in sorted(floors) if _room_for_one_more(pool, on_demand, size)),
        crowded=overfull_by_one_more(_shares(placed, "on-demand"), pool.machine.clients_per_gpu),
    )


def _room_for_one_more(pool: Pool, replicas: Counter[int], size: int) -> bool:
    most = pool.on_demand.max_nodes if pool.on_demand else 0
    return nodes_in_any_order(replicas + Counter({size: 1}), pool.machine.slots) <= most


def _sizes(counts: Iterable[tuple[Placed, int]]) -> Counter[int]:
    sizes: Counter[int] = Counter()
    for one, count in counts:
        sizes[one.shape.slots] += count
    return sizes


def _shares(placed: list[Placed], capacity: Capacity) -> dict[str, Share]:
    """GPU memory share and number of each model's replicas that can exist at once on nodes of one capacity type."""
    return {one.name: Share(one.model.engine.gpu_memory_utilization, one.on(capacity)) for one in placed}


def _raised(group: NodeGroup | None, nodes: int) -> NodeGroup | None:
    return replace(group, min_nodes=min(group.max_nodes, max(group.min_nodes, nodes))) if group else None


def size_problems(settings: NodePool, pool: Pool) -> Iterator[Problem]:
    """Machines too small for any model server."""
    machine = pool.machine
    if not machine.has_room:
        yield Problem(
            f"nodePools.{pool.name}.{'hardware' if settings.hardware else 'machineType'}",
            f"beside the node's own pods it leaves {max(0.0, machine.cpu_per_slot):.1f} CPUs and "
            f"{max(0.0, machine.memory_per_slot):.1f} GiB for each of {machine.slots} replicas",
            "choose a larger machine" + (", or fewer gpuSharing.maxClientsPerGpu" if settings.gpu_sharing else ""),
        )


def placement_problems(plan: PoolPlan, placed: list[Placed]) -> Iterator[Problem]:
    """Floors and ceilings that the pool cannot hold."""
    for one in placed:
        yield from _replica_problems(plan.pool, one)
    for shares in (_shares(placed, "on-demand"), _shares(placed, "spot")):
        yield from sharing_problems(plan.pool.name, shares, plan.pool.machine.clients_per_gpu)
    group = plan.pool.on_demand
    if group and plan.packed_floor_nodes > group.max_nodes:
        names = ", ".join(one.name for one in placed if one.model.scaling.floor)
        yield Problem(
            f"nodePools.{plan.pool.name}.onDemand.max",
            f"{group.max_nodes} nodes cannot hold the floors of {names}, which need {plan.floor_nodes}",
            f"raise it to {plan.floor_nodes}, or lower a scaling.floor",
        )


def _replica_problems(pool: Pool, one: Placed) -> Iterator[Problem]:
    path, scaling = f"models.{one.name}", one.model.scaling
    if one.shape.slots > pool.machine.slots:
        share = f"{pool.machine.cpu_per_slot * pool.machine.slots:.1f} CPUs and {pool.machine.memory_per_slot * pool.machine.slots:.1f} GiB"
        message = f"a replica asks for {one.shape.cpu} CPUs and {one.shape.memory_gib} GiB, but {pool.machine.name} offers pods {share}"
        if one.model.resources.cpu or one.model.resources.memory_gib:
            yield Problem(f"{path}.resources", message, "lower the requests, or choose a larger machine type")
        return
    if scaling.floor and pool.on_demand is None:
        message = f"the floor runs on on-demand nodes, and pool '{pool.name}' has none"
        yield Problem(f"{path}.scaling.floor", message, f"set nodePools.{pool.name}.onDemand.max, or the floor to 0")
    yield from [*_burst_problems(pool, one), *_stand_in_problems(pool, one)] if one.burst else []


def _stand_in_problems(pool: Pool, one: Placed) -> Iterator[Problem]:
    scaling, most = one.model.scaling, pool.on_demand.max_nodes if pool.on_demand else 0
    if scaling.has_stand_ins and nodes_for({one.shape.slots: scaling.floor + 1}, pool.machine.slots) > most:
        message = f"spot-preferred: on-demand nodes stand in for spot nodes that cannot be had, and pool '{pool.name}' holds only the floor"
        yield Problem(f"models.{one.name}.scaling.burst", message, f"raise nodePools.{pool.name}.onDemand.max, or write spot")


def _burst_problems(pool: Pool, one: Placed) -> Iterator[Problem]:
    path, scaling = f"models.{one.name}.scaling", one.model.scaling
    capacity = scaling.burst_capacity
    key = "onDemand" if capacity == "on-demand" else "spot"
    group = pool.group(capacity)
    if group is None:
        yield Problem(
            f"{path}.burst",
            f"replicas above the floor run on {capacity} nodes, and pool '{pool.name}' has none",
            f"set nodePools.{pool.name}.{key}.max, or scaling.ceiling to {max(1, scaling.floor)}",
        )
        return
    replicas = one.burst + (scaling.floor if capacity == "on-demand" else 0)
    nodes = nodes_for({one.shape.slots: replicas}, pool.machine.slots)
    if nodes > group.max_nodes:
        most = group.max_nodes * (pool.machine.slots // one.shape.slots) + (scaling.floor if capacity == "spot" else 0)
        yield Problem(
            f"{path}.ceiling",
            f"{scaling.ceiling} replicas need {nodes} {capacity} nodes of pool '{pool.name}', which can have {group.max_nodes}",
            f"lower it to {most}, or raise nodePools.{pool.name}.{key}.max to {nodes}",
        )


def placement_warnings(plan: PoolPlan) -> Iterator[Problem]:
    """Ceilings that fit in the pool one by one but not together; floors that fit only if packed well."""
    pool = plan.pool
    yield from _fragmentation_warnings(plan)
    for key, group, nodes in (("onDemand", pool.on_demand, plan.ceiling_on_demand_nodes), ("spot", pool.spot, plan.ceiling_spot_nodes)):
        if group and nodes > group.max_nodes and plan.floor_nodes <= group.max_nodes:
            yield Problem(
                f"nodePools.{pool.name}.{key}.max",
                f"all models at their ceilings need {nodes} nodes, and {group.max_nodes} can exist",
                f"raise it to {nodes}, or the last replicas stay Pending",
            )


def _fragmentation_warnings(plan: PoolPlan) -> Iterator[Problem]:
    group = plan.pool.on_demand
    if group is None or plan.floor_nodes == plan.packed_floor_nodes or plan.packed_floor_nodes > group.max_nodes:
        return
    scattered = f"replicas of different sizes share nodes of {plan.pool.machine.slots} slots, and small ones may take room from large ones"
    if plan.floor_nodes > group.max_nodes:
        yield Problem(
            f"nodePools.{plan.pool.name}.onDemand.max",
            f"{scattered}: {group.max_nodes} nodes hold the floors only if they are packed well, which the scheduler does not do",
            f"raise it to {plan.floor_nodes}, or give each size a pool of its own",
        )
        return
    yield Problem(
        f"nodePools.{plan.pool.name}",
        f"{scattered}: so that each finds room {plan.floor_nodes} nodes are kept, where {plan.packed_floor_nodes} would do",
        "give each size a pool of its own",
    )


def plan_rollout(plan: PoolPlan, one: Placed) -> Rollout:
    """maxSurge 1 if the pool has room for it; else maxUnavailable 1, as under blue-green: so a candidate changes no live Deployment."""
    floor = one.model.scaling.floor
    colours = one.model.rollout.strategy == "blue-green"
    if colours or (one.shape.slots in plan.surge_sizes and one.name not in plan.crowded):
        return Rollout(max_surge=int(not colours), max_unavailable=int(colours), capacity_share=1.0)
    return Rollout(max_surge=0, max_unavailable=1, capacity_share=(floor - 1) / floor if floor else 1.0)


def rollout_warnings(one: Placed, rollout: Rollout, pool: Pool, seconds: float) -> Iterator[Problem]:
    if rollout.max_surge or rollout.capacity_share == 1 or not one.model.scaling.floor:
        return
    share = f"{rollout.capacity_share:.0%} of its floor" if rollout.capacity_share else "none of its floor: clients get errors"
    yield Problem(
        f"models.{one.name}.rollout",
        f"pool '{pool.name}' has no room for a surge replica: while one changes (about {seconds / 60:.0f} minutes) the model has {share}",
        f"raise nodePools.{pool.name}.onDemand.max by one, or the model's scaling.floor",
    )
