"""Deployments of a model's tiers, and what keeps them available while they change.

The floor's Deployment owns its number of replicas and Pulumi waits until all are ready. The burst's leaves `replicas` to whoever
scales it, and Pulumi does not wait: spot capacity may not be there today.
"""

from __future__ import annotations

from typing import Any

from components.serving.pod import Tier, tier_labels
from config.models import Model
from planning.plan import ModelPlan

FLOOR, BURST = "floor", "burst"
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


def tiers(model: Model, plan: ModelPlan) -> list[Tier]:
    """The tiers that can have a replica."""
    floor = plan.pool.on_demand
    burst = plan.pool.group(model.scaling.burst)
    found = [Tier(FLOOR, floor, plan.floor_drain)] if plan.floor and floor else []
    return found + ([Tier(BURST, burst, plan.burst_drain)] if plan.burst and burst else [])


def deployment_spec(plan: ModelPlan, tier: Tier, template: dict[str, Any]) -> dict[str, Any]:
    spec = {
        "selector": {"match_labels": tier_labels(plan.name, tier.name)},
        "revision_history_limit": 5,
        "progress_deadline_seconds": plan.startup.progress_deadline,
        "template": template,
    }
    if tier.name == BURST:
        return spec | {"strategy": {"type": "RollingUpdate", "rolling_update": {"max_surge": 0, "max_unavailable": 1}}}
    rollout = {"max_surge": plan.rollout.max_surge, "max_unavailable": plan.rollout.max_unavailable}
    return spec | {"replicas": plan.floor, "strategy": {"type": "RollingUpdate", "rolling_update": rollout}}


def disruption_budget_spec(plan: ModelPlan, tier: Tier) -> dict[str, Any]:
    """One replica at a time may be evicted; one that was never ready must not hold up a drain."""
    return {
        "max_unavailable": 1,
        "unhealthy_pod_eviction_policy": "AlwaysAllow",
        "selector": {"match_labels": tier_labels(plan.name, tier.name)},
    }
