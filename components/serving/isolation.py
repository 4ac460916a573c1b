"""NetworkPolicies of a model server's namespace. Everything that they do not allow is denied.

Ingress: the gateway and Prometheus, on the API port. Egress: DNS, and the source of the weights. vLLM's own API key protects only some of
its endpoints; these policies protect all.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicySpecArgsDict,
)

from components.isolation import DEFAULT_DENY, PRIVATE_GOOGLE_APIS, PRIVATE_RANGES, dns_policy, namespace_named, prometheus
from components.naming import API_PORT, GATEWAY_NAMESPACE
from config.cluster import Cluster
from config.weights import Weights

# GKE's metadata server, which issues Workload Identity tokens: its addresses with Dataplane V2 and with iptables.
_METADATA_SERVER = [("169.254.169.254/32", 80), ("169.254.169.252/32", 988), ("127.0.0.1/32", 988)]


def network_policies(cluster: Cluster, weights: Weights) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name. Weights of a PersistentVolumeClaim need no egress of pods."""
    policies: dict[str, NetworkPolicySpecArgsDict] = {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(cluster),
        "allow-api": _api(),
    }
    if weights.source != "claim":
        policies["allow-weights"] = {"pod_selector": {}, "policy_types": ["Egress"], "egress": _to_weights(weights)}
    return policies


def _api() -> NetworkPolicySpecArgsDict:
    sources = [namespace_named(GATEWAY_NAMESPACE), prometheus()]
    return {
        "pod_selector": {},
        "policy_types": ["Ingress"],
        "ingress": [{"from_": sources, "ports": [{"port": API_PORT, "protocol": "TCP"}]}],
    }


def _to_weights(weights: Weights) -> list[NetworkPolicyEgressRuleArgsDict]:
    """HTTPS to public addresses, to private ones only for an endpoint, because a NetworkPolicy cannot name hosts. Google Cloud Storage is
    reached at the addresses of private.googleapis.com."""
    if weights.source == "google-cloud-storage":
        google: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": PRIVATE_GOOGLE_APIS}}
        return [_to(google, 443), *(_to({"ip_block": {"cidr": cidr}}, port) for cidr, port in _METADATA_SERVER)]
    outside: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": "0.0.0.0/0", "except_": PRIVATE_RANGES}}
    if weights.endpoint:
        return [_to_endpoint(weights.endpoint, weights.endpoint_range, outside)]
    return [_to(outside, 443)]


def _to_endpoint(endpoint: str, addresses: str | None, outside: NetworkPolicyPeerArgsDict) -> NetworkPolicyEgressRuleArgsDict:
    """Egress to an endpoint. For a Service in the cluster all ports of its namespace, because its pods may listen on other ports."""
    url = urlsplit(endpoint)
    labels = (url.hostname or "").split(".")
    if addresses is None and labels[2:3] == ["svc"]:
        return {"to": [namespace_named(labels[1])]}
    peer: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": addresses}} if addresses else outside
    return _to(peer, url.port or (443 if url.scheme == "https" else 80))


def _to(peer: NetworkPolicyPeerArgsDict, port: int) -> NetworkPolicyEgressRuleArgsDict:
    return {"to": [peer], "ports": [{"port": port, "protocol": "TCP"}]}
