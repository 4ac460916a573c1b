"""Which parts a stack has: a dashboard shows only what can have data."""

from __future__ import annotations

from dataclasses import dataclass

from components.observability import money
from config.settings import Settings
from planning.plan import Plan


@dataclass(frozen=True)
class Parts:
    gateway: bool
    tls: bool
    """The gateway has a certificate."""
    gpus: bool
    """There are some, and an exporter that tells of them."""
    prices: bool
    """At least one pool's."""
    budget: bool
    speed: bool
    """The plan says how fast at least one model is."""


def parts_of(settings: Settings, plan: Plan) -> Parts:
    prices = bool(money.groups(plan.pools, plan.cost, settings.budget.monthly_usd))
    return Parts(
        gateway=plan.gateway is not None,
        tls=plan.gateway is not None and plan.gateway.settings.tls is not None,
        gpus=settings.platform.gpu_operator.enabled and any(not pool.pool.machine.is_cpu for pool in plan.pools.values()),
        prices=prices,
        budget=prices and settings.budget.monthly_usd is not None,
        speed=any(model.capacity.speed for model in plan.models.values()),
    )
