"""What a month costs: at the floor, as expected, and at the ceiling; by pool and by model; against the budget.

Nodes are billed, not replicas: a pool's cost is its nodes', and what no replica uses is shown as idle rather than hidden in a model.
Not counted: network egress, load balancers, disks, logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config import catalog
from config.budget import Budget, Price
from config.cluster import GkeCluster
from config.errors import Problem
from config.node_pools import NodePool
from config.settings import Settings
from planning.capacity import CapacityPlan
from planning.placement import Placed, PoolPlan

HOURS_PER_MONTH = 730
# cloud.google.com/kubernetes-engine/pricing: management fee of a cluster.
GKE_CLUSTER_USD_PER_HOUR = 0.10


@dataclass(frozen=True)
class Usd:
    """US dollars a month."""

    floor: float
    expected: float
    ceiling: float

    def __add__(self, other: Usd) -> Usd:
        return Usd(self.floor + other.floor, self.expected + other.expected, self.ceiling + other.ceiling)


@dataclass(frozen=True)
class NodePrice:
    """US dollars per node and hour; None where nobody has said."""

    on_demand: float | None
    spot: float | None


@dataclass(frozen=True)
class ModelCost:
    monthly: Usd
    usd_per_million_output_tokens: float | None
    """At the planned throughput, on on-demand nodes; prompts are included in the work, not in the count."""


@dataclass(frozen=True)
class CostPlan:
    pools: dict[str, Usd]
    models: dict[str, ModelCost]
    cluster: Usd
    total: Usd
    unpriced: tuple[str, ...]
    """Pools whose price is not known; they count as 0."""


def node_price(settings: Settings, name: str, machine_type: str | None) -> NodePrice:
    """Of a pool's node: the budget's price for the machine type or the pool, else the catalogue's for the region."""
    override = settings.budget.prices.get(machine_type or "") or settings.budget.prices.get(name) or Price()
    row = catalog.machine_types().get(machine_type or "")
    listed = row.prices.get(settings.gcp_region or "", Price()) if row and isinstance(settings.cluster, GkeCluster) else Price()
    return NodePrice(
        _first(override.on_demand_usd_per_hour, listed.on_demand_usd_per_hour),
        _first(override.spot_usd_per_hour, listed.spot_usd_per_hour),
    )


def _first(*prices: float | None) -> float | None:
    return next((price for price in prices if price is not None), None)


def plan_cost(
    settings: Settings, pools: dict[str, PoolPlan], placed: dict[str, list[Placed]], capacity: dict[str, CapacityPlan]
) -> CostPlan:
    prices = {name: node_price(settings, name, settings.node_pools[name].machine_type) for name in pools}
    by_pool = {name: _pool_cost(plan, prices[name], settings.budget) for name, plan in pools.items()}
    by_model = {
        one.name: _model_cost(one, plan, prices[name], settings.budget, capacity[one.name])
        for name, plan in pools.items()
        for one in placed[name]
    }
    cluster = _cluster_cost(settings)
    unpriced = tuple(name for name, plan in pools.items() if _is_unpriced(settings.node_pools[name], prices[name]))
    return CostPlan(by_pool, by_model, cluster, sum(by_pool.values(), cluster), unpriced)


def _is_unpriced(pool: NodePool, price: NodePrice) -> bool:
    return (pool.on_demand.max > 0 and price.on_demand is None) or (pool.spot.max > 0 and price.spot is None)


def _pool_cost(plan: PoolPlan, price: NodePrice, budget: Budget) -> Usd:
    """Kept nodes at the floor; at the ceiling what the models at their ceilings need, as far as the pool may grow."""
    pool = plan.pool
    on_demand = (
        _nodes(pool.on_demand.min_nodes, pool.on_demand.max_nodes, plan.ceiling_on_demand_nodes, price.on_demand, budget)
        if pool.on_demand
        else None
    )
    spot = _nodes(pool.spot.min_nodes, pool.spot.max_nodes, plan.ceiling_spot_nodes, price.spot, budget) if pool.spot else None
    return (on_demand or Usd(0, 0, 0)) + (spot or Usd(0, 0, 0))


def _nodes(kept: int, most: int, needed: int, price: float | None, budget: Budget) -> Usd:
    monthly = (price or 0.0) * HOURS_PER_MONTH
    ceiling = max(kept, min(most, needed))
    return Usd(kept * monthly, (kept + (ceiling - kept) * budget.expected_burst) * monthly, ceiling * monthly)


def _model_cost(one: Placed, plan: PoolPlan, price: NodePrice, budget: Budget, capacity: CapacityPlan) -> ModelCost:
    share = one.shape.slots / plan.pool.machine.slots
    floor = one.model.scaling.floor * share * (price.on_demand or 0.0) * HOURS_PER_MONTH
    burst_price = price.on_demand if one.model.scaling.burst == "on-demand" else price.spot
    burst = one.burst * share * (burst_price or 0.0) * HOURS_PER_MONTH
    hourly = price.on_demand if price.on_demand is not None else price.spot
    speed = capacity.output_tokens_per_second
    per_million = hourly * share / (speed * 3600) * 1e6 if hourly is not None and speed else None
    return ModelCost(Usd(floor, floor + burst * budget.expected_burst, floor + burst), per_million)


def _cluster_cost(settings: Settings) -> Usd:
    """Management fee and system pool."""
    cluster = settings.cluster
    if not isinstance(cluster, GkeCluster):
        return Usd(0, 0, 0)
    price = node_price(settings, "system", cluster.system_pool.machine_type).on_demand or 0.0
    fee = GKE_CLUSTER_USD_PER_HOUR * HOURS_PER_MONTH
    kept, most = (nodes * price * HOURS_PER_MONTH + fee for nodes in (cluster.system_pool.min, cluster.system_pool.max))
    return Usd(kept, kept, most)


def budget_problems(cost: CostPlan, budget: Budget) -> Iterator[Problem]:
    """The expected month above the budget."""
    if budget.monthly_usd is None or cost.total.expected <= budget.monthly_usd:
        return
    dearest = max(cost.models, key=lambda name: cost.models[name].monthly.expected, default="none")
    yield Problem(
        "budget.monthlyUsd",
        f"the expected month costs ${cost.total.expected:,.0f}, the budget is ${budget.monthly_usd:,.0f}",
        f"raise it, or lower a floor, a pool's minimum or a ceiling: '{dearest}' costs most (${cost.models[dearest].monthly.expected:,.0f})"
        if cost.models
        else "raise it, or lower a pool's minimum",
    )


def price_problems(cost: CostPlan, settings: Settings) -> Iterator[Problem]:
    for name in cost.unpriced:
        machine = settings.node_pools[name].machine_type or name
        yield Problem(
            f"nodePools.{name}",
            f"no price is known for {machine} in {settings.gcp_region or 'this cluster'}, so its cost counts as 0",
            f"give budget.prices.{machine}",
        )


def cost_warnings(cost: CostPlan, budget: Budget) -> Iterator[Problem]:
    if budget.monthly_usd is not None and cost.total.expected <= budget.monthly_usd < cost.total.ceiling:
        yield Problem(
            "budget.monthlyUsd",
            f"a month with every model at its ceiling costs ${cost.total.ceiling:,.0f}, above the budget of ${budget.monthly_usd:,.0f}",
            "lower ceilings if that must not happen",
        )
