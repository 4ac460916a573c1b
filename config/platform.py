"""`platform`: what every model shares. NVIDIA GPU Operator, kube-prometheus-stack, and where charts and images come from."""

from __future__ import annotations

from pydantic import Field

from config.alerting import Alerting
from config.names import ChartSource, ObjectName, Registry
from config.section import Positive, Section


class GpuOperator(Section):
    """NVIDIA GPU Operator; on GKE's own driver it still brings DCGM metrics and node feature labels."""

    enabled: bool = Field(default=True, description="Install it.")
    pod_quota: int = Field(
        default=1000,
        ge=10,
        le=1_000_000,
        description="Pods of the critical priority classes that its namespace may run: nodes times operands.",
    )


class Monitoring(Section):
    """kube-prometheus-stack: Prometheus, Alertmanager and Grafana."""

    enabled: bool = Field(default=True, description="Install it, and create a PodMonitor for every model.")
    retention_days: Positive = Field(default=15, description="How long Prometheus keeps samples.")
    storage_gib: int = Field(default=50, ge=5, le=65536, description="Volume of Prometheus.")
    storage_class: ObjectName | None = Field(
        default=None, description="StorageClass of the volumes. Default: premium-rwo on GKE, else the cluster's default."
    )
    scrape_interval_seconds: int = Field(default=15, ge=5, le=120, description="Autoscaling wants 15 or less.")
    alerting: Alerting = Field(default=Alerting(), description="Who is told of an alert.")


class Platform(Section):
    """What every model shares."""

    gpu_operator: GpuOperator = Field(default=GpuOperator(), description="NVIDIA GPU Operator.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Prometheus, Alertmanager, Grafana.")
    chart_mirror: ChartSource | None = Field(
        default=None,
        description="Where every Helm chart comes from instead of its own repository: oci://..., https://..., or a folder of .tgz files.",
    )
    image_mirror: Registry | None = Field(
        default=None,
        description="Registry prefix that replaces each image's registry; "
        "or `artifact-registry`, which creates pull-through repositories on GKE.",
    )
    require_pinned_revisions: bool = Field(
        default=True,
        description="Refuse a model whose weights are not pinned to a commit. Only where nothing is lost when they change: false.",
    )
