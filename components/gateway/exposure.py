"""Exposure of the gateway: a ClusterIP Service, a load balancer, GKE Gateway, or an Ingress for an installed controller.

Pure functions that return specs by kind; gateway.py creates the resources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pulumi_kubernetes.core.v1 import ServiceSpecArgsDict
from pulumi_kubernetes.networking.v1 import IngressBackendArgsDict, IngressSpecArgsDict

from components.gateway.isolation import source_ranges
from components.gateway.pod import LABELS, NAME, OPERATIONS_PORT
from components.naming import GATEWAY_NAMESPACE
from config.cluster import Cluster, GkeCluster
from config.gateway import Gateway, GkeGateway

_NETWORKING = "networking.gke.io/v1"
_GATEWAY_API = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True)
class CustomObject:
    """A custom resource, named as the gateway is."""

    api_version: str
    kind: str
    spec: dict[str, Any]
    annotations: dict[str, str] = field(default_factory=dict)


def service_port(gateway: Gateway) -> int:
    return 443 if gateway.tls else 80


def internal_url(gateway: Gateway) -> str:
    """URL for pods of the cluster."""
    return f"{'https' if gateway.tls else 'http'}://{NAME}.{GATEWAY_NAMESPACE}.svc.cluster.local/v1"


def public_url(gateway: Gateway) -> str | None:
    """URL for callers outside the cluster; None if it is a load balancer's address, known only after deployment."""
    if gateway.exposure == "cluster-ip" or gateway.host is None:
        return None
    return f"{'http' if gateway.insecure and not gateway.tls else 'https'}://{gateway.host}/v1"


def service_spec(gateway: Gateway) -> ServiceSpecArgsDict:
    spec: ServiceSpecArgsDict = {
        "selector": LABELS,
        "type": "ClusterIP",
        "ports": [
            {"name": "api", "port": service_port(gateway), "target_port": "api", **({"app_protocol": "HTTPS"} if gateway.tls else {})}
        ],
    }
    if gateway.exposure == "load-balancer":
        # Local preserves the client's address, which the NetworkPolicy needs.
        spec |= {
            "type": "LoadBalancer",
            "external_traffic_policy": "Local",
            "load_balancer_source_ranges": source_ranges(gateway),
        }
    return spec


def service_annotations(cluster: Cluster, gateway: Gateway) -> dict[str, str]:
    if gateway.exposure != "load-balancer":
        return {}
    google = {"internal": {"networking.gke.io/load-balancer-type": "Internal"}, "external": {"cloud.google.com/l4-rbs": "enabled"}}
    own = google[gateway.load_balancer.scope] if isinstance(cluster, GkeCluster) else {}
    return own | gateway.load_balancer.annotations


def custom_objects(gateway: Gateway) -> Iterator[CustomObject]:
    """Google's Gateway, its route and its policies; nothing for other exposures."""
    if gateway.exposure != "gke-gateway":
        return
    yield _gateway(gateway, gateway.gke_gateway)
    target = {"group": "", "kind": "Service", "name": NAME}
    yield CustomObject(
        _GATEWAY_API,
        "HTTPRoute",
        {
            "parentRefs": [{"name": NAME}],
            "hostnames": [gateway.host],
            "rules": [{"backendRefs": [{"name": NAME, "port": service_port(gateway)}]}],
        },
    )
    check = {"portSpecification": "USE_FIXED_PORT", "port": OPERATIONS_PORT, "requestPath": "/ready"}
    yield CustomObject(
        _NETWORKING,
        "HealthCheckPolicy",
        {"targetRef": target, "default": {"checkIntervalSec": 5, "config": {"type": "HTTP", "httpHealthCheck": check}}},
    )
    yield CustomObject(_NETWORKING, "GCPBackendPolicy", {"targetRef": target, "default": _backend_policy(gateway)})


def _gateway(gateway: Gateway, google: GkeGateway) -> CustomObject:
    listener: dict[str, Any] = {"name": "api", "protocol": "HTTPS", "port": 443, "hostname": gateway.host}
    annotations = {"networking.gke.io/certmap": google.certificate_map} if google.certificate_map else {}
    if google.regional_certificate:
        listener["tls"] = {"mode": "Terminate", "options": {"networking.gke.io/cert-manager-certs": google.regional_certificate}}
    if google.certificate is None:
        listener |= {"protocol": "HTTP", "port": 80}
    addresses = {"addresses": [{"type": "NamedAddress", "value": google.static_address}]} if google.static_address else {}
    return CustomObject(_GATEWAY_API, "Gateway", {"gatewayClassName": google.class_name, "listeners": [listener], **addresses}, annotations)


def _backend_policy(gateway: Gateway) -> dict[str, Any]:
    """GCPBackendPolicy, because Google's default timeout of a whole request is 30 s, streams included."""
    google = gateway.gke_gateway
    policy: dict[str, Any] = {
        "timeoutSec": gateway.timeouts.request_seconds,
        "connectionDraining": {"drainingTimeoutSec": gateway.drain_seconds},
        "logging": {"enabled": True, "sampleRate": 1_000_000},
    }
    if google.security_policy:
        policy["securityPolicy"] = google.security_policy
    if google.iap and google.iap.enabled:
        client = {"clientID": google.iap.client_id, "oauth2ClientSecret": {"name": google.iap.client_secret_name}}
        policy["iap"] = {"enabled": True, **(client if google.iap.client_id else {})}
    return policy


def ingress_spec(gateway: Gateway) -> IngressSpecArgsDict | None:
    """None for other exposures."""
    if gateway.exposure != "ingress" or gateway.ingress is None or gateway.host is None:
        return None
    backend: IngressBackendArgsDict = {"service": {"name": NAME, "port": {"name": "api"}}}
    spec: IngressSpecArgsDict = {
        "ingress_class_name": gateway.ingress.class_name,
        "rules": [{"host": gateway.host, "http": {"paths": [{"path": "/v1", "path_type": "Prefix", "backend": backend}]}}],
    }
    if gateway.ingress.tls_secret_name:
        spec["tls"] = [{"hosts": [gateway.host], "secret_name": gateway.ingress.tls_secret_name}]
    return spec
