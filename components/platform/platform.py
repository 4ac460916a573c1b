"""Shared components inside the cluster: PriorityClasses, and the enabled ones of driver installer, monitoring, GPU Operator and KEDA.

Only sets the order between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.cluster.connection import ClusterConnection
from components.observability.alertmanager import receiver_secrets
from components.observability.observability import Observability, ObservabilityArgs
from components.platform.autoscaler import Autoscaler, AutoscalerArgs, MetricsServer
from components.platform.driver_installer import DriverInstaller, DriverInstallerArgs
from components.platform.gpu_operator import GpuOperator, GpuOperatorArgs
from components.platform.monitoring import Monitoring, MonitoringArgs
from components.platform.network_logging import network_logging
from components.platform.priorities import priority_classes
from components.secrets import secret
from config.cluster import GkeCluster
from config.settings import Settings
from planning.plan import Plan


@dataclass(frozen=True)
class PlatformArgs:
    settings: Settings
    plan: Plan
    cluster: ClusterConnection


class Platform(pulumi.ComponentResource):
    """The shared components; None for disabled ones."""

    monitoring: Monitoring | None
    gpu_operator: GpuOperator | None
    driver_installer: DriverInstaller | None
    autoscaler: Autoscaler | None
    before_models: list[pulumi.Resource]
    """Resources for `depends_on` of model servers: their pods need them, or they would take room on their nodes later."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:Platform", name, None, opts)
        has_gpus = any(not plan.pool.machine.is_cpu for plan in args.plan.pools.values())
        self.driver_installer = self._driver_installer(args) if has_gpus else None
        self.monitoring = self._monitoring(args)
        self.gpu_operator = self._gpu_operator(args) if has_gpus else None
        inside = pulumi.ResourceOptions(parent=self, deleted_with=args.cluster.anchor)
        network_logging(args.settings.cluster, inside)
        classes = priority_classes(inside)
        scaling = AutoscalerArgs(args.settings, args.cluster.anchor, [*classes, *([self.monitoring] if self.monitoring else [])])
        autoscaled = any(model.autoscaled for model in args.plan.deployed.values())
        self.autoscaler = Autoscaler("autoscaler", scaling, opts=pulumi.ResourceOptions(parent=self)) if autoscaled else None
        if args.settings.platform.metrics_server:
            MetricsServer("metrics-server", scaling, opts=pulumi.ResourceOptions(parent=self))
        self.before_models = [*classes, *(one for one in (self.driver_installer, self.gpu_operator) if one)]
        self.register_outputs({})

    def _driver_installer(self, args: PlatformArgs) -> DriverInstaller | None:
        cluster = args.settings.cluster
        if not isinstance(cluster, GkeCluster) or cluster.gpu_stack != "driver-installer":
            return None
        return DriverInstaller("driver-installer", DriverInstallerArgs(args.cluster.anchor), opts=pulumi.ResourceOptions(parent=self))

    def _monitoring(self, args: PlatformArgs) -> Monitoring | None:
        settings = args.settings
        if not settings.platform.monitoring.enabled:
            return None
        password = secret(settings, "grafanaAdminPassword") if settings.secrets.has("grafanaAdminPassword") else None
        names = receiver_secrets(settings.platform.monitoring.alerting, webhook_token=settings.secrets.has("alertWebhookToken"))
        receivers: dict[str, pulumi.Output[str]] = {name: secret(settings, name) for name in names}
        here = pulumi.ResourceOptions(parent=self)
        arguments = MonitoringArgs(settings, args.plan, password, receivers, args.cluster.anchor)
        monitoring = Monitoring("monitoring", arguments, opts=here)
        Observability("observability", ObservabilityArgs(settings, args.plan, monitoring), opts=here)
        return monitoring

    def _gpu_operator(self, args: PlatformArgs) -> GpuOperator | None:
        if not args.settings.platform.gpu_operator.enabled:
            return None
        after = [self.monitoring] if self.monitoring else []
        return GpuOperator(
            "gpu-operator", GpuOperatorArgs(args.settings, args.cluster.anchor, after), opts=pulumi.ResourceOptions(parent=self)
        )
