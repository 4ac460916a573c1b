"""NetworkPolicies of a model server's namespace. Everything that they do not allow is denied.

Ingress: the gateway and Prometheus, on the API port. Egress: DNS, and the source of the weights. vLLM's own API key protects only some of
its endpoints; these policies protect all.
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
from config.weights import Weights

PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]
# NodeLocal DNSCache and Cloud DNS answer on link-local addresses; kube-dns on an address of the Service range.
_LINK_LOCAL_DNS = ["169.254.20.10/32", "169.254.169.254/32"]
# GKE's metadata server, which issues Workload Identity tokens: its addresses with Dataplane V2 and with iptables.
_METADATA_SERVER = [("169.254.169.254/32", 80), ("169.254.169.252/32", 988), ("127.0.0.1/32", 988)]


def network_policies(cluster: Cluster, weights: Weights) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name. Weights of a PersistentVolumeClaim need no egress of pods."""
    policies: dict[str, NetworkPolicySpecArgsDict] = {
        "default-deny": {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
        "allow-dns": dns_policy(cluster),
        "allow-api": _api(),
    }
    if weights.source != "claim":
        policies["allow-weights"] = {"pod_selector": {}, "policy_types": ["Egress"], "egress": _to_weights(weights)}
    return policies


def dns_policy(cluster: Cluster) -> NetworkPolicySpecArgsDict:
    """Lets every pod of a namespace resolve names, over UDP and TCP."""
    services = cluster.ranges.services if isinstance(cluster, GkeCluster) else cluster.service_range
    in_cluster = namespace_named("kube-system")
    addresses: list[NetworkPolicyPeerArgsDict] = [{"ip_block": {"cidr": cidr}} for cidr in [*_LINK_LOCAL_DNS, services]]
    ports: list[NetworkPolicyPortArgsDict] = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {"pod_selector": {}, "policy_types": ["Egress"], "egress": [{"to": [in_cluster, *addresses], "ports": ports}]}


def namespace_named(name: str) -> NetworkPolicyPeerArgsDict:
    """All pods of a namespace."""
    return {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": name}}}


def prometheus() -> NetworkPolicyPeerArgsDict:
    """Prometheus' pods only, not the whole namespace: Grafana could otherwise call every model without a key."""
    return {**namespace_named(MONITORING_NAMESPACE), "pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}}}


def _api() -> NetworkPolicySpecArgsDict:
    sources = [namespace_named(GATEWAY_NAMESPACE), prometheus()]
    return {
        "pod_selector": {},
        "policy_types": ["Ingress"],
        "ingress": [{"from_": sources, "ports": [{"port": API_PORT, "protocol": "TCP"}]}],
    }


def _to_weights(weights: Weights) -> list[NetworkPolicyEgressRuleArgsDict]:
    """HTTPS to public addresses, to private ones only for an endpoint, because a NetworkPolicy cannot name hosts."""
    outside: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": "0.0.0.0/0", "except_": PRIVATE_RANGES}}
    if weights.endpoint:
        return [_to_endpoint(weights.endpoint, weights.endpoint_range, outside)]
    egress = [_to(outside, 443)]
    if weights.source == "google-cloud-storage":
        egress += [_to({"ip_block": {"cidr": cidr}}, port) for cidr, port in _METADATA_SERVER]
    return egress


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
