"""Which parts a stack has: a dashboard shows only what can have data."""

from __future__ import annotations

from dataclasses import dataclass

from components.observability import money, spending
from components.observability.stack import has_gpu_exporter
from config.settings import Settings
from planning.plan import Plan


@dataclass(frozen=True)
class Parts:
    gateway: bool
    tls: bool
    """The gateway has a certificate."""
    client_budgets: bool
    """At least one client has a budget, so that there is a rate limit service."""
    gpus: bool
    """There are some, and an exporter that tells of them."""
    prices: bool
    """At least one pool's."""
    budget: bool
    autoscaled: bool
    """At least one model."""
    hourly_budget: bool
    """It limits at least one burst."""
    spot: bool
    runbooks: str
    """Where their folder is."""
    speed: bool
    """The plan says how fast at least one model is."""


def parts_of(settings: Settings, plan: Plan) -> Parts:
    prices = money.is_priced(plan.pools, plan.cost)
    return Parts(
        gateway=plan.gateway is not None,
        tls=plan.gateway is not None and plan.gateway.settings.tls is not None,
        client_budgets=plan.gateway is not None and bool(plan.gateway.budgets),
        gpus=has_gpu_exporter(settings, plan),
        prices=prices,
        budget=prices and settings.budget.monthly_usd is not None,
        autoscaled=any(model.autoscaled for model in plan.deployed.values()),
        hourly_budget=any(spending.is_limited(plan, model) for model in plan.deployed),
        spot=any(one.pool.spot for one in plan.pools.values()),
        runbooks=settings.platform.monitoring.alerting.runbooks_url.rstrip("/"),
        speed=any(model.capacity.speed for model in plan.deployed.values()),
    )
