"""The gateway and its clients: who asks for what, what is refused, and is the gateway itself well?"""

from __future__ import annotations

from typing import Any

from components.observability.dashboards.panels import Column, Panel, Query, choice, figure, framed, graph, rows_by
from components.observability.dashboards.parts import Parts

UID = "vllm-gateway"
_OF_CLIENT = 'client=~"$client"'
_FRONT = 'envoy_http_conn_manager_prefix="front"'
_MODELS = 'envoy_cluster_name=~".+/.+"'


def gateway(parts: Parts) -> dict[str, Any]:
    rows = {
        "Now": _now(parts),
        "Clients": _clients(parts),
        "Answers": _answers(),
        "Replicas behind it": _replicas(),
        "The gateway itself": _itself(parts),
    }
    answers = "What clients ask of the gateway and get, by client and model; and how the gateway and the replicas behind it are."
    return framed(UID, "vLLM: gateway and clients", answers, [choice("client", "Client", "client:requests:rate5m")], rows, parts.runbooks)


def _now(parts: Parts) -> list[Panel]:
    panels = [
        figure("Requests", "sum(gateway:requests:rate5m)", "reqps", "All that came in, refused ones too."),
        figure(
            "Failed",
            "gateway:failed_requests:ratio_rate5m",
            "percentunit",
            "Share with a status of 500 and above.",
            limits=(0.01, 0.05),
            alerts=["GatewayErrorRatioHigh"],
        ),
        figure("Over their limits", "sum(client:requests_refused:rate5m)", "reqps", "Requests of clients that were told 429."),
        figure("In flight", f"sum(envoy_http_downstream_rq_active{{{_FRONT}}})", "none", "Requests that wait for an answer or read one."),
        figure("Gateway pods", "sum(envoy_server_live)", "none", "That run and answer Prometheus.", alerts=["GatewayDown"]),
    ]
    if parts.tls:
        certificate = "min(envoy_server_days_until_first_cert_expiring)"
        panels.append(
            figure(
                "Certificate",
                certificate,
                "d",
                "Days until it expires.",
                limits=(21, 7),
                alerts=["CertificateExpiresSoon", "CertificateExpires"],
            )
        )
    return panels


def _clients(parts: Parts) -> list[Panel]:
    def by_client(record: str) -> str:
        return f"sum by (client) ({record}{{{_OF_CLIENT}}})"

    columns = [
        Column("requests/s", by_client("client:requests:rate5m"), "reqps"),
        Column("refused/s", by_client("client:requests_refused:rate5m"), "reqps"),
        Column("tokens read/s", by_client("client:prompt_tokens:rate5m"), "suffix:tok/s"),
        Column("tokens written/s", by_client("client:completion_tokens:rate5m"), "suffix:tok/s"),
    ]
    written = f"sum by (client) (increase(envoy_gateway_completion_tokens_total{{{_OF_CLIENT}}}[1h]))"
    panels = [
        rows_by("client", "Clients", columns, "One row a client, over five minutes."),
        graph("Requests", Query(by_client("client:requests:rate5m"), "{{client}}"), "reqps", "Of each client."),
        graph(
            "Over their limits",
            Query(by_client("client:requests_refused:rate5m"), "{{client}}"),
            "reqps",
            "Told 429: more a minute, or more at once, than the stack lets them.",
            alerts=["ClientOverLimit"],
        ),
        graph("Tokens of an hour", Query(written, "{{client}}"), "none", "Output tokens of the last hour: what a bill would be made of."),
        graph("Tokens read", Query(by_client("client:prompt_tokens:rate5m"), "{{client}}"), "suffix:tok/s", "Prompt tokens.", width=12),
        graph(
            "Tokens written", Query(by_client("client:completion_tokens:rate5m"), "{{client}}"), "suffix:tok/s", "Output tokens.", width=12
        ),
    ]
    if parts.client_budgets:
        # Envoy exposes a counter only once it has counted.
        away = "sum(rate(envoy_cluster_ratelimit_error[5m])) or 0 * sum(gateway:requests:rate5m)"
        what = "Requests of clients with a budget that the rate limit service did not answer for."
        panels.append(graph("Budget not read", Query(away, "requests"), "reqps", what, alerts=["RateLimitServiceAway"]))
    return panels


def _answers() -> list[Panel]:
    seconds = [
        Query(f"histogram_quantile({quantile}, sum by (le) (rate(envoy_http_downstream_rq_time_bucket{{{_FRONT}}}[5m])))", legend)
        for quantile, legend in (("0.5", "half"), ("0.95", "95%"), ("0.99", "99%"))
    ]
    by_status = "0: the client left before the answer; waking: the model slept."
    return [
        graph("By status", Query("gateway:requests:rate5m", "{{status}}"), "reqps", by_status, stacked=True),
        graph("By model", Query("model:gateway_requests:rate5m", "{{model}}"), "reqps", "Requests whose model exists.", stacked=True),
        graph("Whole request", seconds, "ms", "From a request's first byte to its answer's last, streams to their end."),
    ]


def _replicas() -> list[Panel]:
    total = f"sum by (envoy_cluster_name) (envoy_cluster_membership_total{{{_MODELS}}})"

    def of_clusters(metric: str) -> Query:
        """Envoy exposes a counter only once it has counted."""
        return Query(f"sum by (envoy_cluster_name) (rate({metric}{{{_MODELS}}}[5m])) or 0 * {total}", "{{envoy_cluster_name}}")

    def now(metric: str) -> Query:
        return Query(f"sum by (envoy_cluster_name) ({metric}{{{_MODELS}}}) or 0 * {total}", "{{envoy_cluster_name}}")

    healthy = f"min by (envoy_cluster_name) (envoy_cluster_membership_healthy{{{_MODELS}}})"
    all_of = f"max by (envoy_cluster_name) (envoy_cluster_membership_total{{{_MODELS}}})"
    return [
        graph(
            "Healthy replicas",
            [Query(healthy, "{{envoy_cluster_name}}"), Query(all_of, "{{envoy_cluster_name}}, all", dashed=True)],
            "none",
            "As the gateway pod sees it that sees the fewest.",
        ),
        graph("Requests in flight", now("envoy_cluster_upstream_rq_active"), "none", "At the replicas of each model and colour."),
        graph(
            "Tried again",
            of_clusters("envoy_cluster_upstream_rq_retry"),
            "reqps",
            "On another replica, after the first broke off or was full.",
        ),
        graph(
            "No replica has room",
            of_clusters("envoy_cluster_upstream_rq_pending_overflow"),
            "reqps",
            "Refused since all replicas have their fill.",
            alerts=["GatewayShedsLoad"],
        ),
        graph(
            "No healthy replica",
            of_clusters("envoy_cluster_upstream_cx_none_healthy"),
            "reqps",
            "Refused since nobody could answer.",
            alerts=["NoHealthyUpstream"],
        ),
        graph(
            "Set aside",
            now("envoy_cluster_outlier_detection_ejections_active"),
            "none",
            "Replicas that broke off and get no requests for a while.",
        ),
    ]


def _itself(parts: Parts) -> list[Panel]:
    heap, limit = "envoy_server_memory_heap_size", "envoy_overload_envoy_resource_monitors_fixed_heap_pressure"
    panels = [
        graph("Memory", Query(f"sum by (pod) ({heap})", "{{pod}}"), "bytes", "Bodies that are on their way are most of it."),
        graph(
            "Memory of its limit",
            Query(f"max by (pod) ({limit}) / 100", "{{pod}}"),
            "percentunit",
            "From 95 % on it refuses requests.",
            limits=(0.8, 0.95),
            alerts=["GatewayOutOfMemory"],
            most=1,
        ),
        graph("Connections", Query(f"sum by (pod) (envoy_http_downstream_cx_active{{{_FRONT}}})", "{{pod}}"), "none", "Of clients."),
    ]
    if parts.tls:
        days = Query("min by (pod) (envoy_server_days_until_first_cert_expiring)", "{{pod}}")
        panels.append(
            graph("Certificate expires in", days, "d", "Of each pod: one that did not see the new one stands out.", limits=(21, 7))
        )
    return panels
