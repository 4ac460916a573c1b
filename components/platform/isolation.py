"""Who may reach the pods of `monitoring` and `gpu-operator`, and whom they may reach. Everything else is denied.

A port alone, without a peer, stands for what has no address that a policy can name: the API server, which calls webhooks from outside
or from a node, and the nodes themselves, where the kubelet and the node exporter answer. Pods in the host's network know no policies.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicyPeerArgsDict, NetworkPolicySpecArgsDict

from components.isolation import DEFAULT_DENY, api_server_policy, dns_policy, namespace_named, prometheus, tcp, to
from components.naming import CHECK_LABELS, KEDA_NAMESPACE, MANAGED, PROMETHEUS_PORT
from config.cluster import Cluster, ExistingCluster
from config.settings import Settings

# The chart's admission webhook, in the operator's own pod.
_WEBHOOK_PORT = 10250
# Of nodes: node exporter and kubelet; and where they are scraped: etcd, scheduler, controller manager and kube-proxy.
_NODE_PORTS = (9100, 10250)
_CONTROL_PLANE_PORTS = (2381, 10249, 10257, 10259)
# Where Alertmanager's receivers are: HTTPS, and mail.
_RECEIVER_PORTS = (443, 587)
# Package repositories that NVIDIA's driver container builds its kernel modules with.
_REPOSITORY_PORTS = (80, 443)
# The chart's metrics server and its admission webhook.
_KEDA_PORTS = (6443, 9443)
KEDA_OPERATOR = "keda-operator"
_KEDA: NetworkPolicyPeerArgsDict = {
    **namespace_named(KEDA_NAMESPACE),
    "pod_selector": {"match_labels": {"app.kubernetes.io/name": KEDA_OPERATOR}},
}
_KUBELET_PORT = 10250
# Jobs of blue-green models ask Prometheus how a candidate does.
_CHECKS: NetworkPolicySpecArgsDict = {
    "pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}},
    "policy_types": ["Ingress"],
    "ingress": [
        {
            "from_": [{"namespace_selector": {"match_labels": MANAGED}, "pod_selector": {"match_labels": CHECK_LABELS}}],
            "ports": tcp(PROMETHEUS_PORT),
        }
    ],
}
_ANYWHERE_INSIDE: NetworkPolicyPeerArgsDict = {"namespace_selector": {}}


def monitoring_policies(settings: Settings) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name, for the namespace `monitoring`. A person reaches Grafana through the kubelet, which no policy stops."""
    within: NetworkPolicyPeerArgsDict = {"pod_selector": {}}
    nodes = [*_NODE_PORTS, *(_CONTROL_PLANE_PORTS if settings.platform.monitoring.scrape_control_plane else ())]
    return {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(settings.cluster),
        "allow-api-server": api_server_policy(settings.cluster),
        "allow-within": {
            "pod_selector": {},
            "policy_types": ["Ingress", "Egress"],
            "ingress": [{"from_": [within]}],
            "egress": [{"to": [within]}],
        },
        "allow-webhook": {
            "pod_selector": {"match_labels": {"app.kubernetes.io/component": "prometheus-operator"}},
            "policy_types": ["Ingress"],
            "ingress": [{"ports": tcp(_WEBHOOK_PORT)}],
        },
        "allow-autoscaler": {
            "pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}},
            "policy_types": ["Ingress"],
            "ingress": [{"from_": [_KEDA], "ports": tcp(PROMETHEUS_PORT)}],
        },
        **({"allow-checks": _CHECKS} if any(model.rollout.strategy == "blue-green" for model in settings.models.values()) else {}),
        "allow-scraping": _egress("prometheus", [{"to": [_ANYWHERE_INSIDE]}, {"ports": tcp(*nodes)}]),
        "allow-receivers": _egress("alertmanager", [{"to": [_ANYWHERE_INSIDE]}, {"ports": tcp(*_RECEIVER_PORTS)}]),
    }


def keda_policies(cluster: Cluster) -> dict[str, NetworkPolicySpecArgsDict]:
    """The same for `keda`. The API server calls its metrics server and its webhook; the operator asks Prometheus."""
    within: NetworkPolicyPeerArgsDict = {"pod_selector": {}}
    return {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(cluster),
        "allow-api-server": api_server_policy(cluster),
        "allow-within": {
            "pod_selector": {},
            "policy_types": ["Ingress", "Egress"],
            "ingress": [{"from_": [within]}],
            "egress": [{"to": [within]}],
        },
        "allow-called-by-api-server": {"pod_selector": {}, "policy_types": ["Ingress"], "ingress": [{"ports": tcp(*_KEDA_PORTS)}]},
        "allow-scraping": {"pod_selector": {}, "policy_types": ["Ingress"], "ingress": [{"from_": [prometheus()]}]},
        "allow-prometheus": _egress(KEDA_OPERATOR, [to(prometheus(), PROMETHEUS_PORT)]),
    }


def metrics_server_policies(cluster: Cluster) -> dict[str, NetworkPolicySpecArgsDict]:
    """The same for `metrics-server`, which asks every node's kubelet."""
    port = tcp(_KUBELET_PORT)
    return {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(cluster),
        "allow-api-server": api_server_policy(cluster),
        "allow-called-by-api-server": {"pod_selector": {}, "policy_types": ["Ingress"], "ingress": [{"ports": port}]},
        "allow-kubelets": {"pod_selector": {}, "policy_types": ["Egress"], "egress": [{"ports": port}]},
    }


def gpu_operator_policies(cluster: Cluster) -> dict[str, NetworkPolicySpecArgsDict]:
    """The same for `gpu-operator`. Drivers come in containers only where the cluster is not GKE's."""
    policies: dict[str, NetworkPolicySpecArgsDict] = {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(cluster),
        "allow-api-server": api_server_policy(cluster),
        "allow-scraping": {"pod_selector": {}, "policy_types": ["Ingress"], "ingress": [{"from_": [prometheus()]}]},
    }
    if isinstance(cluster, ExistingCluster):
        policies["allow-driver"] = {
            "pod_selector": {"match_labels": {"app.kubernetes.io/component": "nvidia-driver"}},
            "policy_types": ["Egress"],
            "egress": [{"ports": tcp(*_REPOSITORY_PORTS)}],
        }
    return policies


def create_policies(namespace: str, specs: Mapping[str, NetworkPolicySpecArgsDict], opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    return [
        NetworkPolicy(f"{namespace}-{name}", metadata={"name": name, "namespace": namespace, "labels": MANAGED}, spec=spec, opts=opts)
        for name, spec in specs.items()
    ]


def _egress(name: str, rules: list) -> NetworkPolicySpecArgsDict:
    return {"pod_selector": {"match_labels": {"app.kubernetes.io/name": name}}, "policy_types": ["Egress"], "egress": rules}
