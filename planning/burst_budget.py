"""Limits on bursts: what `budget.hourlyUsd` pays for beside what always runs, and the GPUs that a model's pods may ask for at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from config.budget import Budget
from config.errors import Problem
from config.settings import Settings
from planning.capacity import CapacityPlan
from planning.cost import HOURS_PER_MONTH, CostPlan, plan_cost
from planning.placement import Placed, PoolPlan, plan_pool


@dataclass(frozen=True)
class BurstBudget:
    """What budget.hourlyUsd pays of the bursts. A replica costs its share of a node, at the dearest price that it may have."""

    usd_per_hour: float | None
    """What the nodes that always run leave of it; None where there is no limit."""
    replica_usd_per_hour: dict[str, float]
    """Of one burst replica, by model; models whose price is not known are missing."""

    def cut(self, one: Placed) -> int:
        """The model's burst, or as much of it as is paid for."""
        most = self.most(one.name)
        return one.burst if most is None else min(one.burst, most)

    def paid(self, one: Placed) -> Placed:
        """With the ceiling that is paid for."""
        scaling = one.model.scaling
        lowered = scaling.model_copy(update={"ceiling": scaling.floor + self.cut(one)})
        return replace(one, model=one.model.model_copy(update={"scaling": lowered}))

    def most(self, model: str) -> int | None:
        """Burst replicas that it pays while no other model has any; None where nothing limits them."""
        price = self.replica_usd_per_hour.get(model)
        return None if self.usd_per_hour is None or not price else max(0, int(self.usd_per_hour / price + 1e-9))


def most_gpus(floor: int, burst: int, gpus: int, *, stand_ins: bool) -> int:
    """Hard limit on a model's GPUs: both tiers at their most, stand-ins for all of the burst, and in each tier one pod that ends or is new
    while another takes or gives its place."""
    tiers = [floor, burst, burst if stand_ins else 0]
    return gpus * sum(replicas + 1 for replicas in tiers if replicas)


def plan_bursts(budget: Budget, cost: CostPlan, pools: dict[str, PoolPlan], placed: dict[str, list[Placed]]) -> BurstBudget:
    replicas = {}
    for name, plan in pools.items():
        price = cost.node_prices[name]
        for one in placed[name]:
            capacity = "on-demand" if one.model.scaling.has_stand_ins else one.model.scaling.burst_capacity
            if node := price.on_demand if capacity == "on-demand" else price.spot:
                replicas[one.name] = node * one.shape.slots / plan.pool.machine.slots
    left = budget.hourly_usd - cost.total.floor / HOURS_PER_MONTH if budget.hourly_usd is not None else None
    return BurstBudget(left, replicas)


def paid_cost(
    settings: Settings, bursts: BurstBudget, pools: dict[str, PoolPlan], placed: dict[str, list[Placed]], capacity: dict[str, CapacityPlan]
) -> CostPlan:
    """The cost with each ceiling cut to what is paid for, and all bursts together at what they share where something scales them."""
    paid = {name: [bursts.paid(one) for one in ones] for name, ones in placed.items()}
    cost = plan_cost(settings, {name: plan_pool(plan.pool, paid[name]) for name, plan in pools.items()}, paid, capacity)
    if bursts.usd_per_hour is None or not (settings.platform.autoscaler.enabled and settings.platform.monitoring.enabled):
        return cost
    asked = sum(pool.ceiling - pool.floor for pool in cost.pools.values())
    ceiling = cost.total.ceiling - max(0.0, asked - bursts.usd_per_hour * HOURS_PER_MONTH)
    return replace(cost, total=replace(cost.total, ceiling=ceiling))


def hourly_problems(paid: BurstBudget, budget: Budget, placed: dict[str, list[Placed]]) -> Iterator[Problem]:
    """Ceilings that budget.hourlyUsd does not pay, with no other burst beside them."""
    left = paid.usd_per_hour
    if left is None or budget.hourly_usd is None or left < 0:
        return
    for one in (one for found in placed.values() for one in found):
        most = paid.cut(one)
        if most < one.burst:
            price = paid.replica_usd_per_hour[one.name]
            enough = math.ceil(budget.hourly_usd - left + one.burst * price)
            yield Problem(
                f"models.{one.name}.scaling.ceiling",
                f"{one.burst} burst replicas at ${price:,.2f} an hour, and budget.hourlyUsd leaves ${left:,.2f} beside what always runs",
                f"lower it to {max(1, one.model.scaling.floor + most)}, or raise budget.hourlyUsd to {enough}",
            )


def floor_problems(paid: BurstBudget, budget: Budget) -> Iterator[Problem]:
    """An hourly budget below what always runs: no burst could be paid, and floors are never cut."""
    left = paid.usd_per_hour
    if left is not None and budget.hourly_usd is not None and left < 0:
        yield Problem(
            "budget.hourlyUsd",
            f"${budget.hourly_usd:,.2f}, and what always runs costs ${budget.hourly_usd - left:,.2f} an hour",
            f"raise it to more than {math.ceil(budget.hourly_usd - left)}, or lower a floor or a pool's minimum",
        )
