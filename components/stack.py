"""Everything of a stack, wired together: for this project's program and for programs of others, which add resources of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pulumi

from components.cluster.connection import ClusterConnection, create_cluster
from components.gateway.gateway import Gateway, create_gateway
from components.platform.platform import Platform, PlatformArgs
from components.serving.model_stack import ModelStack
from components.serving.models import await_routes, create_models
from config.settings import Settings
from planning.plan import Plan
from planning.summary import summary


@dataclass(frozen=True)
class Stack:
    plan: Plan
    cluster: ClusterConnection
    platform: Platform
    models: dict[str, ModelStack]
    gateway: Gateway | None
    """None without `gateway`."""


def create_stack(settings: Settings, plan: Plan) -> Stack:
    _say(settings, plan)
    cluster = create_cluster(settings, plan.pools, plan.node_changes)
    return create_on_cluster(settings, plan, cluster, settings.models)


def create_on_cluster(settings: Settings, plan: Plan, cluster: ClusterConnection, names: Collection[str]) -> Stack:
    """All but the cluster. `names`: the models whose own resources are made; what models share is made for all of them."""
    inside = pulumi.ResourceOptions(provider=cluster.provider)
    platform = Platform("platform", PlatformArgs(settings, plan, cluster), opts=inside)

    models = create_models(settings, plan, names, cluster, platform, inside)
    passed = [job for model in models.values() for job in model.passed]
    gateway = create_gateway(settings, plan, platform.monitoring, passed, inside)
    if gateway is not None:
        await_routes(settings, models, gateway)
    return Stack(plan, cluster, platform, models, gateway)


def _say(settings: Settings, plan: Plan) -> None:
    """What the plan warns of, and in a preview what it plans."""
    if pulumi.runtime.is_dry_run():
        _warn("the plan, in US dollars a month", summary(plan, settings.budget.monthly_usd))
    if plan.warnings:
        _warn(f"the plan warns ({len(plan.warnings)})", map(str, plan.warnings))


def _warn(heading: str, lines: Iterable[str]) -> None:
    """One message: the CLI repeats the first line of each while it runs, and each whole at the end."""
    pulumi.log.warn("\n".join([f"{heading}:", *(f"  {line}" for line in lines)]))
