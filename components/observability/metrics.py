"""Every metric that a rule, an alert, a dashboard or a scaler may name, with the labels that it carries once Prometheus has scraped it.

A name that is not here, or a label that a metric does not carry, fails the tests: public dashboards are full of metrics that no longer
exist. What recording rules make is in the modules beside this one; `catalogue()` has both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from components.naming import discovered
from components.observability.rules import Recording

Kind = Literal["counter", "gauge", "histogram"]


class Source(StrEnum):
    """Who exposes a metric."""

    VLLM = "vLLM"
    DCGM = "DCGM exporter"
    ENVOY = "Envoy"
    KUBE_STATE_METRICS = "kube-state-metrics"
    KUBELET = "kubelet"
    PROMETHEUS = "Prometheus"
    ALERTMANAGER = "Alertmanager"
    KEDA = "KEDA"
    OURS = "recording rules"


@dataclass(frozen=True)
class Metric:
    """`name` as it is exposed; a histogram's series have `_bucket`, `_sum` and `_count` behind it."""

    name: str
    kind: Kind
    labels: frozenset[str]
    source: Source

    @property
    def series(self) -> dict[str, frozenset[str]]:
        """Names that a query may select, with their labels."""
        if self.kind != "histogram":
            return {self.name: self.labels}
        return {f"{self.name}_bucket": self.labels | {"le"}, f"{self.name}_sum": self.labels, f"{self.name}_count": self.labels}


# What Prometheus adds to every series of a pod that a monitor has found.
_TARGET = "namespace pod container endpoint instance job"
# Labels of the pod that the models' PodMonitors copy: components/serving/model_stack.py.
_MODEL = f"{_TARGET} model tier model_name engine"
# /metrics of vLLM 0.33; tests/data/vllm_metrics.json is a real one.
_VLLM: Mapping[str, tuple[Kind, str]] = {
    "vllm:num_requests_running": ("gauge", ""),
    "vllm:num_requests_waiting": ("gauge", ""),
    "vllm:num_requests_waiting_by_reason": ("gauge", "reason"),
    "vllm:kv_cache_usage_perc": ("gauge", ""),
    "vllm:prefix_cache_queries_total": ("counter", ""),
    "vllm:prefix_cache_hits_total": ("counter", ""),
    "vllm:num_preemptions_total": ("counter", ""),
    "vllm:prompt_tokens_total": ("counter", ""),
    "vllm:generation_tokens_total": ("counter", ""),
    "vllm:request_success_total": ("counter", "finished_reason"),
    "vllm:request_prompt_tokens": ("histogram", ""),
    "vllm:iteration_tokens_total": ("histogram", ""),
    "vllm:request_generation_tokens": ("histogram", ""),
    "vllm:time_to_first_token_seconds": ("histogram", ""),
    "vllm:inter_token_latency_seconds": ("histogram", ""),
    "vllm:request_time_per_output_token_seconds": ("histogram", ""),
    "vllm:e2e_request_latency_seconds": ("histogram", ""),
    "vllm:request_queue_time_seconds": ("histogram", ""),
    "vllm:request_prefill_time_seconds": ("histogram", ""),
    "vllm:request_decode_time_seconds": ("histogram", ""),
}
# Those that do not say which engine they are of, or which model.
_VLLM_PROCESS: Mapping[str, tuple[Kind, str]] = {
    "vllm:admission_rejections_total": ("counter", "model_name reason"),
    "http_requests_total": ("counter", "handler method status"),
    "vllm:cache_config_info": (
        "gauge",
        "engine block_size cache_dtype enable_prefix_caching kv_cache_max_concurrency kv_cache_size_tokens num_gpu_blocks",
    ),
}
# Default counters of the DCGM exporter 4 (etc/default-counters.csv). `honorLabels` is on: namespace, pod and container are those of the
# pod that has the GPU, and the exporter's own where none has.
_DCGM = f"{_TARGET} gpu UUID pci_bus_id device modelName Hostname DCGM_FI_DRIVER_VERSION"
_DCGM_GAUGES = (
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_MEMORY_TEMP",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_XID_ERRORS",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_PROF_DRAM_ACTIVE",
)
_DCGM_COUNTERS = ("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS")
# /stats/prometheus of Envoy 1.40 with the gateway's configuration; the first three are its own (components/gateway/envoy/usage.py).
_ENVOY: Mapping[str, tuple[Kind, str]] = {
    "envoy_gateway_requests_total": ("counter", "client model colour status"),
    "envoy_gateway_prompt_tokens_total": ("counter", "client model colour"),
    "envoy_gateway_completion_tokens_total": ("counter", "client model colour"),
    "envoy_cluster_membership_healthy": ("gauge", "envoy_cluster_name"),
    "envoy_cluster_membership_total": ("gauge", "envoy_cluster_name"),
    # Counted when a request is sent on, and when its bytes are: what arrives, not what was answered.
    "envoy_cluster_upstream_rq_total": ("counter", "envoy_cluster_name"),
    "envoy_cluster_upstream_cx_tx_bytes_total": ("counter", "envoy_cluster_name"),
    "envoy_cluster_upstream_rq_active": ("gauge", "envoy_cluster_name"),
    "envoy_cluster_upstream_rq_retry": ("counter", "envoy_cluster_name"),
    "envoy_cluster_upstream_rq_pending_overflow": ("counter", "envoy_cluster_name"),
    "envoy_cluster_upstream_cx_none_healthy": ("counter", "envoy_cluster_name"),
    "envoy_cluster_outlier_detection_ejections_active": ("gauge", "envoy_cluster_name"),
    "envoy_cluster_ratelimit_error": ("counter", "envoy_cluster_name"),
    "envoy_http_downstream_rq_active": ("gauge", "envoy_http_conn_manager_prefix"),
    "envoy_http_downstream_rq_xx": ("counter", "envoy_http_conn_manager_prefix envoy_response_code_class"),
    "envoy_http_downstream_cx_active": ("gauge", "envoy_http_conn_manager_prefix"),
    "envoy_http_downstream_rq_time": ("histogram", "envoy_http_conn_manager_prefix"),
    "envoy_server_days_until_first_cert_expiring": ("gauge", ""),
    "envoy_server_memory_heap_size": ("gauge", ""),
    "envoy_server_live": ("gauge", ""),
    "envoy_overload_envoy_resource_monitors_fixed_heap_pressure": ("gauge", ""),
    "envoy_overload_envoy_overload_actions_stop_accepting_requests_active": ("gauge", ""),
}
# kube-state-metrics 2 (docs/metrics). Scraped with `honorLabels`, so namespace, pod and container are those of the object. What Prometheus
# adds of its own (instance, job) is left out: no rule should depend on who has scraped it.
_POD, _CONTAINER = "namespace pod uid", "namespace pod uid container"
_KUBE_STATE: Mapping[str, tuple[Kind, str]] = {
    "kube_node_info": ("gauge", "node"),
    "kube_node_labels": ("gauge", "node"),
    "kube_node_status_allocatable": ("gauge", "node resource unit"),
    "kube_node_status_condition": ("gauge", "node condition status"),
    "kube_namespace_created": ("gauge", "namespace"),
    "kube_pod_info": ("gauge", f"{_POD} node host_ip pod_ip created_by_kind created_by_name priority_class"),
    "kube_pod_labels": ("gauge", _POD),
    "kube_pod_start_time": ("gauge", _POD),
    "kube_pod_status_scheduled_time": ("gauge", _POD),
    "kube_pod_status_ready_time": ("gauge", _POD),
    "kube_pod_status_phase": ("gauge", f"{_POD} phase"),
    "kube_pod_status_ready": ("gauge", f"{_POD} condition"),
    "kube_pod_status_scheduled": ("gauge", f"{_POD} condition"),
    "kube_pod_container_resource_requests": ("gauge", f"{_CONTAINER} node resource unit"),
    "kube_pod_container_status_restarts_total": ("counter", _CONTAINER),
    "kube_pod_container_status_last_terminated_reason": ("gauge", f"{_CONTAINER} reason"),
    "kube_pod_container_status_waiting_reason": ("gauge", f"{_CONTAINER} reason"),
    "kube_deployment_spec_replicas": ("gauge", "namespace deployment"),
    "kube_deployment_status_replicas_available": ("gauge", "namespace deployment"),
    "kube_horizontalpodautoscaler_spec_max_replicas": ("gauge", "namespace horizontalpodautoscaler"),
    "kube_horizontalpodautoscaler_status_current_replicas": ("gauge", "namespace horizontalpodautoscaler"),
}
_KUBELET: Mapping[str, tuple[Kind, str]] = {
    "kubelet_volume_stats_available_bytes": ("gauge", "namespace persistentvolumeclaim"),
    "kubelet_volume_stats_capacity_bytes": ("gauge", "namespace persistentvolumeclaim"),
    "container_memory_working_set_bytes": ("gauge", "namespace pod container"),
    "container_cpu_usage_seconds_total": ("counter", "namespace pod container"),
}
_PROMETHEUS: Mapping[str, tuple[Kind, str]] = {
    # `model` and `tier` where the target is a model's: they are labels of the target.
    "up": ("gauge", f"{_TARGET} model tier"),
    "prometheus_rule_evaluation_failures_total": ("counter", f"{_TARGET} rule_group"),
    "prometheus_rule_group_last_duration_seconds": ("gauge", f"{_TARGET} rule_group"),
    "prometheus_config_last_reload_successful": ("gauge", _TARGET),
    "prometheus_notifications_alertmanagers_discovered": ("gauge", _TARGET),
    "prometheus_notifications_errors_total": ("counter", f"{_TARGET} alertmanager"),
    "prometheus_notifications_sent_total": ("counter", f"{_TARGET} alertmanager"),
    "prometheus_tsdb_wal_corruptions_total": ("counter", _TARGET),
    "prometheus_tsdb_head_series": ("gauge", _TARGET),
    "ALERTS": ("gauge", "alertname alertstate severity model pool namespace"),
}
_ALERTMANAGER: Mapping[str, tuple[Kind, str]] = {
    "alertmanager_notifications_total": ("counter", f"{_TARGET} integration"),
    "alertmanager_notifications_failed_total": ("counter", f"{_TARGET} integration reason"),
    "alertmanager_config_last_reload_successful": ("gauge", _TARGET),
}

# KEDA 2.21, pkg/metricscollector. Its `namespace` is the ScaledObject's, which Prometheus renames beside the target's own.
_KEDA: Mapping[str, tuple[Kind, str]] = {
    "keda_scaler_detail_errors_total": ("counter", "exported_namespace metric scaledObject scaler triggerIndex type"),
}


def _metrics(source: Source, common: str, rows: Mapping[str, tuple[Kind, str]]) -> list[Metric]:
    return [Metric(name, kind, frozenset(f"{common} {labels}".split()), source) for name, (kind, labels) in rows.items()]


SCRAPED: tuple[Metric, ...] = (
    *_metrics(Source.VLLM, _MODEL, _VLLM),
    *_metrics(Source.VLLM, f"{_TARGET} model tier", _VLLM_PROCESS),
    *_metrics(Source.DCGM, _DCGM, dict.fromkeys(_DCGM_GAUGES, ("gauge", ""))),
    *_metrics(Source.DCGM, _DCGM, dict.fromkeys(_DCGM_COUNTERS, ("counter", ""))),
    *_metrics(Source.ENVOY, _TARGET, _ENVOY),
    *_metrics(Source.KUBE_STATE_METRICS, "", _KUBE_STATE),
    *_metrics(Source.KUBELET, "", _KUBELET),
    *_metrics(Source.PROMETHEUS, "", _PROMETHEUS),
    *_metrics(Source.ALERTMANAGER, "", _ALERTMANAGER),
    *_metrics(Source.KEDA, _TARGET, _KEDA),
)


def catalogue(recordings: Iterable[Recording], node_labels: Iterable[str], pod_labels: Iterable[str]) -> dict[str, frozenset[str]]:
    """The series that queries may select, with their labels. `node_labels`, `pod_labels`: what kube-state-metrics is allowed to tell."""
    known = {name: labels for metric in SCRAPED for name, labels in metric.series.items()}
    known["kube_node_labels"] |= {state_metrics_label(label) for label in node_labels}
    known["kube_pod_labels"] |= {state_metrics_label(label) for label in pod_labels}
    for one in recordings:
        known[one.record] = known.get(one.record, frozenset()) | frozenset(one.carries)
    return known


def state_metrics_label(label: str) -> str:
    """How kube-state-metrics calls a Kubernetes label."""
    return f"label_{discovered(label)}"
