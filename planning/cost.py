"""Monthly cost at the floor, as expected, and at the ceiling; by pool and by model; compared with the budget.

Nodes are billed, not replicas: a pool's cost is that of its nodes, and unused capacity is shown as idle, not added to a model.
Not counted: network egress, load balancers, disks, logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config import catalog
from config.budget import Budget, Price
from config.cluster import GkeCluster
from config.errors import Problem
from config.models import Model
from config.node_pools import Capacity, NodePool
from config.settings import Settings
from planning.capacity import CapacityPlan, Speed
from planning.machines import NodeGroup
from planning.placement import Placed, PoolPlan

HOURS_PER_MONTH = 730
# cloud.google.com/kubernetes-engine/pricing: management fee of a cluster.
GKE_CLUSTER_USD_PER_HOUR = 0.10


@dataclass(frozen=True)
class Range:
    least: float
    most: float

    def __add__(self, other: Range) -> Range:
        return Range(self.least + other.least, self.most + other.most)


@dataclass(frozen=True)
class Usd:
    """US dollars a month, at the spot prices last seen."""

    floor: float
    expected: float
    ceiling: float
    expected_range: Range
    """`expected` at the lowest and at the highest spot price to expect."""

    def __add__(self, other: Usd) -> Usd:
        return Usd(
            self.floor + other.floor,
            self.expected + other.expected,
            self.ceiling + other.ceiling,
            self.expected_range + other.expected_range,
        )


NOTHING = Usd(0, 0, 0, Range(0, 0))


@dataclass(frozen=True)
class NodePrice:
    """US dollars per node and hour; None if neither the catalogue nor the budget has a price."""

    on_demand: float | None
    spot: float | None
    spot_range: Range | None
    """Range of the spot price: from the catalogue's price history, or from budget.prices."""
    date: str | None
    """Date of the catalogue's price; None for a price from budget.prices."""

    def of(self, capacity: Capacity) -> Range:
        """Price of one capacity type; 0 if it is not known."""
        if capacity == "spot" and self.spot_range:
            return self.spot_range
        price = (self.on_demand if capacity == "on-demand" else self.spot) or 0.0
        return Range(price, price)


@dataclass(frozen=True)
class TokenUsd:
    """US dollars per million tokens."""

    prompt: float
    completion: float


@dataclass(frozen=True)
class ModelCost:
    monthly: Usd
    usd_per_million_output_tokens: Range | None
    """At the planned throughput and its error, on on-demand nodes (else spot, with its range). The throughput includes prefill; only output
    tokens are counted."""
    tokens: TokenUsd | None
    """The same cost, without its error, divided between prompts and answers by the time that a replica spends on each."""


@dataclass(frozen=True)
class CostPlan:
    pools: dict[str, Usd]
    models: dict[str, ModelCost]
    cluster: Usd
    total: Usd
    unpriced: tuple[str, ...]
    """Pools whose price is not known; they count as 0."""
    prices_of: str | None
    """Date of the oldest catalogue price in use; None if all prices are from budget.prices."""
    node_prices: dict[str, NodePrice]
    """By pool."""
    system_node_price: float | None
    """US dollars per hour; None if the cluster is not GKE's."""


def node_price(settings: Settings, name: str, machine_type: str | None) -> NodePrice:
    """Price of a pool's node: budget.prices by machine type or pool name, else the catalogue's for the region."""
    override = settings.budget.prices.get(machine_type or "") or settings.budget.prices.get(name) or Price()
    row = catalog.machine_types().get(machine_type or "")
    listed = row.prices.get(settings.gcp_region or "", Price()) if row and isinstance(settings.cluster, GkeCluster) else Price()
    spot = override if override.spot_usd_per_hour is not None else listed
    return NodePrice(
        _first(override.on_demand_usd_per_hour, listed.on_demand_usd_per_hour),
        spot.spot_usd_per_hour,
        Range(*spot.spot_range_usd_per_hour) if spot.spot_range_usd_per_hour else None,
        row.date if row and row.prices and override == Price() else None,
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
    dates = [price.date for price in prices.values() if price.date]
    total, oldest = sum(by_pool.values(), cluster), min(dates, default=None)
    return CostPlan(by_pool, by_model, cluster, total, unpriced, oldest, prices, _system_node_price(settings))


def _is_unpriced(pool: NodePool, price: NodePrice) -> bool:
    return (pool.on_demand.max > 0 and price.on_demand is None) or (pool.spot.max > 0 and price.spot is None)


def _pool_cost(plan: PoolPlan, price: NodePrice, budget: Budget) -> Usd:
    """At the floor the pool's minimum nodes; at the ceiling the nodes for all models at their ceilings, up to the pool's maximum."""
    pool = plan.pool
    on_demand = _nodes(pool.on_demand, plan.ceiling_on_demand_nodes, price, budget) if pool.on_demand else NOTHING
    spot = _nodes(pool.spot, plan.ceiling_spot_nodes, price, budget) if pool.spot else NOTHING
    return on_demand + spot + _stand_ins(plan, price)


def _stand_ins(plan: PoolPlan, price: NodePrice) -> Usd:
    """What the ceiling costs more where on-demand nodes stand in for spot nodes."""
    group = plan.pool.on_demand
    room = group.max_nodes - max(group.min_nodes, plan.ceiling_on_demand_nodes) if group else 0
    dearer = max(0.0, (price.on_demand or 0.0) - (price.spot or 0.0)) * HOURS_PER_MONTH
    return Usd(0, 0, max(0, min(plan.stand_in_nodes, room)) * dearer, NOTHING.expected_range)


def _nodes(group: NodeGroup, needed: int, price: NodePrice, budget: Budget) -> Usd:
    ceiling = max(group.min_nodes, min(group.max_nodes, needed))
    return _monthly(group.min_nodes, ceiling - group.min_nodes, price, group.capacity, group.capacity, budget)


def _monthly(kept: float, more: float, price: NodePrice, kept_on: Capacity, more_on: Capacity, budget: Budget) -> Usd:
    """Monthly cost of `kept` nodes that always run and `more` nodes that run for budget.expectedBurst of the time."""
    seen = {"on-demand": price.on_demand or 0.0, "spot": price.spot or 0.0}
    floor, burst = kept * seen[kept_on] * HOURS_PER_MONTH, more * seen[more_on] * HOURS_PER_MONTH
    ranges, times = (price.of(kept_on), price.of(more_on)), (kept * HOURS_PER_MONTH, more * HOURS_PER_MONTH * budget.expected_burst)
    expected = Range(
        sum(one.least * hours for one, hours in zip(ranges, times, strict=True)),
        sum(one.most * hours for one, hours in zip(ranges, times, strict=True)),
    )
    return Usd(floor, floor + burst * budget.expected_burst, floor + burst, expected)


def _model_cost(one: Placed, plan: PoolPlan, price: NodePrice, budget: Budget, capacity: CapacityPlan) -> ModelCost:
    share = one.shape.slots / plan.pool.machine.slots
    scaling = one.model.scaling
    monthly = _monthly(scaling.floor * share, one.burst * share, price, "on-demand", scaling.burst_capacity, budget)
    return ModelCost(monthly, _per_million(price, share, capacity.speed), _token_usd(price, share, one.model, capacity.speed))


def _per_million(price: NodePrice, share: float, speed: Speed | None) -> Range | None:
    """US dollars per million output tokens of a replica that takes `share` of a node."""
    capacity: Capacity = "on-demand" if price.on_demand is not None else "spot"
    if speed is None or (price.on_demand is None and price.spot is None):
        return None
    hourly = price.of(capacity)
    return Range(
        hourly.least * share / (speed.most_tokens_per_second * 3600) * 1e6,
        hourly.most * share / (speed.least_tokens_per_second * 3600) * 1e6,
    )


def _token_usd(price: NodePrice, share: float, model: Model, speed: Speed | None) -> TokenUsd | None:
    hourly = _first(price.on_demand, price.spot)
    if speed is None or not hourly:
        return None
    traffic = model.traffic
    per_output_token = hourly * share / (speed.served.output_tokens_per_second * 3600) * 1e6
    prompts = per_output_token * speed.prompt_share * traffic.output_tokens / traffic.prompt_tokens
    return TokenUsd(prompts, per_output_token * (1 - speed.prompt_share))


def _cluster_cost(settings: Settings) -> Usd:
    """Management fee and system pool."""
    cluster = settings.cluster
    if not isinstance(cluster, GkeCluster):
        return NOTHING
    price = _system_node_price(settings) or 0.0
    fee = GKE_CLUSTER_USD_PER_HOUR * HOURS_PER_MONTH
    kept, most = (nodes * price * HOURS_PER_MONTH + fee for nodes in (cluster.system_pool.min, cluster.system_pool.max))
    return Usd(kept, kept, most, Range(kept, kept))


def _system_node_price(settings: Settings) -> float | None:
    cluster = settings.cluster
    return node_price(settings, "system", cluster.system_pool.machine_type).on_demand or 0.0 if isinstance(cluster, GkeCluster) else None


def budget_problems(cost: CostPlan, budget: Budget) -> Iterator[Problem]:
    """An expected monthly cost above the budget."""
    if budget.monthly_usd is None or cost.total.expected <= budget.monthly_usd:
        return
    dearest = max(cost.models, key=lambda name: cost.models[name].monthly.expected, default="none")
    yield Problem(
        "budget.monthlyUsd",
        f"the expected month costs ${cost.total.expected:,.0f} at the spot prices last seen, the budget is ${budget.monthly_usd:,.0f}",
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
    """A budget that covers the expected month at the last spot prices, but not at the highest spot prices, or not at the ceiling."""
    if budget.monthly_usd is None or cost.total.expected > budget.monthly_usd:
        return
    if budget.monthly_usd < cost.total.expected_range.most:
        yield Problem(
            "budget.monthlyUsd",
            f"the expected month costs ${cost.total.expected:,.0f} at the spot prices last seen, but up to "
            f"${cost.total.expected_range.most:,.0f} at the highest, above the budget of ${budget.monthly_usd:,.0f}",
            "check today's spot prices and give them in budget.prices, or run fewer burst replicas",
        )
    if budget.monthly_usd < cost.total.ceiling:
        yield Problem(
            "budget.monthlyUsd",
            f"a month with every model at its ceiling costs ${cost.total.ceiling:,.0f}, above the budget of ${budget.monthly_usd:,.0f}",
            "lower ceilings if that must not happen",
        )
