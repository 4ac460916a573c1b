"""The Pulumi program: reads the stack's settings, plans them, and creates the resources."""

import gc

gc.set_threshold(1_000_000)  # the SDKs define so many classes that garbage collection takes most of their import time

# ruff: noqa: E402
import pulumi

from components.cluster.connection import create_cluster
from components.gateway.gateway import create_gateway
from components.images import model_server_image
from components.observability.stack import model_rules
from components.outputs import export_outputs
from components.platform.platform import Platform, PlatformArgs
from components.secrets import bucket_credentials, secret
from components.serving.model_stack import ModelStack, ModelStackArgs
from config.errors import StackError
from config.stack_config import load_settings
from planning.plan import make_plan


def main() -> None:
    settings = load_settings()
    plan = make_plan(settings)
    if plan.warnings:
        # One message: the CLI repeats the first line of each while it runs, and each whole at the end.
        pulumi.log.warn("\n".join([f"the plan warns ({len(plan.warnings)}):", *(f"  {warning}" for warning in plan.warnings)]))

    cluster = create_cluster(settings, plan.pools, plan.node_changes)
    inside = pulumi.ResourceOptions(provider=cluster.provider)
    platform = Platform("platform", PlatformArgs(settings, plan, cluster), opts=inside)

    token = secret(settings, "huggingFaceToken") if settings.secrets.has("huggingFaceToken") else None
    stacks = {}
    for name, model in settings.models.items():
        args = ModelStackArgs(
            model=model,
            plan=plan.models[name],
            cluster=settings.cluster,
            image=model_server_image(settings, model, plan.models[name].pool.machine),
            hugging_face_token=token,
            bucket_credentials=bucket_credentials(settings) if model.weights.source == "s3" else None,
            scrape_interval_seconds=settings.platform.monitoring.scrape_interval_seconds if platform.monitoring else None,
            rules=model_rules(settings, plan, name),
            monitoring=platform.monitoring,
            autoscaler=platform.autoscaler if plan.models[name].autoscaled else None,
            needed=[*cluster.nodes, *platform.before_models],
            workload_identity=cluster.workload_identity,
        )
        stacks[name] = ModelStack(name, args, opts=inside)

    gateway = create_gateway(settings, plan.gateway, platform.monitoring, inside)
    export_outputs(plan, cluster, platform.monitoring, stacks, gateway)


try:
    main()
except StackError as error:
    raise pulumi.RunError(str(error)) from None
