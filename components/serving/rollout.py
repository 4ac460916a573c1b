"""Deployments of a model's tiers, their rolling updates and PodDisruptionBudgets.

The floor's Deployment sets `replicas`, and Pulumi waits until all are ready. The burst's Deployment leaves `replicas` to an autoscaler or
kubectl, and Pulumi does not wait for it: spot capacity may be unavailable.
"""

from __future__ import annotations

from pulumi_kubernetes.apps.v1 import DeploymentSpecArgsDict
from pulumi_kubernetes.core.v1 import PodTemplateSpecArgsDict
from pulumi_kubernetes.policy.v1 import PodDisruptionBudgetSpecArgsDict

from components.naming import BURST, FLOOR, STAND_IN
from components.serving.pod import Tier, tier_labels
from config.models import Model
from planning.plan import ModelPlan

# Keeps the cluster autoscaler from evicting pods to remove a node: a restarted model is unavailable for minutes.
STAYS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


def tiers(model: Model, plan: ModelPlan) -> list[Tier]:
    """The tiers that can have replicas, the floor first. They are updated in the opposite order."""
    floor = plan.pool.on_demand
    burst = plan.pool.group(model.scaling.burst_capacity)
    found = [Tier(FLOOR, floor, plan.floor_drain, STAYS)] if plan.floor and floor else []
    found += [Tier(BURST, burst, plan.burst_drain, {})] if plan.burst and burst else []
    return found + ([Tier(STAND_IN, floor, plan.floor_drain, {})] if plan.has_stand_ins and floor else [])


def deployment_spec(plan: ModelPlan, tier: Tier, template: PodTemplateSpecArgsDict) -> DeploymentSpecArgsDict:
    burst = tier.name != FLOOR
    spec: DeploymentSpecArgsDict = {
        "selector": {"match_labels": tier_labels(plan, tier.name)},
        "revision_history_limit": 5,
        "progress_deadline_seconds": plan.startup.progress_deadline,
        "strategy": {
            "type": "RollingUpdate",
            "rolling_update": {
                "max_surge": 0 if burst else plan.rollout.max_surge,
                "max_unavailable": 1 if burst else plan.rollout.max_unavailable,
            },
        },
        "template": template,
    }
    if not burst:
        spec["replicas"] = plan.floor
    return spec


def disruption_budget_spec(plan: ModelPlan, tier: Tier) -> PodDisruptionBudgetSpecArgsDict:
    """One replica at a time may be evicted; replicas that are not ready do not block a drain."""
    return {
        "max_unavailable": 1,
        "unhealthy_pod_eviction_policy": "AlwaysAllow",
        "selector": {"match_labels": tier_labels(plan, tier.name)},
    }
