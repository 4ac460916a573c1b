"""The Pulumi program: reads the stack's settings, plans them, and creates the resources."""

import gc

gc.set_threshold(1_000_000)  # the SDKs define so many classes that garbage collection takes most of their import time

# ruff: noqa: E402
import pulumi

from components.cluster.connection import create_cluster
from components.gateway.gateway import create_gateway
from components.outputs import export_outputs
from components.platform.platform import Platform, PlatformArgs
from components.serving.models import await_routes, create_models
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

    stacks = create_models(settings, plan, cluster, platform, inside)
    passed = [job for stack in stacks.values() for job in stack.passed]
    gateway = create_gateway(settings, plan, platform.monitoring, passed, inside)
    if gateway is not None:
        await_routes(settings, stacks, gateway)
    export_outputs(plan, cluster, platform.monitoring, stacks, gateway)


try:
    main()
except StackError as error:
    raise pulumi.RunError(str(error)) from None
