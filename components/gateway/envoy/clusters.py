"""Envoy's clusters: one for each model and colour.

A watched file: models are added and removed without a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from components.gateway.envoy.audit_log import model_metadata
from components.gateway.envoy.messages import Message, discovery, extension, seconds, socket, typed
from planning.drain import GATEWAY_REFRESH_SECONDS
from planning.gateway import RoutedModel

FILE = "clusters.json"
# The Service is headless: its name resolves to the replicas that are ready.
DNS_REFRESH_SECONDS = GATEWAY_REFRESH_SECONDS
CONNECT_TIMEOUT_SECONDS = 3
# Health check of /health. A busy engine answers late, so only a long silence counts; the pods' readinessProbe is stricter.
HEALTH_INTERVAL_SECONDS, HEALTH_TIMEOUT_SECONDS, HEALTH_FAILURES = 10, 5, 3
# uvicorn closes a connection after 5 s without a request; one that Envoy keeps longer fails the next request.
UPSTREAM_IDLE_SECONDS = 4
# A new replica gets its full share of requests only after this time, because its caches are cold.
SLOW_START_SECONDS = 60
_UNLIMITED = 2**32 - 1
EJECTION_SECONDS, FAILURES_TO_EJECT, MOST_EJECTED_PERCENT = 15, 3, 50
# With affinity: no replica gets more than this share of the mean, however popular a prefix is.
HASH_BALANCE_PERCENT = 150


@dataclass(frozen=True)
class Backend:
    """Replicas of one colour of a model: addresses (usually one DNS name), and their weight."""

    colour: str
    addresses: Sequence[tuple[str, int]]
    weight: int = 100
    max_requests: int | None = None
    """Envoy's max_requests. Default: the model's."""


def cluster_name(model: str, colour: str) -> str:
    return f"{model}/{colour}"


def clusters(backends: Iterable[tuple[RoutedModel, Backend]]) -> Message:
    """The file's content."""
    return discovery(*(_cluster(model, backend) for model, backend in backends))


def _cluster(model: RoutedModel, backend: Backend) -> Message:
    name = cluster_name(model.name, backend.colour)
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        cluster_type=resolved_by_dns(),
        connect_timeout=seconds(CONNECT_TIMEOUT_SECONDS),
        **endpoints(name, [socket(host, port) for host, port in backend.addresses]),
        metadata=model_metadata(model.name, backend.colour),
        circuit_breakers={"thresholds": [_breaker(backend.max_requests or model.max_requests)]},
        health_checks=[_health_check()],
        outlier_detection=_outlier_detection(),
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                common_http_protocol_options={"idle_timeout": seconds(UPSTREAM_IDLE_SECONDS)},
                explicit_http_config={"http_protocol_options": {}},
            )
        },
        **_balancing(model),
    )


def endpoints(cluster: str, addresses: Iterable[Message]) -> Message:
    """`load_assignment` with these addresses."""
    hosts = [{"endpoint": {"address": address}} for address in addresses]
    return {"load_assignment": {"cluster_name": cluster, "endpoints": [{"lb_endpoints": hosts}]}}


def resolved_by_dns() -> Message:
    """`cluster_type` (DNS): every resolved address is a host."""
    return extension(
        "envoy.cluster.dns",
        "envoy.extensions.clusters.dns.v3.DnsCluster",
        dns_refresh_rate=seconds(DNS_REFRESH_SECONDS),
        dns_lookup_family="V4_PREFERRED",
    )


def _balancing(model: RoutedModel) -> Message:
    # An unhealthy replica gets no further request at once: by default Envoy merges health updates for a second.
    common: Message = {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}
    if model.affinity.by == "none":
        slow_start = {"slow_start_window": seconds(SLOW_START_SECONDS)}
        return {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"slow_start_config": slow_start}, "common_lb_config": common}
    bounded = {"consistent_hashing_lb_config": {"hash_balance_factor": HASH_BALANCE_PERCENT}}
    return {"lb_policy": "RING_HASH", "common_lb_config": {**common, **bounded}}


def _breaker(max_requests: int) -> Message:
    """Limits requests, not connections: a limit on connections would count idle ones of other worker threads, and queue requests instead of
    refusing them. max_retries is as high, because an overloaded replica answers 503 fastest and so attracts the most requests."""
    return {
        "max_requests": max_requests,
        "max_connections": _UNLIMITED,
        "max_pending_requests": max_requests,
        "max_retries": max_requests,
    }


def _health_check() -> Message:
    return {
        "timeout": seconds(HEALTH_TIMEOUT_SECONDS),
        "interval": seconds(HEALTH_INTERVAL_SECONDS),
        "no_traffic_interval": seconds(HEALTH_INTERVAL_SECONDS),
        "unhealthy_threshold": HEALTH_FAILURES,
        "healthy_threshold": 1,
        "http_health_check": {"path": "/health"},
    }


def _outlier_detection() -> Message:
    """Ejects replicas that cannot be reached or reset connections. Statuses do not count: 503 is overload, and ejecting the replica would
    move its load to the others; 500 can be the request's fault."""
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": FAILURES_TO_EJECT,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_local_origin_success_rate": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "interval": "1s",
        "base_ejection_time": seconds(EJECTION_SECONDS),
        "max_ejection_percent": MOST_EJECTED_PERCENT,
    }
