"""Parts of NetworkPolicies that several namespaces share: default deny, DNS, API server, trace collector, and Prometheus as a source."""

from __future__ import annotations

from urllib.parse import urlsplit

from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicyPortArgsDict,
    NetworkPolicySpecArgsDict,
)

from components.naming import MONITORING_NAMESPACE
from config.cluster import Cluster, GkeCluster
from config.platform import Tracing

PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]
INTERNET: NetworkPolicyPeerArgsDict = {"ip_block": {"cidr": "0.0.0.0/0", "except_": PRIVATE_RANGES}}
# NodeLocal DNSCache and Cloud DNS answer on link-local addresses; kube-dns on an address of the Service range.
_LINK_LOCAL_DNS = ["169.254.20.10/32", "169.254.169.254/32"]
# private.googleapis.com: cloud.google.com/vpc/docs/configure-private-google-access#domain-options
PRIVATE_GOOGLE_APIS = "199.36.153.8/30"
DEFAULT_DENY: NetworkPolicySpecArgsDict = {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]}
# Where API servers listen: clouds; kubeadm, kind and k3s; minikube; MicroK8s.
_API_SERVER_PORTS = (443, 6443, 8443, 16443)


def dns_policy(cluster: Cluster) -> NetworkPolicySpecArgsDict:
    """Lets every pod of a namespace resolve names, over UDP and TCP."""
    services = cluster.ranges.services if isinstance(cluster, GkeCluster) else cluster.service_range
    in_cluster = namespace_named("kube-system")
    addresses: list[NetworkPolicyPeerArgsDict] = [{"ip_block": {"cidr": cidr}} for cidr in [*_LINK_LOCAL_DNS, services]]
    ports: list[NetworkPolicyPortArgsDict] = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return egress({"to": [in_cluster, *addresses], "ports": ports})


def namespace_named(name: str) -> NetworkPolicyPeerArgsDict:
    """All pods of a namespace."""
    return {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": name}}}


def prometheus() -> NetworkPolicyPeerArgsDict:
    """Prometheus' pods only, not the whole namespace: Grafana could otherwise call every model without a key."""
    return {**namespace_named(MONITORING_NAMESPACE), "pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}}}


def api_server_policy(cluster: Cluster) -> NetworkPolicySpecArgsDict:
    """Lets every pod of a namespace call the API server. GKE's has an address inside the VPC. Elsewhere it may be a node, and with Cilium
    an address range does not match nodes, so only its ports are named."""
    if not isinstance(cluster, GkeCluster):
        return egress({"ports": tcp(*_API_SERVER_PORTS)})
    inside = sorted({*PRIVATE_RANGES, cluster.ranges.nodes})
    return egress({"to": [{"ip_block": {"cidr": cidr}} for cidr in inside], "ports": tcp(443)})


def traces_policy(tracing: Tracing | None) -> dict[str, NetworkPolicySpecArgsDict]:
    """Lets every pod of a namespace reach the trace collector, if there is one."""
    return {"allow-traces": egress(to_endpoint(tracing.endpoint, tracing.endpoint_range))} if tracing else {}


def egress(*rules: NetworkPolicyEgressRuleArgsDict) -> NetworkPolicySpecArgsDict:
    return {"pod_selector": {}, "policy_types": ["Egress"], "egress": list(rules)}


def to_endpoint(endpoint: str, addresses: str | None) -> NetworkPolicyEgressRuleArgsDict:
    """Egress to a URL. For a Service in the cluster all ports of its namespace, because its pods may listen on other ports; else the
    given address range, or the internet."""
    url = urlsplit(endpoint)
    labels = (url.hostname or "").split(".")
    if addresses is None and labels[2:3] == ["svc"]:
        return {"to": [namespace_named(labels[1])]}
    return to({"ip_block": {"cidr": addresses}} if addresses else INTERNET, url.port or (443 if url.scheme == "https" else 80))


def to(peer: NetworkPolicyPeerArgsDict, port: int) -> NetworkPolicyEgressRuleArgsDict:
    return {"to": [peer], "ports": tcp(port)}


def tcp(*ports: int) -> list[NetworkPolicyPortArgsDict]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
