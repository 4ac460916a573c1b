"""Recording rules of money: what nodes and models cost now, what the month has cost and will cost, and dollars per million tokens.

Prices are the plan's: the catalogue's for the region, or the budget's own. A pool without a price is left out, as the plan's report says.
"""

from __future__ import annotations

from collections.abc import Mapping

from components.observability.capacity import node_groups
from components.observability.metrics import state_metrics_label
from components.observability.rules import Group, Recording, joined
from config.node_pools import Capacity
from planning.cost import GKE_CLUSTER_USD_PER_HOUR, CostPlan, NodePrice
from planning.machines import POOL_LABEL
from planning.placement import PoolPlan

_PLACE = ("pool", "capacity")
# Longest silence that is charged when Prometheus is back, at the cost that it then sees.
_LONGEST_GAP = "6h"
_HOURS_LEFT = "((days_in_month() - day_of_month() + 1) * 24 - hour() - minute() / 60)"


def groups(pools: Mapping[str, PoolPlan], cost: CostPlan, budget_usd: float | None) -> list[Group]:
    """Nothing where no price is known."""
    return [cost_now(pools, cost), cost_of_month(budget_usd)] if is_priced(pools, cost) else []


def is_priced(pools: Mapping[str, PoolPlan], cost: CostPlan) -> bool:
    return any(_price(cost.node_prices[name], group.capacity) is not None for name, group in node_groups(pools))


def cost_now(pools: Mapping[str, PoolPlan], cost: CostPlan) -> Group:
    prices = [(name, group.capacity, _price(cost.node_prices[name], group.capacity)) for name, group in node_groups(pools)]
    return Group(
        "cost-now",
        [
            *(
                Recording("pool:node_usd_per_hour:plan", f"vector({price:g})", _PLACE, {"pool": name, "capacity": capacity})
                for name, capacity, price in prices
                if price is not None
            ),
            Recording("pool:cost:usd_per_hour", "pool:nodes:count * on (pool, capacity) pool:node_usd_per_hour:plan", _PLACE),
            Recording(
                "model:cost:usd_per_hour",
                joined(
                    "sum by (model, pool, capacity) (model:replicas:count * on (model) group_left () model:node_share:plan)",
                    "* on (pool, capacity) group_left () pool:node_usd_per_hour:plan",
                ),
                ("model", *_PLACE),
            ),
            Recording(
                "pool:idle_cost:usd_per_hour",
                "pool:cost:usd_per_hour - (sum by (pool, capacity) (model:cost:usd_per_hour) or 0 * pool:cost:usd_per_hour)",
                _PLACE,
            ),
            *_cluster_cost(cost.system_node_price),
            # The name that autoscalers and reports of other platforms ask for.
            Recording("cloud_provider_cost_per_hour", "pool:cost:usd_per_hour", _PLACE),
            Recording(
                "pool:spot_nodes:ratio",
                joined(
                    '(sum by (pool) (pool:nodes:count{capacity="spot"}) or 0 * sum by (pool) (pool:nodes:count))',
                    "/ (sum by (pool) (pool:nodes:count) > 0)",
                ),
                ("pool",),
            ),
            _per_million("model:cost_per_million_output_tokens:usd1h", "rate(vllm:generation_tokens_total[1h])"),
            _per_million(
                "model:cost_per_million_tokens:usd1h", "(rate(vllm:generation_tokens_total[1h]) + rate(vllm:prompt_tokens_total[1h]))"
            ),
        ],
    )


def _price(price: NodePrice, capacity: Capacity) -> float | None:
    return price.on_demand if capacity == "on-demand" else price.spot


def _cluster_cost(system_node_price: float | None) -> list[Recording]:
    """Nodes of no pool are system nodes where the cluster is ours; elsewhere nobody knows what they cost."""
    if system_node_price is None:
        return [Recording("cluster:cost:usd_per_hour", "sum(pool:cost:usd_per_hour)")]
    nodes = f'count(kube_node_labels{{{state_metrics_label(POOL_LABEL)}=""}})'
    return [
        Recording("cluster:system_cost:usd_per_hour", f"{nodes} * {system_node_price:g} + {GKE_CLUSTER_USD_PER_HOUR:g}"),
        Recording("cluster:cost:usd_per_hour", "sum(pool:cost:usd_per_hour) + cluster:system_cost:usd_per_hour"),
    ]


def _per_million(record: str, tokens: str) -> Recording:
    """Of the last hour; nothing where no token was made."""
    cost = "sum by (model) (avg_over_time(model:cost:usd_per_hour[1h]))"
    return Recording(record, joined(cost, f"/ (sum by (model) ({tokens}) * 3600 / 1e6 > 0)"), ("model",))


def cost_of_month(budget_usd: float | None) -> Group:
    """The month, in UTC, added up sample by sample: Prometheus may keep less than a month. What passes between two samples is charged at
    the newer one's cost, so a restart loses nothing."""
    month = "cluster:month:number"
    so_far, until = "cluster:cost_month_to_date:usd", "cluster:cost_counted_until:timestamp"
    same_month = f"on () (last_over_time({month}[1d]) == month())"
    elapsed = f"(time() - (last_over_time({until}[{_LONGEST_GAP}]) or vector(time())))"
    budget = [Recording("cluster:budget_usd_per_month:plan", f"vector({budget_usd:g})")] if budget_usd is not None else []
    return Group(
        "cost-of-month",
        [
            Recording(
                so_far,
                joined(
                    f"((last_over_time({so_far}[1d]) and {same_month}) or 0 * cluster:cost:usd_per_hour)",
                    f"+ cluster:cost:usd_per_hour * {elapsed} / 3600",
                ),
            ),
            Recording(until, "time() + 0 * cluster:cost:usd_per_hour"),
            Recording(month, "month()"),
            Recording("cluster:cost_month_forecast:usd", f"{so_far} + avg_over_time(cluster:cost:usd_per_hour[1d]) * {_HOURS_LEFT}"),
            *budget,
        ],
        interval="1m",
    )
