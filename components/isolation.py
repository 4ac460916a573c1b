"""What every NetworkPolicy of the platform is made of: nothing is allowed, then name resolution, the API server, and who scrapes."""

from __future__ import annotations

from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicyPortArgsDict,
    NetworkPolicySpecArgsDict,
)

from components.naming import MONITORING_NAMESPACE
from config.cluster import Cluster, GkeCluster

PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]
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
    return {"pod_selector": {}, "policy_types": ["Egress"], "egress": [{"to": [in_cluster, *addresses], "ports": ports}]}


def namespace_named(name: str) -> NetworkPolicyPeerArgsDict:
    """All pods of a namespace."""
    return {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": name}}}


def prometheus() -> NetworkPolicyPeerArgsDict:
    """Prometheus' own pods: Grafana beside them would reach every model without a key."""
    return {**namespace_named(MONITORING_NAMESPACE), "pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}}}


def api_server_policy(cluster: Cluster) -> NetworkPolicySpecArgsDict:
    """Lets every pod of a namespace call the API server. GKE's has an address inside the VPC. Elsewhere it may be one of the nodes, which
    no address range stands for where Cilium enforces policies, so only its port is named."""
    egress: NetworkPolicyEgressRuleArgsDict = {"ports": tcp(*_API_SERVER_PORTS)}
    if isinstance(cluster, GkeCluster):
        peers: list[NetworkPolicyPeerArgsDict] = [{"ip_block": {"cidr": cidr}} for cidr in sorted({*PRIVATE_RANGES, cluster.ranges.nodes})]
        egress = {"to": peers, "ports": tcp(443)}
    return {"pod_selector": {}, "policy_types": ["Egress"], "egress": [egress]}


def tcp(*ports: int) -> list[NetworkPolicyPortArgsDict]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
