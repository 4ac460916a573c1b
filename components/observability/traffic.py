"""Recording rules of requests and tokens: by model as its engines count them, by client and in all as the gateway counts them.

Quantiles come from the sum of the replicas' buckets; ratios are sums over sums. Nothing is an average of averages.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.gateway.envoy import usage
from components.observability.rules import Group, Recording, joined

QUANTILES = ("0.5", "0.95", "0.99")
_LATENCIES = ("time_to_first_token", "inter_token_latency", "request_time_per_output_token", "e2e_request_latency", "request_queue_time")
_MODEL = ("model",)
FAILED = 'status=~"5.."'
"""Of the gateway's requests: what is the platform's fault. A client that leaves early has the status 0."""
WAKING = f'status="{usage.WAKING}"'
"""Those that woke a model; they are no failure, and no request that was served."""
_NOT_WAKING = f'status!="{usage.WAKING}"'


def model_traffic() -> Group:
    """Also what dashboards draw and a scaler asks, so that all see the same numbers."""
    sums = {
        "model:requests_running:sum": "vllm:num_requests_running",
        "model:requests_waiting:sum": "vllm:num_requests_waiting",
        # Not those that wait for an adapter or a transfer, which more replicas would not help.
        "model:requests_waiting_for_capacity:sum": 'vllm:num_requests_waiting_by_reason{reason="capacity"}',
    }
    rates = {
        "model:requests:rate5m": "vllm:request_success_total",
        "model:prompt_tokens:rate5m": "vllm:prompt_tokens_total",
        "model:generation_tokens:rate5m": "vllm:generation_tokens_total",
        "model:preemptions:rate5m": "vllm:num_preemptions_total",
        "model:admission_rejections:rate5m": "vllm:admission_rejections_total",
    }
    ratio = "sum by (model) (rate(vllm:prefix_cache_hits_total[5m])) / sum by (model) (rate(vllm:prefix_cache_queries_total[5m]))"
    return Group(
        "model-traffic",
        [
            *(Recording(record, f"sum by (model) ({metric})", _MODEL) for record, metric in sums.items()),
            *(Recording(record, f"sum by (model) (rate({metric}[5m]))", _MODEL) for record, metric in rates.items()),
            Recording("model:kv_cache_usage:max", "max by (model) (vllm:kv_cache_usage_perc)", _MODEL),
            Recording("model:prefix_cache_hits:ratio_rate5m", ratio, _MODEL),
            *_quantiles(),
        ],
    )


def _quantiles() -> Iterator[Recording]:
    for latency in _LATENCIES:
        for quantile in QUANTILES:
            yield Recording(
                f"model:{latency}_seconds:quantile5m",
                f"histogram_quantile({quantile}, sum by (model, le) (rate(vllm:{latency}_seconds_bucket[5m])))",
                ("model", "quantile"),
                {"quantile": quantile},
            )


def gateway_traffic() -> Group:
    """By client, by model and in all, as the gateway counts: what never reached an engine is in it."""
    refused = 'envoy_gateway_requests_total{status="429",client!=""}'
    tokens = {f"client:{kind}_tokens:rate5m": f"envoy_gateway_{kind}_tokens_total" for kind in ("prompt", "completion")}
    return Group(
        "gateway-traffic",
        [
            Recording(
                "client:requests:rate5m", 'sum by (client, model) (rate(envoy_gateway_requests_total{client!=""}[5m]))', ("client", "model")
            ),
            *(
                Recording(record, f'sum by (client, model) (rate({metric}{{client!=""}}[5m]))', ("client", "model"))
                for record, metric in tokens.items()
            ),
            Recording(
                "client:requests_refused:rate5m",
                f"sum by (client) (rate({refused}[5m])) or 0 * sum by (client) (client:requests:rate5m)",
                ("client",),
            ),
            Recording("model:gateway_requests:rate5m", 'sum by (model) (rate(envoy_gateway_requests_total{model!=""}[5m]))', ("model",)),
            Recording("gateway:requests:rate5m", "sum by (status) (rate(envoy_gateway_requests_total[5m]))", ("status",)),
            Recording("gateway:failed_requests:ratio_rate5m", failure_ratio("5m", by=None)),
            Recording("model:gateway_healthy_replicas:max", _healthy_replicas(), ("model",)),
        ],
    )


def _healthy_replicas() -> str:
    """Of all colours, as the gateway pod sees it that sees the most: one that has just started knows none yet."""
    clusters = 'max by (envoy_cluster_name) (envoy_cluster_membership_healthy{envoy_cluster_name=~".+/.+"})'
    return f'sum by (model) (label_replace({clusters}, "model", "$1", "envoy_cluster_name", "(.+)/.+"))'


def model_errors(*, gateway: bool) -> Group:
    """The share of a model's requests that failed. Without a gateway the model servers' own word; it misses those that reached none."""
    return Group(
        "model-errors", [Recording("model:failed_requests:ratio_rate5m", failure_ratio("5m", by="model", gateway=gateway), _MODEL)]
    )


def failure_ratio(window: str, *, by: str | None, gateway: bool = True, more: str = "") -> str:
    """Failed requests over all of them, 0 where none failed, nothing where there were none. `more`: matchers of the labels."""
    metric, failed = ("envoy_gateway_requests_total", FAILED) if gateway else ("http_requests_total", 'status="5xx"')
    total_of = ", ".join(filter(None, ['model!=""' if by else "", _NOT_WAKING if gateway else "", more]))
    grouping = f"sum by ({by})" if by else "sum"
    total = f"{grouping} (rate({metric}{{{total_of}}}[{window}]))" if total_of else f"{grouping} (rate({metric}[{window}]))"
    failed_of = ", ".join(filter(None, [failed, 'model!=""' if by else "", more]))
    failures = f"{grouping} (rate({metric}{{{failed_of}}}[{window}]))"
    return joined(f"({failures} or 0 * {total})", f"/ ({total} > 0)")
