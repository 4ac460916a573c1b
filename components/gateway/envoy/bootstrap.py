"""Envoy's bootstrap: the static part of its configuration. A change replaces the gateway's pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.gateway.envoy import budgets, certificate, clients, clusters, routes, tracing
from components.gateway.envoy.listeners import front_listener, operations_listener
from components.gateway.envoy.messages import Message, extension, socket, watched
from planning.gateway import REFUSE_AT_HEAP, SHRINK_AT_HEAP, GatewayPlan

LOCAL_CLUSTER = "gateway"
ADMIN_CLUSTER = "admin"
MOST_CONNECTIONS = 20_000
_LARGE_STREAM_BITS = 18  # 256 KiB
_MONITORS = "envoy.extensions.resource_monitors"


@dataclass(frozen=True)
class Process:
    """Files and ports of an Envoy process."""

    folder: str
    """Folder of the watched files."""
    port: int
    operations_port: int
    """Port of readiness probe and metrics."""
    admin_port: int
    """Port of the administration interface, on the loopback interface only."""
    replicas: tuple[str, int]
    """DNS name and port of all gateway replicas, this one included: they share the clients' rate limits."""
    rate_limits: tuple[str, int]
    """DNS name and port of the rate limit service; asked only if a client has a budget."""
    tls_folder: str | None = None
    """Folder with tls.crt and tls.key. None: no TLS."""
    address: str = "0.0.0.0"  # noqa: S104 - of the pod


def bootstrap(plan: GatewayPlan, process: Process) -> Message:
    """The content of Envoy's `--config-path`."""
    return {
        "admin": {"address": socket("127.0.0.1", process.admin_port)},
        "cluster_manager": {"local_cluster_name": LOCAL_CLUSTER},
        "dynamic_resources": {"cds_config": watched(process.folder, clusters.FILE)},
        "static_resources": {
            "listeners": [
                front_listener(plan, process.address, process.port, process.folder, encrypted=process.tls_folder is not None),
                operations_listener(process.address, process.operations_port, ADMIN_CLUSTER),
            ],
            "clusters": [
                _local_cluster(*process.replicas),
                _admin_cluster(process.admin_port),
                *budgets.clusters(plan, process.rate_limits),
                *tracing.clusters(plan.tracing),
            ],
        },
        "overload_manager": _overload_manager(plan),
    }


def watched_files(plan: GatewayPlan, models: Sequence[routes.ModelRoute], tls_folder: str | None) -> dict[str, Message]:
    """Content of the watched files by name, without the API keys. `tls_folder`: as in `Process`."""
    backends = ((route.model, backend) for route in models for backend in route.backends)
    return {
        **({certificate.FILE: certificate.certificate(tls_folder)} if tls_folder else {}),
        clients.FILE: clients.clients(plan),
        clusters.FILE: clusters.clusters(backends),
        routes.FILE: routes.routes(plan, models),
    }


def _local_cluster(host: str, port: int) -> Message:
    return {"name": LOCAL_CLUSTER, "cluster_type": clusters.resolved_by_dns(), **clusters.endpoints(LOCAL_CLUSTER, [socket(host, port)])}


def _admin_cluster(port: int) -> Message:
    return {"name": ADMIN_CLUSTER, "type": "STATIC", **clusters.endpoints(ADMIN_CLUSTER, [socket("127.0.0.1", port)])}


def _overload_manager(plan: GatewayPlan) -> Message:
    """Prevents OOM kills: as the heap grows Envoy first releases free memory, then resets the HTTP/2 streams with the most buffered data
    (it does not track that of other streams), then refuses requests."""
    heap = "envoy.resource_monitors.fixed_heap"
    at_shrinking, at_refusal = {"threshold": {"value": SHRINK_AT_HEAP}}, {"threshold": {"value": REFUSE_AT_HEAP}}
    between = {"scaled": {"scaling_threshold": SHRINK_AT_HEAP, "saturation_threshold": REFUSE_AT_HEAP}}

    def action(name: str, trigger: Message) -> Message:
        return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": heap, **trigger}]}

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            extension(heap, f"{_MONITORS}.fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=plan.max_heap_bytes),
            extension(
                "envoy.resource_monitors.global_downstream_max_connections",
                f"{_MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=MOST_CONNECTIONS,
            ),
        ],
        "actions": [
            action("shrink_heap", at_shrinking),
            action("reset_high_memory_stream", between),
            action("stop_accepting_requests", at_refusal),
        ],
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": _LARGE_STREAM_BITS},
    }
