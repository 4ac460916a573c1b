"""All rules of a stack: those that every model shares, and those of one model.

A model's own are few and stand in its own namespace, so that adding one changes nothing of the others.
"""

from __future__ import annotations

from typing import Any

from components.observability import capacity, money, traffic
from components.observability.plan_figures import plan_figures
from components.observability.rules import Group, prometheus_rule_spec
from config.settings import Settings
from planning.plan import Plan

RUNBOOKS = "docs/runbooks"


def shared_rules(settings: Settings, plan: Plan) -> dict[str, Any]:
    """`spec` of the PrometheusRule that all models share."""
    return prometheus_rule_spec(shared_groups(settings, plan), RUNBOOKS)


def model_rules(settings: Settings, plan: Plan, model: str) -> dict[str, Any]:
    """`spec` of a model's own PrometheusRule."""
    return prometheus_rule_spec(model_groups(settings, plan, model), RUNBOOKS)


def shared_groups(settings: Settings, plan: Plan) -> list[Group]:
    gateway = plan.gateway is not None
    return [
        traffic.model_traffic(),
        traffic.model_errors(gateway=gateway),
        *([traffic.gateway_traffic()] if gateway else []),
        *capacity.groups(plan.pools),
        *money.groups(plan.pools, plan.cost, settings.budget.monthly_usd),
    ]


def model_groups(settings: Settings, plan: Plan, model: str) -> list[Group]:
    return [plan_figures(plan.models[model])]
