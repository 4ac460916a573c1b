"""NetworkPolicies of the gateway: ingress from its clients, egress to DNS, model servers, the rate limit service and the trace collector.
All else is denied.
"""

from __future__ import annotations

from pulumi_kubernetes.networking.v1 import NetworkPolicyPeerArgsDict, NetworkPolicySpecArgsDict

from components.gateway import rate_limits
from components.gateway.pod import API_PORT, OPERATIONS_PORT
from components.isolation import DEFAULT_DENY, PRIVATE_RANGES, dns_policy, egress, namespace_named, prometheus, tcp, to, traces_policy
from components.naming import API_PORT as MODEL_PORT
from components.naming import CHECK_LABELS, CLIENT_NAMESPACE_LABEL, MANAGED, RATE_LIMITS_NAMESPACE, SERVERS
from config.cluster import Cluster
from config.gateway import Gateway
from config.platform import Tracing

# Google's front ends and health checks: cloud.google.com/load-balancing/docs/health-checks#firewall_rules
_GOOGLE_FRONT_ENDS = ["130.211.0.0/22", "35.191.0.0/16"]
_CHECKS: NetworkPolicyPeerArgsDict = {"namespace_selector": {"match_labels": MANAGED}, "pod_selector": {"match_labels": CHECK_LABELS}}


def network_policies(cluster: Cluster, gateway: Gateway, tracing: Tracing | None, *, checked: bool) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name, for the gateway's namespace. `checked`: Jobs of blue-green models ask what its pods see."""
    watchers = [prometheus(), *_ranges(_health_checkers(gateway)), *([_CHECKS] if checked else [])]
    return {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(cluster),
        "allow-clients": _ingress(API_PORT, _clients(gateway)),
        "allow-operations": _ingress(OPERATIONS_PORT, watchers),
        "allow-models": _models(),
        **({"allow-rate-limits": _rate_limits()} if any(client.has_budget for client in gateway.clients.values()) else {}),
        **traces_policy(tracing),
    }


def _ingress(port: int, sources: list[NetworkPolicyPeerArgsDict]) -> NetworkPolicySpecArgsDict:
    return {
        "pod_selector": {},
        "policy_types": ["Ingress"],
        "ingress": [{"from_": sources, "ports": tcp(port)}],
    }


def _models() -> NetworkPolicySpecArgsDict:
    servers: NetworkPolicyPeerArgsDict = {
        "namespace_selector": {"match_labels": MANAGED},
        "pod_selector": {"match_labels": SERVERS},
    }
    return egress(to(servers, MODEL_PORT))


def _rate_limits() -> NetworkPolicySpecArgsDict:
    service = {"pod_selector": {"match_labels": rate_limits.LABELS}}
    return egress(to({**namespace_named(RATE_LIMITS_NAMESPACE), **service}, rate_limits.PORT))


def _clients(gateway: Gateway) -> list[NetworkPolicyPeerArgsDict]:
    labelled: NetworkPolicyPeerArgsDict = {"namespace_selector": {"match_labels": {CLIENT_NAMESPACE_LABEL: "true"}}}
    inside = [namespace_named(name) for name in gateway.client_namespaces] or [labelled]
    if gateway.exposure == "load-balancer":
        return [*inside, *_ranges(source_ranges(gateway))]
    if gateway.exposure == "gke-gateway":
        return [*inside, *_ranges(_health_checkers(gateway))]
    if gateway.exposure == "ingress" and gateway.ingress:
        controller: NetworkPolicyPeerArgsDict = {"namespace_selector": {}}
        return [*inside, namespace_named(gateway.ingress.namespace) if gateway.ingress.namespace else controller]
    return inside


def source_ranges(gateway: Gateway) -> list[str]:
    """CIDR ranges that may connect to the load balancer."""
    return gateway.load_balancer.source_ranges or PRIVATE_RANGES


def _health_checkers(gateway: Gateway) -> list[str]:
    if gateway.exposure != "gke-gateway":
        return []
    subnet = gateway.gke_gateway.proxy_subnet
    return [*_GOOGLE_FRONT_ENDS, *([subnet] if subnet else [])]


def _ranges(cidrs: list[str]) -> list[NetworkPolicyPeerArgsDict]:
    return [{"ip_block": {"cidr": cidr}} for cidr in cidrs]
