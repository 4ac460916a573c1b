"""Google's driver installer for Container-Optimized OS: the DaemonSet for cluster.gpuStack `driver-installer`.

Follows nvidia-driver-installer/cos/daemonset-preloaded-latest.yaml of GoogleCloudPlatform/container-engine-accelerators at 992db81.
The variant `latest`, because vLLM's image is built for CUDA 13 and needs driver branch 580 or newer. The installer's own image is part
of the node's; the others are pinned by digest. It must live in kube-system: elsewhere GKE refuses its priority class.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet
from pulumi_kubernetes.core.v1 import ContainerArgsDict, NodeSelectorTermArgsDict, PodSpecArgsDict

from components.naming import MANAGED

NAME = "nvidia-driver-installer"
NAMESPACE = "kube-system"
INSTALLER_IMAGE = "cos-nvidia-installer:fixed"
PARTITION_IMAGE = "gcr.io/gke-release/nvidia-partition-gpu@sha256:de12f85ebfb4fb6c1893cd30c23aab662a72fa0448f97ef74fccb82d7522ef17"
PAUSE_IMAGE = "gke.gcr.io/pause:3.8@sha256:880e63f94b145e46f1b1082bb71b85e21f16b99b180b9996407d61240ceb9830"

_SELECTOR = {"k8s-app": NAME}
_HOST_PATHS = {
    "dev": "/dev",
    "vulkan-icd-mount": "/home/kubernetes/bin/nvidia/vulkan/icd.d",
    "nvidia-install-dir-host": "/home/kubernetes/bin/nvidia",
    "root-mount": "/",
    "cos-tools": "/var/lib/cos-tools",
    "nvidia-config": "/etc/nvidia",
}
_INSTALL = """\
if lsmod | grep nvidia; then
  echo "A driver is loaded already; nothing to install"
  exit 0
fi
/cos-gpu-installer install --version=latest || exit 1
chmod 755 /root/home/kubernetes/bin/nvidia
"""


@dataclass(frozen=True)
class DriverInstallerArgs:
    anchor: pulumi.Resource | None


class DriverInstaller(pulumi.ComponentResource):
    """Installs the driver on every GPU node whose pool disables GKE's driver installation."""

    def __init__(self, name: str, args: DriverInstallerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:DriverInstaller", name, None, opts)
        DaemonSet(
            NAME,
            metadata={"name": NAME, "namespace": NAMESPACE, "labels": {**MANAGED, **_SELECTOR}},
            spec={
                "selector": {"match_labels": _SELECTOR},
                "update_strategy": {"type": "RollingUpdate"},
                "template": {"metadata": {"labels": {**MANAGED, **_SELECTOR, "name": NAME}}, "spec": _pod_spec()},
            },
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.anchor),
        )
        self.register_outputs({})


def _pod_spec() -> PodSpecArgsDict:
    return {
        "priority_class_name": "system-node-critical",
        "affinity": {"node_affinity": {"required_during_scheduling_ignored_during_execution": {"node_selector_terms": [_gpu_nodes()]}}},
        "tolerations": [{"operator": "Exists"}],
        "host_network": True,
        "host_pid": True,
        "volumes": [{"name": name, "host_path": {"path": path}} for name, path in _HOST_PATHS.items()],
        "init_containers": [_installer(), _partitioner()],
        "containers": [{"name": "pause", "image": PAUSE_IMAGE}],
    }


def _gpu_nodes() -> NodeSelectorTermArgsDict:
    """GPU nodes whose driver GKE does not install."""
    return {
        "match_expressions": [
            {"key": "cloud.google.com/gke-accelerator", "operator": "Exists"},
            {"key": "cloud.google.com/gke-gpu-driver-version", "operator": "DoesNotExist"},
            {"key": "cloud.google.com/gke-confidential-nodes-instance-type", "operator": "DoesNotExist"},
        ]
    }


def _installer() -> ContainerArgsDict:
    environment = {
        "NVIDIA_INSTALL_DIR_HOST": "/home/kubernetes/bin/nvidia",
        "NVIDIA_INSTALL_DIR_CONTAINER": "/usr/local/nvidia",
        "VULKAN_ICD_DIR_HOST": "/home/kubernetes/bin/nvidia/vulkan/icd.d",
        "VULKAN_ICD_DIR_CONTAINER": "/etc/vulkan/icd.d",
        "ROOT_MOUNT_DIR": "/root",
        "COS_TOOLS_DIR_HOST": "/var/lib/cos-tools",
        "COS_TOOLS_DIR_CONTAINER": "/build/cos-tools",
    }
    mounts = {
        "nvidia-install-dir-host": "/usr/local/nvidia",
        "vulkan-icd-mount": "/etc/vulkan/icd.d",
        "dev": "/dev",
        "root-mount": "/root",
        "cos-tools": "/build/cos-tools",
    }
    return {
        **_privileged(NAME, INSTALLER_IMAGE, environment, mounts),
        "image_pull_policy": "Never",
        "command": ["bash", "-c", _INSTALL],
    }


def _partitioner() -> ContainerArgsDict:
    """Applies the MIG partition size of nodes that have one."""
    mounts = {"nvidia-install-dir-host": "/usr/local/nvidia", "dev": "/dev", "nvidia-config": "/etc/nvidia"}
    return _privileged("partition-gpus", PARTITION_IMAGE, {"LD_LIBRARY_PATH": "/usr/local/nvidia/lib64"}, mounts)


def _privileged(name: str, image: str, environment: dict[str, str], mounts: dict[str, str]) -> ContainerArgsDict:
    return {
        "name": name,
        "image": image,
        "resources": {"requests": {"cpu": "150m"}},
        "security_context": {"privileged": True},
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "volume_mounts": [{"name": volume, "mount_path": path} for volume, path in mounts.items()],
    }
