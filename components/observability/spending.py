"""Recording rules that share budget.hourlyUsd among the bursts: by priority, each model gets what those before it leave."""

from __future__ import annotations

from components.observability.rules import Group, Recording, joined
from config.settings import Settings
from planning.plan import Plan

_MODEL = ("model",)
_HELD = "1h"


def is_limited(plan: Plan, model: str) -> bool:
    """Whether the hourly budget limits the model's burst."""
    return plan.bursts.usd_per_hour is not None and model in plan.bursts.replica_usd_per_hour and plan.deployed[model].autoscaled


def burst_budgets(settings: Settings, plan: Plan) -> list[Group]:
    """Floors are no part of it: what they cost is taken off first. What costs nothing known is not limited."""
    limited = [name for name in plan.deployed if is_limited(plan, name)]
    if not limited:
        return []
    limited.sort(key=lambda name: -settings.deployed[name].scaling.priority)
    rules: list[Recording] = []
    left = f"vector({plan.bursts.usd_per_hour:.6g})"
    for name in limited:
        price, burst = plan.bursts.replica_usd_per_hour[name], plan.deployed[name].burst
        own, model = f'{{model="{name}"}}', {"model": name}
        before, paid = f"max(model:budget_left:usd_per_hour{own})", f"max(model:burst_replicas:budget{own})"
        wanted = f"(max(last_over_time(model:burst_replicas:wanted{own}[{_HELD}])) or vector(0))"
        rules.append(Recording("model:budget_left:usd_per_hour", left, _MODEL, model))
        rules.append(Recording("model:burst_replicas:budget", f"clamp(floor({before} / {price:.6g} + 1e-9), 0, {burst})", _MODEL, model))
        left = joined(f"{before} - {price:.6g} * ({wanted} < {paid} or {paid})")
    return [Group("scaling-budget", rules, interval="15s")]
