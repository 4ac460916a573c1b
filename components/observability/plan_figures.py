"""The plan's figures of a model as series, so that rules and dashboards can hold against them what runs."""

from __future__ import annotations

from components.observability.rules import Group, Recording
from planning.plan import ModelPlan

CARRIES = ("model", "pool")


def plan_figures(plan: ModelPlan) -> Group:
    """One series a figure: a model that comes or goes changes no rule of others."""
    capacity, speed = plan.capacity, plan.capacity.speed
    figures: dict[str, float | None] = {
        "model:floor_replicas:plan": plan.floor,
        "model:ceiling_replicas:plan": plan.floor + plan.burst,
        "model:node_share:plan": plan.shape.slots / plan.pool.machine.slots,
        "model:requests_in_flight:plan": capacity.target_in_flight,
        "model:startup_seconds:plan": plan.startup.expected,
        "model:startup_limit_seconds:plan": plan.startup.progress_deadline,
        "model:generation_tokens_per_replica:plan": speed.served.output_tokens_per_second if speed else None,
        "model:time_to_first_token_seconds:plan": speed.served.ttft if speed else None,
        "model:time_per_output_token_seconds:plan": speed.served.tpot if speed else None,
    }
    labels = {"model": plan.key, "pool": plan.pool.name}
    rules = [Recording(record, f"vector({value:.6g})", CARRIES, labels) for record, value in figures.items() if value is not None]
    return Group(f"plan-{plan.key}", rules)
