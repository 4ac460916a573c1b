"""The stacks of all models, from settings and plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pulumi

from components.cluster.connection import ClusterConnection
from components.gateway.gateway import Gateway
from components.images import model_server_image
from components.observability.stack import model_rules
from components.platform.platform import Platform
from components.secrets import bucket_credentials, secret
from components.serving.colours import Colour
from components.serving.model_stack import ModelStack, ModelStackArgs
from config.settings import Settings, candidate_key
from planning.plan import Plan


def create_models(
    settings: Settings,
    plan: Plan,
    names: Collection[str],
    cluster: ClusterConnection,
    platform: Platform,
    opts: pulumi.ResourceOptions,
) -> dict[str, ModelStack]:
    token = secret(settings, "huggingFaceToken") if settings.secrets.has("huggingFaceToken") else None
    stacks = {}
    for name, model in settings.models.items():
        if name not in names:
            continue
        candidate = candidate_key(name)
        args = ModelStackArgs(
            live=_colour(settings, plan, platform, name),
            candidate=_colour(settings, plan, platform, candidate) if candidate in settings.candidates else None,
            cluster=settings.cluster,
            hugging_face_token=token,
            bucket_credentials=bucket_credentials(settings) if model.weights.source == "s3" else None,
            scrape_interval_seconds=settings.platform.monitoring.scrape_interval_seconds if platform.monitoring else None,
            rules=model_rules(settings, plan, name),
            has_gateway=plan.gateway is not None,
            monitoring=platform.monitoring,
            needed=[*cluster.nodes, *platform.before_models],
            workload_identity=cluster.workload_identity,
        )
        stacks[name] = ModelStack(name, args, opts=opts)
    return stacks


def await_routes(settings: Settings, stacks: Mapping[str, ModelStack], gateway: Gateway) -> None:
    name = awaiting_model(settings)
    if name is not None:
        stacks[name].await_routes(gateway.routes_version, gateway.routes)


def awaiting_model(settings: Settings) -> str | None:
    """The model whose Job awaits the gateway's routes: one of the blue-green models, one with replicas if there is any."""
    changing = [name for name, model in settings.models.items() if model.rollout.strategy == "blue-green"]
    return max(changing, key=lambda name: settings.models[name].scaling.floor, default=None)


def _colour(settings: Settings, plan: Plan, platform: Platform, key: str) -> Colour:
    model, planned = settings.deployed[key], plan.deployed[key]
    return Colour(
        model=model,
        plan=planned,
        image=model_server_image(settings, model, planned.pool.machine),
        autoscaler=platform.autoscaler if planned.autoscaled else None,
        frozen=settings.is_frozen(key),
    )
