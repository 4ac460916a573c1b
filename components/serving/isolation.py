"""NetworkPolicies of a model server's namespace. Everything that they do not allow is denied.

Ingress: the gateway and Prometheus, on the API port. Egress: DNS, the source of the weights, and the trace collector. vLLM's own API key
protects only some of its endpoints; these policies protect all.
"""

from __future__ import annotations

from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict, NetworkPolicySpecArgsDict

from components.gateway import pod as gateway
from components.isolation import (
    DEFAULT_DENY,
    INTERNET,
    PRIVATE_GOOGLE_APIS,
    dns_policy,
    egress,
    namespace_named,
    prometheus,
    tcp,
    to,
    to_endpoint,
    traces_policy,
)
from components.naming import API_PORT, CHECK_LABELS, GATEWAY_NAMESPACE, PROMETHEUS_PORT, SERVERS
from config.cluster import Cluster
from config.platform import Tracing
from config.weights import Weights

# GKE's metadata server, which issues Workload Identity tokens: its addresses with Dataplane V2 and with iptables.
_METADATA_SERVER = [("169.254.169.254/32", 80), ("169.254.169.252/32", 988), ("127.0.0.1/32", 988)]


# Of the Job that fills a claim: the one pod that needs a way out, where the replicas only mount what it has downloaded.
JOB_LABELS = {"app.kubernetes.io/name": "weights"}


def network_policies(cluster: Cluster, weights: Weights, tracing: Tracing | None) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name. Weights of a PersistentVolumeClaim need no egress of pods."""
    policies: dict[str, NetworkPolicySpecArgsDict] = {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(cluster),
        "allow-api": _api(),
    }
    if weights.source != "claim":
        policies["allow-weights"] = egress(*_to_weights(weights))
    if weights.cache == "persistent-volume-claim":
        policies["allow-weights"]["pod_selector"] = {"match_labels": JOB_LABELS}
    return policies | traces_policy(tracing)


def check_policies() -> dict[str, NetworkPolicySpecArgsDict]:
    """For the Jobs that judge a candidate: they ask its replicas, the gateway's pods what they see of it, and Prometheus."""
    checks: NetworkPolicyPeerArgsDict = {"pod_selector": {"match_labels": CHECK_LABELS}}
    servers: NetworkPolicyPeerArgsDict = {"pod_selector": {"match_labels": SERVERS}}
    seers: NetworkPolicyPeerArgsDict = {**namespace_named(GATEWAY_NAMESPACE), "pod_selector": {"match_labels": gateway.LABELS}}
    rules = [to(servers, API_PORT), to(seers, gateway.OPERATIONS_PORT), to(prometheus(), PROMETHEUS_PORT)]
    return {
        "allow-checked": {
            "pod_selector": {"match_labels": SERVERS},
            "policy_types": ["Ingress"],
            "ingress": [{"from_": [checks], "ports": tcp(API_PORT)}],
        },
        "allow-checks": {"pod_selector": {"match_labels": CHECK_LABELS}, "policy_types": ["Egress"], "egress": rules},
    }


def _api() -> NetworkPolicySpecArgsDict:
    sources = [namespace_named(GATEWAY_NAMESPACE), prometheus()]
    return {"pod_selector": {}, "policy_types": ["Ingress"], "ingress": [{"from_": sources, "ports": tcp(API_PORT)}]}


def _to_weights(weights: Weights) -> list[NetworkPolicyEgressRuleArgsDict]:
    """HTTPS to public addresses, to private ones only for an endpoint, because a NetworkPolicy cannot name hosts. Google Cloud Storage is
    reached at the addresses of private.googleapis.com."""
    if weights.source == "google-cloud-storage":
        google = to({"ip_block": {"cidr": PRIVATE_GOOGLE_APIS}}, 443)
        return [google, *(to({"ip_block": {"cidr": cidr}}, port) for cidr, port in _METADATA_SERVER)]
    if weights.endpoint:
        return [to_endpoint(weights.endpoint, weights.endpoint_range)]
    return [to(INTERNET, 443)]
