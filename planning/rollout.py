"""Rolling update of a model's floor: how many replicas more or fewer there are while it goes on, and whether the pool has room for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.errors import Problem
from planning.placement import Placed, PoolPlan


@dataclass(frozen=True)
class Rollout:
    """Rolling update of the floor's Deployment."""

    max_surge: int
    max_unavailable: int
    capacity_share: float
    """Share of the floor that serves while replicas are being replaced."""


def plan_rollout(plan: PoolPlan, one: Placed) -> Rollout:
    """maxSurge 1 if there is room for a surge replica; else maxUnavailable 1: a replica stops before its successor starts.

    Under blue-green always the same, so that a candidate changes no live Deployment.
    """
    given, floor = one.model.rollout, one.model.scaling.floor
    if given.strategy == "blue-green":
        return Rollout(0, 1, 1.0)
    surge = given.max_surge
    if surge is None:
        surge = 1 if _room(plan, one) else 0
    unavailable = given.max_unavailable
    if unavailable is None:
        unavailable = 0 if surge else 1
    return Rollout(surge, unavailable, (floor - min(unavailable, floor)) / floor if floor else 1.0)


def _room(plan: PoolPlan, one: Placed) -> int:
    """Surge replicas that find a GPU and the volume of their weights."""
    if one.name in plan.crowded or one.keeps_its_disk:
        return 0
    room = plan.surge_room.get(one.shape.slots, 0)
    return min(1, room) if plan.pool.machine.clients_per_gpu > 1 else room  # `crowded` is about one more


def rollout_problems(plan: PoolPlan, placed: list[Placed]) -> Iterator[Problem]:
    """maxSurge and maxUnavailable with which an update would never end."""
    for one in placed:
        if one.model.rollout.strategy == "rolling":
            yield from _problems(plan, one)


def _problems(plan: PoolPlan, one: Placed) -> Iterator[Problem]:
    path, given, floor = f"models.{one.name}.rollout", one.model.rollout, one.model.scaling.floor
    if not floor:
        for key, value in (("maxSurge", given.max_surge), ("maxUnavailable", given.max_unavailable)):
            if value is not None:
                yield Problem(f"{path}.{key}", f"{value}, but the model has no floor that is updated by it", "remove it")
        return
    planned, room = plan_rollout(plan, one), _room(plan, one)
    if planned.max_surge > room:
        why = _why_not(plan, one)
        most = f"lower it to {room}" if room else "set it to 0"
        yield Problem(
            f"{path}.maxSurge", f"{planned.max_surge} replicas more, and {why}: they would stay Pending", f"{most}{_more_room(plan, one)}"
        )
    if not planned.max_surge and not planned.max_unavailable:
        message = f"0, and {_why_not(plan, one)}: no replica could be replaced"
        yield Problem(f"{path}.maxUnavailable", message, f"set it to 1{_more_room(plan, one)}")
    if planned.max_unavailable > floor:
        yield Problem(f"{path}.maxUnavailable", f"{planned.max_unavailable} of a floor of {floor}", f"lower it to {floor} or less")


def _why_not(plan: PoolPlan, one: Placed) -> str:
    if one.keeps_its_disk:
        return "the disk of its ReadWriteOnce claim is attached to one node"
    room = _room(plan, one)
    return f"pool '{plan.pool.name}' has room for {room}" if room else f"pool '{plan.pool.name}' has no room for a surge replica"


def _more_room(plan: PoolPlan, one: Placed) -> str:
    return "" if one.keeps_its_disk else f", or raise nodePools.{plan.pool.name}.onDemand.max"


def rollout_warnings(plan: PoolPlan, one: Placed, rollout: Rollout, seconds: float) -> Iterator[Problem]:
    given = one.model.rollout
    if given.strategy == "blue-green" or given.max_unavailable is not None or not rollout.max_unavailable or not one.model.scaling.floor:
        return
    share = f"{rollout.capacity_share:.0%} of its floor" if rollout.capacity_share else "none of its floor: clients get errors"
    reason = _why_not(plan, one) if given.max_surge is None else "rollout.maxSurge is 0"
    fix = f"raise nodePools.{plan.pool.name}.onDemand.max by one, or the model's scaling.floor"
    yield Problem(
        f"models.{one.name}.rollout",
        f"{reason}: while one changes (about {seconds / 60:.0f} minutes) the model has {share}",
        "use weights.accessMode ReadWriteMany with a class that has it" if one.keeps_its_disk else fix,
    )
