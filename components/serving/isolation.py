"""Who may talk to a model server, and to whom it may talk. NetworkPolicies of its namespace; everything else is denied.

In: the gateway and Prometheus, on the API port. Out: DNS, and where the weights come from. vLLM's own API key guards only part of
its endpoints, so these policies are what protects the rest.
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

# GKE's metadata server, which hands out Workload Identity's tokens, seen from Dataplane V2 and from iptables.
_METADATA_SERVER = [("169.254.169.254/32", 80), ("169.254.169.252/32", 988), ("127.0.0.1/32", 988)]


def network_policies(cluster: Cluster, weights: Weights) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name. Weights of a claim come over no network that pods see."""
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
    """HTTPS to the internet, not to anything private, unless an endpoint is: hosts cannot be named in a NetworkPolicy. Google's own
    buckets are reached at addresses that no one else has."""
    if weights.source == "google-cloud-storage":
        google: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": PRIVATE_GOOGLE_APIS}}
        return [_to(google, 443), *(_to({"ip_block": {"cidr": cidr}}, port) for cidr, port in _METADATA_SERVER)]
    outside: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": "0.0.0.0/0", "except_": PRIVATE_RANGES}}
    if weights.endpoint:
        return [_to_endpoint(weights.endpoint, weights.endpoint_range, outside)]
    return [_to(outside, 443)]


def _to_endpoint(endpoint: str, addresses: str | None, outside: NetworkPolicyPeerArgsDict) -> NetworkPolicyEgressRuleArgsDict:
    """A Service's pods may listen on another port than it has, so its namespace is open on all."""
    url = urlsplit(endpoint)
    labels = (url.hostname or "").split(".")
    if addresses is None and labels[2:3] == ["svc"]:
        return {"to": [namespace_named(labels[1])]}
    peer: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": addresses}} if addresses else outside
    return _to(peer, url.port or (443 if url.scheme == "https" else 80))


def _to(peer: NetworkPolicyPeerArgsDict, port: int) -> NetworkPolicyEgressRuleArgsDict:
    return {"to": [peer], "ports": [{"port": port, "protocol": "TCP"}]}
