"""A span for every request and one for every attempt at a model server, sent to a collector over OTLP.

Spans say what the audit log says, under the same names. Envoy's own attribute of the address is overwritten: its query could hold a key.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from components.gateway.envoy.audit_log import FIELDS
from components.gateway.envoy.clusters import CONNECT_TIMEOUT_SECONDS, endpoints, resolved_by_dns
from components.gateway.envoy.messages import Message, extension, seconds, socket, typed
from config.platform import Tracing

CLUSTER = "traces"
SERVICE_NAME = "gateway"
_OPERATION = f"{FIELDS['method']} {FIELDS['path']}"
# Envoy names the rest itself: method, status, flags, upstream cluster and address.
_ATTRIBUTES = ("request_id", "client", "model", "colour", "details", "prompt_tokens", "completion_tokens")
_EXPORT_SECONDS = 5
# Of the image, which is Ubuntu's with the package ca-certificates.
_CERTIFICATE_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def tracing(settings: Tracing | None) -> Message:
    """Fields of a connection manager."""
    if settings is None:
        return {}
    tags = {name: FIELDS[name] for name in _ATTRIBUTES} | {"http.url": FIELDS["path"]}
    return {
        "tracing": {
            "client_sampling": {"value": 0},
            "random_sampling": {"value": settings.sampling_percent},
            "overall_sampling": {"value": 100},
            "operation": _OPERATION,
            "upstream_operation": _OPERATION,
            "spawn_upstream_span": True,
            "custom_tags": [{"tag": name, "value": value} for name, value in tags.items()],
            "provider": extension(
                "envoy.tracers.opentelemetry",
                "envoy.config.trace.v3.OpenTelemetryConfig",
                service_name=SERVICE_NAME,
                http_service={"http_uri": {"uri": settings.traces_url, "cluster": CLUSTER, "timeout": seconds(_EXPORT_SECONDS)}},
            ),
        }
    }


def clusters(settings: Tracing | None) -> list[Message]:
    """The collector, where there is one."""
    if settings is None:
        return []
    url = urlsplit(settings.endpoint)
    host, encrypted = url.hostname or "", url.scheme == "https"
    cluster: Message = {
        "name": CLUSTER,
        "cluster_type": resolved_by_dns(),
        "connect_timeout": seconds(CONNECT_TIMEOUT_SECONDS),
        **endpoints(CLUSTER, [socket(host, url.port or (443 if encrypted else 80))]),
    }
    if encrypted:
        cluster["transport_socket"] = _tls(host)
    return [cluster]


def _tls(host: str) -> Message:
    names = [{"san_type": "DNS", "matcher": {"exact": host}}]
    validation = {"trusted_ca": {"filename": _CERTIFICATE_AUTHORITIES}, "match_typed_subject_alt_names": names}
    context = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(context, sni=host, common_tls_context={"validation_context": validation}),
    }
