"""`platform`: NVIDIA GPU Operator, kube-prometheus-stack, and the sources of charts and images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.alerting import Alerting
from config.names import ChartSource, Endpoint, ObjectName, Registry
from config.ranges import Cidr
from config.section import Positive, Section

LogFormat = Literal["text", "json"]


class GpuOperator(Section):
    """NVIDIA GPU Operator; with GKE's own driver it still provides DCGM metrics and node feature labels."""

    enabled: bool = Field(default=True, description="Install it.")
    pod_quota: int = Field(
        default=1000,
        ge=10,
        le=1_000_000,
        description="Critical-priority pods that the operator's namespace may run: GPU nodes times operands.",
    )


class Monitoring(Section):
    """kube-prometheus-stack: Prometheus, Alertmanager and Grafana."""

    enabled: bool = Field(default=True, description="Install it, and create a PodMonitor for every model.")
    retention_days: Positive = Field(default=15, description="How long Prometheus keeps samples.")
    storage_gib: int = Field(default=50, ge=5, le=65536, description="Size of Prometheus's volume.")
    storage_class: ObjectName | None = Field(
        default=None, description="StorageClass of the volumes. Default: premium-rwo on GKE, else the cluster's default."
    )
    scrape_control_plane: bool = Field(
        default=False,
        description="Scrape and alert on etcd, scheduler, controller manager and kube-proxy. For clusters of provider existing whose pods "
        "can reach them; managed clusters and kind hide them.",
    )
    scrape_interval_seconds: int = Field(
        default=15, ge=5, le=120, description="Prometheus's scrape interval. Autoscaling needs 15 or less."
    )
    alerting: Alerting = Field(default=Alerting(), description="Receivers of alerts.")


class Autoscaler(Section):
    """KEDA, which scales the burst of every model by what Prometheus says. docs/autoscale-a-model.md"""

    enabled: bool = Field(
        default=True,
        description="Install it where a model has a burst and monitoring is on. Set false where the cluster has a KEDA, or another "
        "owner of external.metrics.k8s.io: bursts are then scaled by hand.",
    )


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
    """Components and sources that all models share."""

    gpu_operator: GpuOperator = Field(default=GpuOperator(), description="NVIDIA GPU Operator.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Prometheus, Alertmanager, Grafana.")
    autoscaler: Autoscaler = Field(default=Autoscaler(), description="KEDA.")
    metrics_server: bool = Field(
        default=False,
        description="Install metrics-server, which CPU and memory triggers and the gateway's autoscaler ask. For clusters of provider "
        "existing that lack it; GKE brings its own.",
    )
    tracing: Tracing | None = Field(default=None, description="Where traces go. Default: there are none.")
    log_format: LogFormat = Field(
        default="text", description="Of the model servers; json: a line of JSON an entry. The gateway's audit log always is JSON."
    )
    chart_mirror: ChartSource | None = Field(
        default=None,
        description="Source of all Helm charts instead of their own repositories: oci://..., https://..., or a folder of .tgz files.",
    )
    image_mirror: Registry | None = Field(
        default=None,
        description="Registry prefix that replaces each image's registry; "
        "or `artifact-registry`, which creates pull-through repositories on GKE.",
    )
    require_pinned_revisions: bool = Field(
        default=True,
        description="Refuse a model whose weights are not pinned to a commit. Set false only where changed weights do no harm.",
    )
