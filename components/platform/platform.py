"""What every model shares inside the cluster: priority classes, and the driver installer, monitoring and GPU Operator that the stack wants.

Owns the order between them and nothing else. What one model needs is `serving`; what is outside the cluster is `cluster`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.cluster.connection import ClusterConnection
from components.observability.alertmanager import receiver_secrets
from components.observability.observability import Observability, ObservabilityArgs
from components.platform.driver_installer import DriverInstaller, DriverInstallerArgs
from components.platform.gpu_operator import GpuOperator, GpuOperatorArgs
from components.platform.monitoring import Monitoring, MonitoringArgs
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
    """The shared parts; None for what the stack leaves out."""

    monitoring: Monitoring | None
    gpu_operator: GpuOperator | None
    driver_installer: DriverInstaller | None
    before_models: list[pulumi.Resource]
    """What a model server's pods need, or what would take room on their nodes after them."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:Platform", name, None, opts)
        has_gpus = any(not plan.pool.machine.is_cpu for plan in args.plan.pools.values())
        self.driver_installer = self._driver_installer(args) if has_gpus else None
        self.monitoring = self._monitoring(args)
        self.gpu_operator = self._gpu_operator(args) if has_gpus else None
        classes = priority_classes(pulumi.ResourceOptions(parent=self, deleted_with=args.cluster.anchor))
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
