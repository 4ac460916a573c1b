"""All rules of a stack: those that every model shares, and those of one model.

A model's own are few and stand in its own namespace, so that adding one changes nothing of the others.
"""

from __future__ import annotations

from typing import Any

from components.observability import capacity, money, reconciliation, scaling, slo, spending, traffic
from components.observability.alerts import budget, gateway, gpus, models, prometheus
from components.observability.alerts import scaling as scaling_alerts
from components.observability.plan_figures import plan_figures
from components.observability.rules import Alert, Group, prometheus_rule_spec
from config.settings import Settings, candidate_key
from planning.plan import Plan


def shared_rules(settings: Settings, plan: Plan) -> dict[str, Any]:
    """`spec` of the PrometheusRule that all models share."""
    return prometheus_rule_spec(shared_groups(settings, plan), settings.platform.monitoring.alerting.runbooks_url)


def model_rules(settings: Settings, plan: Plan, model: str) -> dict[str, Any]:
    """`spec` of a model's own PrometheusRule."""
    return prometheus_rule_spec(model_groups(settings, plan, model), settings.platform.monitoring.alerting.runbooks_url)


def shared_groups(settings: Settings, plan: Plan) -> list[Group]:
    has_gateway = plan.gateway is not None
    return [
        traffic.model_traffic(),
        traffic.model_errors(gateway=has_gateway),
        *([traffic.gateway_traffic()] if has_gateway else []),
        *capacity.groups(plan.pools, plan.candidates.values(), gpus=has_gpu_exporter(settings, plan)),
        slo.error_budgets(),
        *spending.burst_budgets(settings, plan),
        *money.groups(plan.pools, plan.cost, settings.budget.monthly_usd),
        reconciliation.reconciliation(
            priced=money.is_priced(plan.pools, plan.cost), timed=any(one.capacity.speed for one in plan.deployed.values())
        ),
        *_alerts(settings, plan),
    ]


def has_gpu_exporter(settings: Settings, plan: Plan) -> bool:
    """Whether the GPU Operator's DCGM exporter says something of GPUs."""
    return settings.platform.gpu_operator.enabled and capacity.has_gpus(plan.pools)


def _alerts(settings: Settings, plan: Plan) -> list[Group]:
    """Only those that can fire: no alert on GPUs without a GPU."""
    priced = settings.budget.monthly_usd is not None and money.is_priced(plan.pools, plan.cost)
    certificate = settings.gateway is not None and settings.gateway.tls is not None
    alerts = {
        "models": [*models.serving(), *models.load(), *models.pods()],
        "estimates": reconciliation.estimates(),
        "gpus": gpus.gpus() if has_gpu_exporter(settings, plan) else [],
        "spot": gpus.spot() if any(one.pool.spot for one in plan.pools.values()) else [],
        "scaling": _scaling_alerts(plan),
        "gateway": [*(gateway.gateway() if plan.gateway else []), *(gateway.certificates() if certificate else [])],
        "client-budgets": _client_budgets(plan),
        "budget": budget.budget() if priced else [],
        "monitoring": prometheus.monitoring(),
    }
    return [Group(f"alerts-{name}", rules) for name, rules in alerts.items() if rules]


def _scaling_alerts(plan: Plan) -> list[Alert]:
    if not any(model.autoscaled for model in plan.deployed.values()):
        return []
    spot = any(one.pool.spot for one in plan.pools.values())
    return scaling_alerts.scaling(spot=spot, hourly_budget=any(spending.is_limited(plan, model) for model in plan.deployed))


def _client_budgets(plan: Plan) -> list[Alert]:
    if plan.gateway is None or not plan.gateway.budgets:
        return []
    return gateway.client_budgets(requests_pass=plan.gateway.settings.budgets.when_unavailable == "allow")


def model_groups(settings: Settings, plan: Plan, model: str) -> list[Group]:
    """Figures and scaling of each colour, and the objectives of both together."""
    groups = []
    for key in [model, *([candidate_key(model)] if model in plan.candidates else [])]:
        own, planned = settings.deployed[key], plan.deployed[key]
        groups += [plan_figures(planned), reconciliation.model_claims(own, planned), *_scaling(settings, plan, key)]
    waking = plan.models[model].startup.progress_deadline if settings.models[model].scaling.scale_to_zero else None
    candidate, has_gateway = plan.candidates.get(model), plan.gateway is not None
    levels = slo.model_service_levels(model, settings.models[model], gateway=has_gateway, waking_seconds=waking, candidate=candidate)
    return [*groups[:2], levels, *groups[2:]]


def _scaling(settings: Settings, plan: Plan, model: str) -> list[Group]:
    if not plan.deployed[model].autoscaled:
        return []
    own = settings.deployed[model].scaling
    return [
        scaling.model_scaling(
            plan.deployed[model],
            gateway=plan.gateway is not None,
            gpu_percent=own.triggers.gpu_percent,
            budget=spending.is_limited(plan, model),
            sleep_after=own.sleep_after_seconds if own.scale_to_zero else None,
            two_colours=plan.deployed[model].name in plan.candidates,
        )
    ]
