"""For each rule of the policy pack an edit of what prod registers that it must notice, and what it says then.

Each edit: the resource, the dotted path of a property (None: the resource goes), the value, and the resource that the rule names.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
DEPLOYMENT, NAMESPACE = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Namespace"
_POD = "spec.template.spec"
_CONTAINER = f"{_POD}.containers.0"


@dataclass(frozen=True)
class Edit:
    rule: str
    resource: str
    """Its name."""
    type: str
    path: str | None
    value: Any
    said: str
    """Part of the message."""
    blamed: str = ""
    """Name of the resource that is wrong, where it is not the edited one."""


EDITS = (
    Edit("private-nodes", "llm-prod", CLUSTER, "privateClusterConfig.enablePrivateNodes", False, "public addresses"),
    Edit("private-nodes", "l4-spot", POOL, "networkConfig", None, "public addresses"),
    Edit("shielded-nodes", "llm-prod", CLUSTER, "enableShieldedNodes", False, "enableShieldedNodes"),
    Edit("shielded-nodes", "system", POOL, "nodeConfig.shieldedInstanceConfig.enableSecureBoot", False, "enableSecureBoot"),
    Edit("workload-identity", "llm-prod", CLUSTER, "workloadIdentityConfig", {}, "workloadPool"),
    Edit("workload-identity", "h100-spot", POOL, "nodeConfig.workloadMetadataConfig.mode", "GCE_METADATA", "the node's account"),
    Edit("deletion-protection", "llm-prod", CLUSTER, "deletionProtection", False, "not true"),
    Edit("gpu-taint", "a100-80-spot", POOL, "nodeConfig.taints", [{"key": "cloud.google.com/gke-spot"}], "no taint nvidia.com/gpu"),
    Edit("allowed-accelerators", "l4-spot", POOL, "nodeConfig.guestAccelerators.0.type", "nvidia-b200", "nvidia-b200 is not among"),
    Edit("allowed-regions", "llm-prod", CLUSTER, "location", "europe-west4-b", "europe-west4-b is not in"),
    Edit("allowed-regions", "llm-prod", "gcp:compute/subnetwork:Subnetwork", "region", "us-central10", "us-central10 is not in"),
    Edit("cost-labels", "llm-prod", CLUSTER, "costManagementConfig.enabled", False, "does not know namespaces"),
    Edit("cost-labels", "l4-on-demand", POOL, "nodeConfig.resourceLabels.cluster", None, "no label cluster"),
    # 13 L4s, 16 A100s, 16 H100s are 45; three nodes more of the L4s are 48.
    Edit("gpu-limit", "l4-spot", POOL, "autoscaling.totalMaxNodeCount", 11, "48 GPUs together, and 45", "l4-spot"),
    Edit("pinned-images", "gateway", DEPLOYMENT, f"{_CONTAINER}.image", "envoyproxy/envoy:latest", "another image tomorrow"),
    Edit("pinned-images", "gateway", DEPLOYMENT, f"{_CONTAINER}.image", "registry.acme.example:5000/envoy", "another image tomorrow"),
    Edit("pinned-images", "keda", "kubernetes:helm.sh/v3:Release", "version", None, "no version"),
    Edit(
        "pinned-revisions", "qwen3-8b-floor", DEPLOYMENT, f"{_POD}.initContainers.0.args", ["--revision=main"], "at main,"
    ),
    Edit("pinned-revisions", "qwen3-8b-floor", DEPLOYMENT, f"{_POD}.initContainers.0.args", [], "newest revision"),
    Edit(
        "restricted-pods", "qwen3-8b-namespace", NAMESPACE, "metadata.labels.pod-security\\.kubernetes\\.io/enforce", "baseline", "is not"
    ),
    Edit("restricted-pods", "gateway", DEPLOYMENT, f"{_POD}.hostNetwork", True, "hostNetwork"),
    Edit("restricted-pods", "qwen3-8b-floor", DEPLOYMENT, f"{_POD}.volumes.0", {"name": "x", "hostPath": {"path": "/"}}, "volume x"),
    Edit("restricted-pods", "gateway", DEPLOYMENT, f"{_CONTAINER}.securityContext.privileged", True, "is privileged"),
    Edit("restricted-pods", "gateway", DEPLOYMENT, f"{_CONTAINER}.securityContext.capabilities", None, "keeps capabilities"),
    Edit("restricted-pods", "gateway", DEPLOYMENT, f"{_CONTAINER}.securityContext.allowPrivilegeEscalation", None, "gain privileges"),
    Edit("restricted-pods", "gateway", DEPLOYMENT, f"{_POD}.securityContext.runAsNonRoot", False, "run as root"),
    Edit("requests-and-limits", "gateway", DEPLOYMENT, f"{_CONTAINER}.resources.limits", None, "no limits.memory"),
    Edit("requests-and-limits", "qwen3-8b-burst", DEPLOYMENT, f"{_CONTAINER}.resources.requests.cpu", None, "no requests.cpu"),
    Edit(
        "network-policy", "qwen3-8b-default-deny", "kubernetes:networking.k8s.io/v1:NetworkPolicy", None, None,
        "model-qwen3-8b denies", "qwen3-8b-namespace",
    ),
    Edit(
        "network-policy", "gateway-default-deny", "kubernetes:networking.k8s.io/v1:NetworkPolicy", "spec.policyTypes", ["Ingress"],
        "gateway denies", "gateway-namespace",
    ),
    Edit(
        "disruption-budget", "gateway-budget", "kubernetes:policy/v1:PodDisruptionBudget", None, None, "may evict all", "gateway"
    ),
    Edit(
        "disruption-budget", "qwen3-8b-floor", "kubernetes:policy/v1:PodDisruptionBudget", "spec.selector.matchLabels.vllm-platform/tier",
        "burst", "may evict all",
    ),
    Edit("floor-of-two", "qwen3-32b-fp8-floor", DEPLOYMENT, "spec.replicas", 1, "its floor is 1, below 2"),
    Edit(
        "public-endpoint", "gateway-gateway", "kubernetes:gateway.networking.k8s.io/v1:Gateway", "spec.listeners.0.protocol", "HTTP",
        "without TLS",
    ),
    Edit("public-endpoint", "gateway", DEPLOYMENT, f"{_POD}.volumes.0.projected.sources", [], "no API key", "gateway-gateway"),
)  # fmt: skip


def edited(properties: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the property at the path set; None takes it away. A dot in a key is written with a backslash."""
    found = copy.deepcopy(properties)
    keys = [key.replace("\0", ".") for key in path.replace("\\.", "\0").split(".")]
    inner: Any = found
    for key in keys[:-1]:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    last = int(keys[-1]) if isinstance(inner, list) else keys[-1]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return found
