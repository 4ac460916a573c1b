"""How nodes are replaced: by an upgrade of GKE, and by a change that GKE cannot make to a node pool in place.

GKE honours PodDisruptionBudgets and grace periods for an hour a node, and then evicts what is left:
cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from config.cluster import GkeCluster
from config.errors import Problem
from config.node_pools import NodePool
from config.settings import Settings
from planning.drain import Drain
from planning.machines import Pool
from planning.placement import Placed, PoolPlan
from planning.startup import StartupPlan

_PDB_SECONDS = 3600


@dataclass(frozen=True)
class NodeChanges:
    """Of one pool, on demand and spot."""

    replacement: Literal["create-first", "delete-first"]
    max_surge: int
    max_unavailable: int


def plan_node_changes(settings: Settings, plans: Mapping[str, PoolPlan]) -> dict[str, NodeChanges]:
    """By pool."""
    pools = {name: plan.pool for name, plan in plans.items()}
    return {name: _changes(settings, pools, name) for name in pools}


def _changes(settings: Settings, pools: Mapping[str, Pool], name: str) -> NodeChanges:
    """`pools`: all of the plan, which share quotas."""
    given, pool = settings.node_pools[name], pools[name]
    surge = given.upgrade.max_surge
    if surge is None:
        surge = 1 if pool.machine.is_cpu and not given.upgrade.max_unavailable else 0
    unavailable = given.upgrade.max_unavailable
    if unavailable is None:
        unavailable = 0 if surge else 1
    fits = _fits_twice(given, pool) and _quota_left(settings, pools, pool) >= _least_gpus(pool)
    return NodeChanges(given.replacement or ("create-first" if fits else "delete-first"), surge, unavailable)


def _fits_twice(given: NodePool, pool: Pool) -> bool:
    """Whether a reservation, taken to hold the pool's maximum, holds the least nodes of the old and the new pool at once."""
    group = pool.on_demand
    return given.reservation is None or group is None or 2 * group.min_nodes <= group.max_nodes


def _least_gpus(pool: Pool) -> int:
    return pool.on_demand.min_nodes * pool.machine.gpus if pool.on_demand else 0


def _of_the_quota(settings: Settings, pools: Mapping[str, Pool], accelerator: str | None) -> Iterator[Pool]:
    """Pools whose on-demand nodes take GPUs from the quota. What a reservation holds is taken from it already."""
    for name, pool in pools.items():
        if pool.machine.accelerator_type == accelerator and pool.on_demand and settings.node_pools[name].reservation is None:
            yield pool


def _quota_left(settings: Settings, pools: Mapping[str, Pool], pool: Pool) -> float:
    """GPUs of the pool's type beside the least that all pools keep; endless where no quota is given."""
    quota = _quota(settings).get(pool.machine.accelerator_type or "")
    if quota is None or settings.node_pools[pool.name].reservation:
        return float("inf")
    return quota - sum(_least_gpus(one) for one in _of_the_quota(settings, pools, pool.machine.accelerator_type))


def _quota(settings: Settings) -> Mapping[str, int]:
    return settings.cluster.gpu_quota if isinstance(settings.cluster, GkeCluster) else {}


def node_change_problems(settings: Settings, plans: Mapping[str, PoolPlan]) -> Iterator[Problem]:
    pools = {name: plan.pool for name, plan in plans.items()}
    for accelerator, quota in _quota(settings).items():
        sharing = [*_of_the_quota(settings, pools, accelerator)]
        most = sum(pool.on_demand.max_nodes * pool.machine.gpus for pool in sharing if pool.on_demand)
        if most > quota:
            names = ", ".join(f"nodePools.{pool.name}.onDemand.max" for pool in sharing)
            message = f"{quota}, but the node pools may have {most} GPUs of this type on demand"
            yield Problem(f"cluster.gpuQuota.{accelerator}", message, f"lower {names}, or ask Google for more and raise it")
    for name, pool in pools.items():
        yield from _pool_problems(settings, pools, pool, _changes(settings, pools, name))


def _pool_problems(settings: Settings, pools: Mapping[str, Pool], pool: Pool, changes: NodeChanges) -> Iterator[Problem]:
    path, given = f"nodePools.{pool.name}", settings.node_pools[pool.name]
    left, least = _quota_left(settings, pools, pool), _least_gpus(pool)
    if given.replacement == "create-first" and not _fits_twice(given, pool) and pool.on_demand:
        nodes = pool.on_demand.min_nodes
        message = f"create-first takes {nodes} nodes twice, and reservation '{given.reservation}' is for {pool.on_demand.max_nodes}"
        yield Problem(f"{path}.replacement", message, "write delete-first, or raise onDemand.max if the reservation holds more")
    if given.replacement == "create-first" and left < least:
        message = f"create-first takes {least} GPUs twice, and cluster.gpuQuota leaves {max(0, left):.0f} beside those that pools keep"
        yield Problem(f"{path}.replacement", message, "write delete-first, or ask Google for more and raise cluster.gpuQuota")
    if changes.max_surge and given.reservation:
        message = f"{changes.max_surge} nodes more would have to be in reservation '{given.reservation}' too"
        yield Problem(f"{path}.upgrade.maxSurge", message, "set it to 0 and maxUnavailable to 1")
    elif (more := changes.max_surge * pool.machine.gpus) > left:
        message = f"{more} GPUs more, and cluster.gpuQuota leaves {max(0, left):.0f} beside those that pools keep"
        yield Problem(f"{path}.upgrade.maxSurge", message, "set it to 0 and maxUnavailable to 1, or ask Google for more")


def node_change_warnings(
    plan: PoolPlan, placed: list[Placed], changes: NodeChanges, drain: Drain, starts: Mapping[str, StartupPlan]
) -> Iterator[Problem]:
    """Floors that an upgrade of their node leaves without a replica, and drains that outlast GKE's patience."""
    group = plan.pool.on_demand
    if group is None or not starts:
        return
    one_node = group.max_nodes + changes.max_surge == 1
    alone = [one for one in placed if one.model.scaling.floor == 1 or (one.model.scaling.floor and one_node)]
    if alone:
        seconds = max(drain.grace_period + starts[one.name].expected for one in alone)
        names = ", ".join(one.name for one in alone)
        yield Problem(
            f"nodePools.{plan.pool.name}.upgrade",
            f"while GKE upgrades the node that holds the floor of {names}, there is none of it for about {seconds / 60:.0f} minutes",
            "give floors of 2 and two nodes, or put cluster.maintenance where few ask",
        )
    for one in placed:
        together = min(one.model.scaling.floor, plan.pool.machine.slots // one.shape.slots)
        start = starts[one.name]
        seconds = (together - 1) * (drain.grace_period + start.expected - start.node)
        if seconds > _PDB_SECONDS:
            message = (
                f"{together} replicas of {one.name} leave a node one after another in {seconds / 60:.0f} minutes, and GKE waits for 60"
            )
            yield Problem(f"nodePools.{plan.pool.name}.upgrade", message, "shorten its start (weights), or spread it over smaller machines")
