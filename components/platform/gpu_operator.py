"""The NVIDIA GPU Operator as a Helm release.

Creates the operator's namespace with its NetworkPolicies and ResourceQuota, and the chart's values. With gpuStack `gke-default` GKE
installs the driver, with `driver-installer` Google's DaemonSet; on other clusters the operator installs it, by the chart's defaults.
Driver, advertiser of `nvidia.com/gpu` and partitioning of GPUs must agree with the node pools, so all of them follow from `gpuStack`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes.core.v1 import ResourceQuota
from pulumi_kubernetes.helm.v3 import Release

from components.images import image_reference
from components.naming import MANAGED
from components.platform.isolation import gpu_operator_policies
from components.platform.monitoring import RELEASE_LABEL
from components.platform.release import helm_release, merged, own_namespace
from config.cluster import GkeCluster
from config.node_pools import GpuSharing
from config.settings import Settings
from planning.machines import GPU_TAINT, SPOT_TAINT

CHART = "gpu-operator"
NAMESPACE = "gpu-operator"
TIMEOUT_SECONDS = 1800
COS_DRIVER_FOLDER = "/home/kubernetes/bin/nvidia"
_CRITICAL_CLASSES = ["system-node-critical", "system-cluster-critical"]
_SCRAPE_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class GpuOperatorArgs:
    settings: Settings
    anchor: pulumi.Resource | None
    after: Sequence[pulumi.Resource]
    """Resources to create first: the operator creates its ServiceMonitor only if the CRD exists."""


class GpuOperator(pulumi.ComponentResource):
    """The operator's release, and the namespace and ResourceQuota that its pods need."""

    release: Release

    def __init__(self, name: str, args: GpuOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:GpuOperator", name, None, opts)
        policies = gpu_operator_policies(args.settings.cluster)
        inside = own_namespace(NAMESPACE, pod_security="privileged", policies=policies, parent=self, anchor=args.anchor)
        needed = [*inside, *args.after]
        if isinstance(args.settings.cluster, GkeCluster):
            needed.append(self._critical_pods_quota(args, needed))
        self.release = helm_release(
            CHART,
            namespace=NAMESPACE,
            values=gpu_operator_values(args.settings),
            mirror=args.settings.platform.chart_mirror,
            timeout_seconds=TIMEOUT_SECONDS,
            parent=self,
            anchor=args.anchor,
            needed=needed,
        )
        self.register_outputs({"version": self.release.version})

    def _critical_pods_quota(self, args: GpuOperatorArgs, needed: Sequence[pulumi.Resource]) -> ResourceQuota:
        """GKE admits pods of the critical priority classes only in namespaces with a ResourceQuota for them."""
        return ResourceQuota(
            f"{NAMESPACE}-critical-pods",
            metadata={"name": "critical-pods", "namespace": NAMESPACE, "labels": MANAGED},
            spec={
                "hard": {"pods": str(args.settings.platform.gpu_operator.pod_quota)},
                "scope_selector": {
                    "match_expressions": [{"scope_name": "PriorityClass", "operator": "In", "values": _CRITICAL_CLASSES}],
                },
            },
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.anchor, depends_on=needed),
        )


def gpu_operator_values(settings: Settings) -> dict[str, Any]:
    """Values of the chart `gpu-operator`."""
    tolerations = [{"key": taint.key, "operator": "Exists", "effect": taint.effect} for taint in (GPU_TAINT, SPOT_TAINT)]
    control_plane = {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}
    values = {
        # The chart's 350Mi is too little once there are hundreds of nodes.
        "operator": {"resources": {"limits": {"memory": "700Mi"}}},
        "daemonsets": {"tolerations": tolerations},
        # This subchart has its own tolerations: without them spot nodes get no labels, and operands run only on labelled nodes.
        "node-feature-discovery": {"worker": {"tolerations": [*tolerations, control_plane]}},
        "dcgmExporter": {"serviceMonitor": _service_monitor(settings)},
        # The workload check would briefly occupy a GPU of every new node.
        "validator": {"plugin": {"env": [{"name": "WITH_WORKLOAD", "value": "false"}]}},
    }
    return merged(merged(values, _gke_values(settings)), _image_values(settings))


def _gke_values(settings: Settings) -> dict[str, Any]:
    cluster = settings.cluster
    if not isinstance(cluster, GkeCluster):
        return {}
    on_cos = {
        "hostPaths": {"driverInstallDir": COS_DRIVER_FOLDER},
        "driver": {"enabled": False},
        # containerd 2 (GKE 1.33): with the default source (command line) the toolkit's configuration loses GKE's CNI settings.
        "toolkit": {"installDir": COS_DRIVER_FOLDER, "env": [{"name": "RUNTIME_CONFIG_SOURCE", "value": "file"}]},
    }
    if cluster.gpu_stack == "gke-default":
        # GKE's device plugin names GPUs nvidia0, nvidia1, ...; the exporter looks for UUIDs unless told so.
        exporter_env = [{"name": "DCGM_EXPORTER_KUBERNETES_GPU_ID_TYPE", "value": "device-name"}]
        # The MIG manager would undo GKE's partitions.
        divided_by_gke = {"devicePlugin": {"enabled": False}, "migManager": {"enabled": False}}
        return {**on_cos, **divided_by_gke, "dcgmExporter": {"env": exporter_env}}
    shared = {name: pool.gpu_sharing for name, pool in settings.node_pools.items() if pool.gpu_sharing}
    return {
        **on_cos,
        "devicePlugin": {"enabled": True, **_sharing(shared)},
        "migManager": {"enabled": True, "env": [{"name": "WITH_REBOOT", "value": "true"}]},
    }


def _sharing(pools: Mapping[str, GpuSharing]) -> dict[str, Any]:
    """The device plugin's configurations, one per pool with shared GPUs; a node label selects the configuration by the pool's name."""
    if not pools:
        return {}
    data = {name: yaml.safe_dump(_plugin_config(sharing), sort_keys=False) for name, sharing in pools.items()}
    return {"config": {"create": True, "name": "device-plugin-sharing", "data": data}}


def _plugin_config(sharing: GpuSharing) -> dict[str, Any]:
    strategy = "mps" if sharing.strategy == "MPS" else "timeSlicing"
    resources = [{"name": "nvidia.com/gpu", "replicas": sharing.max_clients_per_gpu}]
    return {"version": "v1", "sharing": {strategy: {"resources": resources}}}


def _service_monitor(settings: Settings) -> dict[str, Any]:
    monitoring = settings.platform.monitoring
    if not monitoring.enabled:
        return {"enabled": False}
    return {
        "enabled": True,
        "interval": f"{monitoring.scrape_interval_seconds}s",
        "scrapeTimeout": f"{min(_SCRAPE_TIMEOUT_SECONDS, monitoring.scrape_interval_seconds)}s",
        # Series keep the labels of the pod that uses the GPU, instead of the exporter's own.
        "honorLabels": True,
        "additionalLabels": RELEASE_LABEL,
    }


def _image_values(settings: Settings) -> dict[str, Any]:
    """Repositories of the chart's images on the mirror."""
    if settings.platform.image_mirror is None:
        return {}
    nvidia, k8s, cloud_native = (image_reference(settings, f"nvcr.io/{path}") for path in ("nvidia", "nvidia/k8s", "nvidia/cloud-native"))
    return {
        "operator": {"repository": nvidia},
        "validator": {"repository": nvidia},
        "driver": {"repository": nvidia, "manager": {"repository": cloud_native}},
        "toolkit": {"repository": k8s},
        "devicePlugin": {"repository": nvidia},
        "gfd": {"repository": nvidia},
        "dcgmExporter": {"repository": k8s},
        "migManager": {"repository": cloud_native},
        "node-feature-discovery": {"image": {"repository": image_reference(settings, "registry.k8s.io/nfd/node-feature-discovery")}},
    }
