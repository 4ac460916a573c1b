"""Who may talk to a model server, and to whom it may talk. NetworkPolicies of its namespace; everything else is denied.

In: the gateway and Prometheus, on the API port. Out: DNS, where the weights come from, and where traces go. vLLM's own API key
guards only part of its endpoints, so these policies are what protects the rest.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicyPortArgsDict,
    NetworkPolicySpecArgsDict,
)

from components.naming import API_PORT, GATEWAY_NAMESPACE, MONITORING_NAMESPACE
from config.cluster import Cluster, GkeCluster
from config.platform import Tracing
from config.weights import Weights

PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]
_OUTSIDE: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": "0.0.0.0/0", "except_": PRIVATE_RANGES}}
# NodeLocal DNSCache and Cloud DNS answer on link-local addresses; kube-dns on an address of the Service range.
_LINK_LOCAL_DNS = ["169.254.20.10/32", "169.254.169.254/32"]
# GKE's metadata server, which hands out Workload Identity's tokens, seen from Dataplane V2 and from iptables.
_METADATA_SERVER = [("169.254.169.254/32", 80), ("169.254.169.252/32", 988), ("127.0.0.1/32", 988)]


def network_policies(cluster: Cluster, weights: Weights, tracing: Tracing | None) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name. Weights of a claim come over no network that pods see."""
    policies: dict[str, NetworkPolicySpecArgsDict] = {
        "default-deny": {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
        "allow-dns": dns_policy(cluster),
        "allow-api": _api(),
    }
    if weights.source != "claim":
        policies["allow-weights"] = _egress(_to_weights(weights))
    return policies | traces_policy(tracing)


def traces_policy(tracing: Tracing | None) -> dict[str, NetworkPolicySpecArgsDict]:
    """Lets every pod of a namespace reach the collector of traces, where there is one."""
    if tracing is None:
        return {}
    return {"allow-traces": _egress([_to_endpoint(tracing.endpoint, tracing.endpoint_range)])}


def _egress(rules: list[NetworkPolicyEgressRuleArgsDict]) -> NetworkPolicySpecArgsDict:
    return {"pod_selector": {}, "policy_types": ["Egress"], "egress": rules}


def dns_policy(cluster: Cluster) -> NetworkPolicySpecArgsDict:
    """Lets every pod of a namespace resolve names, over UDP and TCP."""
    services = cluster.ranges.services if isinstance(cluster, GkeCluster) else cluster.service_range
    in_cluster = namespace_named("kube-system")
    addresses: list[NetworkPolicyPeerArgsDict] = [{"ip_block": {"cidr": cidr}} for cidr in [*_LINK_LOCAL_DNS, services]]
    ports: list[NetworkPolicyPortArgsDict] = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return _egress([{"to": [in_cluster, *addresses], "ports": ports}])


def namespace_named(name: str) -> NetworkPolicyPeerArgsDict:
    """All pods of a namespace."""
    return {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": name}}}


def prometheus() -> NetworkPolicyPeerArgsDict:
    """Prometheus' own pods: Grafana beside them would reach every model without a key."""
    return {**namespace_named(MONITORING_NAMESPACE), "pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}}}


def _api() -> NetworkPolicySpecArgsDict:
    sources = [namespace_named(GATEWAY_NAMESPACE), prometheus()]
    return {
        "pod_selector": {},
        "policy_types": ["Ingress"],
        "ingress": [{"from_": sources, "ports": [{"port": API_PORT, "protocol": "TCP"}]}],
    }


def _to_weights(weights: Weights) -> list[NetworkPolicyEgressRuleArgsDict]:
    """HTTPS to the internet, not to anything private, unless an endpoint is. Hosts cannot be named in a NetworkPolicy."""
    if weights.endpoint:
        return [_to_endpoint(weights.endpoint, weights.endpoint_range)]
    egress = [_to(_OUTSIDE, 443)]
    if weights.source == "google-cloud-storage":
        egress += [_to({"ip_block": {"cidr": cidr}}, port) for cidr, port in _METADATA_SERVER]
    return egress


def _to_endpoint(endpoint: str, addresses: str | None) -> NetworkPolicyEgressRuleArgsDict:
    """A Service's pods may listen on another port than it has, so its namespace is open on all."""
    url = urlsplit(endpoint)
    labels = (url.hostname or "").split(".")
    if addresses is None and labels[2:3] == ["svc"]:
        return {"to": [namespace_named(labels[1])]}
    peer: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": addresses}} if addresses else _OUTSIDE
    return _to(peer, url.port or (443 if url.scheme == "https" else 80))


def _to(peer: NetworkPolicyPeerArgsDict, port: int) -> NetworkPolicyEgressRuleArgsDict:
    return {"to": [peer], "ports": [{"port": port, "protocol": "TCP"}]}
