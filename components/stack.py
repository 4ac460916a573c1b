"""Everything of a stack, wired together: for this project's program and for programs of others, which add resources of their own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pulumi

from components.cluster.connection import ClusterConnection, create_cluster
from components.gateway.gateway import Gateway, create_gateway
from components.platform.platform import Platform, PlatformArgs
from components.serving.model_stack import ModelStack
from components.serving.models import await_routes, create_models
from config.settings import Settings
from planning.plan import Plan


@dataclass(frozen=True)
class Stack:
    plan: Plan
    cluster: ClusterConnection
    platform: Platform
    models: dict[str, ModelStack]
    gateway: Gateway | None
    """None without `gateway`."""


def create_stack(settings: Settings, plan: Plan) -> Stack:
    _warn(plan)
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


def _warn(plan: Plan) -> None:
    """One message: the CLI repeats the first line of each while it runs, and each whole at the end."""
    if plan.warnings:
        pulumi.log.warn("\n".join([f"the plan warns ({len(plan.warnings)}):", *(f"  {warning}" for warning in plan.warnings)]))
