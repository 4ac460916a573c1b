"""The plan in a few lines, for a reader of `pulumi preview`: what fits where, and what a month costs."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from planning.machines import Pool
from planning.plan import ModelPlan, Plan

# Models, and pools: so many of the most expensive, because a stack of hundreds must not hide what Pulumi prints.
SHOWN = 10


def summary(plan: Plan, budget: float | None) -> list[str]:
    """A heading, a line a model, a line a pool. Dollars are those of a month, as expected."""
    usd = plan.cost.total
    limit = "no budget" if budget is None else f"{'over' if usd.expected > budget else 'within'} the budget of ${budget:,.0f}"
    return [
        f"every model fits; expected ${usd.expected:,.0f}, {limit}; ${usd.floor:,.0f} at the floors, ${usd.ceiling:,.0f} at the ceilings",
        *_dearest("models", ((one.cost.monthly.expected, _model(plan, one)) for one in plan.deployed.values())),
        *_dearest("pools", ((plan.cost.pools[name].expected, _pool(plan, one.pool)) for name, one in plan.pools.items())),
    ]


def _dearest(what: str, lines: Iterable[tuple[float, str]]) -> list[str]:
    ordered = sorted(lines, key=itemgetter(0), reverse=True)
    shown, rest = ordered[:SHOWN], ordered[SHOWN:]
    return [text for _, text in shown] + ([f"and {len(rest)} more {what}: ${sum(usd for usd, _ in rest):,.0f}"] if rest else [])


def _model(plan: Plan, model: ModelPlan) -> str:
    memory, accelerator = model.memory, model.pool.machine.accelerator
    device = f"{model.shape.gpus} x {accelerator.display_name}" if accelerator else "CPU"
    return (
        f"model {model.key}: {_dollars(plan, model.pool, model.cost.monthly.expected)}; {device} of pool {model.pool.name}; "
        f"KV cache {memory.kv_cache:.1f} of {memory.device:.1f} GiB: "
        f"{memory.concurrent_sequences:.1f} sequences of {memory.max_model_len:,} tokens; "
        f"replicas: {_between(model.floor, model.floor + model.burst)}"
    )


def _pool(plan: Plan, pool: Pool) -> str:
    groups = ((pool.on_demand, "on demand"), (pool.spot, "spot"))
    nodes = [f"{_between(group.min_nodes, group.max_nodes)} {kind}" for group, kind in groups if group]
    return f"pool {pool.name}: {_dollars(plan, pool, plan.cost.pools[pool.name].expected)}; {pool.machine.name}; nodes: {', '.join(nodes)}"


def _dollars(plan: Plan, pool: Pool, usd: float) -> str:
    return "price unknown" if pool.name in plan.cost.unpriced else f"${usd:,.0f}"


def _between(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}-{most}"
