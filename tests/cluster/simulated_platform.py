"""Stand-ins for what Helm charts and the cluster itself would run: as many pods, with what decides whether they are admitted and placed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.platform.gpu_operator import CHART, NAMESPACE
from tests.cluster.simulated_nodes import MEASURED
from tools.preview.offline import Recording

Object = dict[str, Any]
CRITICAL = "system-node-critical"
DAEMONS, OPERAND = "daemons", "nvidia-dcgm-exporter"
_RELEASE = "kubernetes:helm.sh/v3:Release"


def daemons() -> Object:
    """What GKE's own pods and Node Feature Discovery were seen to request on every node. Critical, as they are."""
    milli_cpu, memory = (sum(one[key] for one in MEASURED["daemons"].values()) for key in ("milliCpu", "memoryMi"))
    requests = {"cpu": f"{milli_cpu}m", "memory": f"{memory}Mi"}
    everywhere = [{"operator": "Exists"}]
    return workload("DaemonSet", DAEMONS, "kube-system", tolerations=everywhere, requests=requests, priority=CRITICAL)


def system_quota() -> Object:
    """GKE's own, which lets critical pods into kube-system."""
    classes = {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical", "system-cluster-critical"]}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gcp-critical-pods", "namespace": "kube-system"},
        "spec": {"hard": {"pods": "1G"}, "scopeSelector": {"matchExpressions": [classes]}},
    }


def gpu_operator(recording: Recording) -> Iterator[Object]:
    """The operator and one of its operands, where the program installs them. The operand is critical to its node and has the
    tolerations that the program's values give it; its room is counted in `daemons`."""
    for release in recording.resources:
        if release.type == _RELEASE and release.inputs["name"] == CHART:
            tolerations = release.inputs["values"]["daemonsets"]["tolerations"]
            gpu_nodes = {"cloud.google.com/gke-accelerator": "Exists"}
            yield workload("Deployment", CHART, NAMESPACE)
            yield workload("DaemonSet", OPERAND, NAMESPACE, tolerations=tolerations, nodes=gpu_nodes, priority=CRITICAL)


def workload(
    kind: str,
    name: str,
    namespace: str,
    *,
    tolerations: Sequence[Mapping[str, str]] = (),
    requests: Mapping[str, str] | None = None,
    nodes: Mapping[str, str] | None = None,
    priority: str | None = None,
) -> Object:
    """A Deployment or DaemonSet; `nodes` are labels and what must be true of them (`Exists`)."""
    container = {"name": name, "image": f"example.invalid/{name}", "resources": {"requests": dict(requests or {})}}
    terms = [{"matchExpressions": [{"key": key, "operator": operator} for key, operator in nodes.items()]}] if nodes else []
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}} if terms else {}
    spec = {"tolerations": list(tolerations), "containers": [container], "affinity": affinity}
    if priority:
        spec["priorityClassName"] = priority
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }
