"""Configuration of all nodes: the cluster's service account, Shielded VM, Workload Identity, no legacy metadata endpoints."""

from __future__ import annotations

import pulumi
from pulumi_gcp import container

from config import catalog

OAUTH_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
METADATA = {"disable-legacy-endpoints": "true"}
SHIELDED = {"enable_secure_boot": True, "enable_integrity_monitoring": True}


def node_config(
    *,
    machine_type: str,
    boot_disk_gib: int,
    boot_disk_kms_key: str | None,
    service_account: pulumi.Input[str],
    resource_labels: dict[str, str],
) -> container.NodePoolNodeConfigArgsDict:
    """The node configuration that node pools extend. The machine type decides the boot disk's type: some support only Hyperdisk."""
    return {
        "machine_type": machine_type,
        "image_type": "COS_CONTAINERD",
        "boot_disk": {"disk_type": catalog.machine_types()[machine_type].boot_disk_type, "size_gb": boot_disk_gib},
        "boot_disk_kms_key": boot_disk_kms_key,
        "service_account": service_account,
        "oauth_scopes": OAUTH_SCOPES,
        "metadata": METADATA,
        "resource_labels": resource_labels,
        "shielded_instance_config": {**SHIELDED},
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        "gvnic": {"enabled": True},
        "kubelet_config": {"insecure_kubelet_readonly_port_enabled": "FALSE"},
    }
