"""KEDA's ScaledObjects of a model: its burst Deployment follows the count that Prometheus' recording rules wish for.

The floor's Deployment has none. KEDA makes a HorizontalPodAutoscaler of each, which computes ceil(count / 1) replicas: the rules
(components/observability/scaling.py) have done the arithmetic.
"""

from __future__ import annotations

from typing import Any

from components.naming import BURST, PROMETHEUS_URL, STAND_IN
from config.models import Model
from planning.plan import ModelPlan
from planning.scaling import BEHAVIOUR, Behaviour

POLL_SECONDS = 15
# Polls that fail before KEDA says a number itself: as many as bridge a restart of Prometheus.
FAILURES = 3
_TIERS = {BURST: "model:burst_replicas:desired", STAND_IN: "model:stand_ins:desired"}


def scaled_object_spec(model: Model, plan: ModelPlan, tier: str) -> dict[str, Any]:
    """`spec` of the ScaledObject of a burst tier."""
    least = 0 if plan.floor or tier == STAND_IN or model.scaling.scale_to_zero else 1
    schedule = [_hours(one.start, one.end, one.time_zone, one.replicas - plan.floor) for one in model.scaling.schedule]
    return {
        "scaleTargetRef": {"name": f"{plan.replicas_name}-{tier}"},
        "pollingInterval": POLL_SECONDS,
        "cooldownPeriod": BEHAVIOUR.down_window,
        "minReplicaCount": least,
        "maxReplicaCount": plan.burst,
        # Not 0: with that KEDA 2.21 takes the last replica away when the query fails (scale_scaledobjects.go, RequestScale).
        "fallback": {"failureThreshold": FAILURES, "replicas": 1, "behavior": "currentReplicasIfHigher"},
        "advanced": {"horizontalPodAutoscalerConfig": {"name": f"{plan.replicas_name}-{tier}", "behavior": _behavior(BEHAVIOUR)}},
        "triggers": [_wish(plan.key, tier), *(_utilization(model) + schedule if tier == BURST else [])],
    }


def _wish(model: str, tier: str) -> dict[str, Any]:
    """An AverageValue of 1: the count itself, whereas Value would multiply it by the replicas that there are."""
    return {
        "type": "prometheus",
        "name": "wanted",
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": PROMETHEUS_URL,
            "query": f'max({_TIERS[tier]}{{model="{model}"}})',
            "threshold": "1",
            # An empty answer is an error, which holds the replicas; by default it would be 0 replicas.
            "ignoreNullValues": "false",
        },
    }


def _hours(start: str, end: str, time_zone: str, replicas: int) -> dict[str, Any]:
    return {"type": "cron", "metadata": {"timezone": time_zone, "start": start, "end": end, "desiredReplicas": str(replicas)}}


def _utilization(model: Model) -> list[dict[str, Any]]:
    given = {"cpu": model.scaling.triggers.cpu_percent, "memory": model.scaling.triggers.memory_percent}
    return [
        {"type": resource, "metricType": "Utilization", "metadata": {"value": str(percent), "containerName": "vllm"}}
        for resource, percent in given.items()
        if percent is not None
    ]


def _behavior(behaviour: Behaviour) -> dict[str, Any]:
    """Without a tolerance of 0 an 11th replica would never come: 10 % is the HPA's own."""
    tolerance = f"{behaviour.tolerance:g}"
    up = [("Percent", behaviour.up_percent), ("Pods", behaviour.up_pods)]
    down = [("Percent", behaviour.down_percent), ("Pods", behaviour.down_pods)]
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": behaviour.up_window,
            "selectPolicy": "Max",
            "policies": _policies(up, behaviour.up_period),
            "tolerance": tolerance,
        },
        "scaleDown": {
            "stabilizationWindowSeconds": behaviour.down_window,
            "selectPolicy": "Max",
            "policies": _policies(down, behaviour.down_period),
            "tolerance": tolerance,
        },
    }


def _policies(limits: list[tuple[str, int]], period: int) -> list[dict[str, Any]]:
    return [{"type": kind, "value": value, "periodSeconds": period} for kind, value in limits if value]
