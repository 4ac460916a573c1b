"""`platform`: what every model shares. NVIDIA GPU Operator, kube-prometheus-stack, and where charts and images come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.alerting import Alerting
from config.names import ChartSource, Endpoint, ObjectName, Registry
from config.ranges import Cidr
from config.section import Positive, Section

LogFormat = Literal["text", "json"]


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


class Tracing(Section):
    """OpenTelemetry spans of every request, of the gateway and of the model servers. They hold no prompt, no answer and no key."""

    endpoint: Endpoint = Field(description="A collector that takes OTLP over HTTP, without a path: http://<service>.<namespace>.svc:4318.")
    endpoint_range: Cidr | None = Field(
        default=None, description="Addresses of the collector where they are private, so that the NetworkPolicies let pods reach it."
    )
    sampling_percent: float = Field(
        default=10,
        ge=0,
        le=100,
        description="Share of requests that are traced. Of those that carry a trace, only what their client has sampled.",
    )

    @property
    def traces_url(self) -> str:
        """Where spans are sent to."""
        return f"{self.endpoint.rstrip('/')}/v1/traces"


class Platform(Section):
    """What every model shares."""

    gpu_operator: GpuOperator = Field(default=GpuOperator(), description="NVIDIA GPU Operator.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Prometheus, Alertmanager, Grafana.")
    tracing: Tracing | None = Field(default=None, description="Where traces go. Default: there are none.")
    log_format: LogFormat = Field(
        default="text", description="Of the model servers; json: a line of JSON an entry. The gateway's audit log always is JSON."
    )
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
