"""GKE node pools for model servers: for each pool of the stack one on-demand and one spot node pool.

They have the labels and taints of `planning.machines`, which model pods select and tolerate. `cluster.gpuStack` decides here and in the GPU
Operator's values who installs the NVIDIA driver and who partitions GPUs: if they disagree, nodes have no driver, or two device plugins
advertise `nvidia.com/gpu`.

Pools are auto-named, so that a change that GKE cannot make in place can create the new pool before the old one is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import container

from components.cluster.nodes import node_config
from components.naming import google_labels, shortened
from config import catalog
from config.cluster import GkeCluster as ClusterSettings
from config.cluster import GpuStack
from config.node_pools import NodePool
from planning.drain import SPOT_CRITICAL_GRACE_SECONDS, SPOT_SHUTDOWN_GRACE_SECONDS, extends_spot_notice
from planning.machines import NodeGroup, Pool, Taint
from planning.node_changes import NodeChanges

# 40 is GKE's limit; Pulumi appends eight characters.
_NAME_LIMIT = 32
_EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}


@dataclass(frozen=True)
class GpuNodePoolsArgs:
    cluster_id: pulumi.Input[str]
    service_account: pulumi.Input[str]
    cluster: ClusterSettings
    settings: Mapping[str, NodePool]
    """`nodePools` of the stack."""
    changes: Mapping[str, NodeChanges]
    pools: Sequence[Pool]
    """Pools of the plan."""


class GpuNodePools(pulumi.ComponentResource):
    """The on-demand and spot node pools of every pool of the plan."""

    node_pools: list[container.NodePool]

    def __init__(self, name: str, args: GpuNodePoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:cluster:GpuNodePools", name, None, opts)
        groups = [(pool, group) for pool in args.pools for group in (pool.on_demand, pool.spot) if group]
        self.node_pools = [self._node_pool(args, pool, group) for pool, group in groups]
        self.register_outputs({"names": [node_pool.name for node_pool in self.node_pools]})

    def _node_pool(self, args: GpuNodePoolsArgs, pool: Pool, group: NodeGroup) -> container.NodePool:
        return container.NodePool(
            shortened(group.name, _NAME_LIMIT),
            cluster=args.cluster_id,
            node_locations=pool.zones,
            # One zone without capacity would fail the creation: the autoscaler adds the minimum of nodes, in zones with capacity.
            initial_node_count=0,
            autoscaling={
                "total_min_node_count": group.min_nodes,
                "total_max_node_count": group.max_nodes,
                "location_policy": "ANY" if group.capacity == "spot" else "BALANCED",
            },
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings=_upgrade_settings(args.changes[pool.name]),
            network_config={"enable_private_nodes": True},
            max_pods_per_node=args.cluster.max_pods_per_node,
            node_config=_node_config(args, pool, group),
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=args.changes[pool.name].replacement == "delete-first",
                # GKE reports the machine type's bundled local SSDs as if they were configured.
                ignore_changes=["initialNodeCount", "nodeConfig.ephemeralStorageLocalSsdConfig"],
            ),
        )


def _node_config(args: GpuNodePoolsArgs, pool: Pool, group: NodeGroup) -> container.NodePoolNodeConfigArgsDict:
    settings = args.settings[pool.name]
    local_ssds = catalog.machine_types()[pool.machine.name].local_ssds
    config = node_config(
        machine_type=pool.machine.name,
        boot_disk_gib=settings.boot_disk_gib,
        boot_disk_kms_key=args.cluster.security.disk_kms_key,
        service_account=args.service_account,
        resource_labels={**google_labels(args.cluster.name), "node-pool": pool.name},
    )
    config.update(
        {
            "spot": group.capacity == "spot",
            "labels": {**group.node_selector, **_gpu_labels(args.cluster.gpu_stack, pool, settings)},
            "taints": [_taint(taint) for taint in group.taints],
            "guest_accelerators": _guest_accelerators(args.cluster.gpu_stack, pool, settings),
            "gcfs_config": {"enabled": settings.image_streaming},
            "ephemeral_storage_local_ssd_config": {"local_ssd_count": local_ssds} if local_ssds else None,
            "reservation_affinity": _reservation_affinity(settings, group),
            "kubelet_config": _kubelet_config(args.cluster, group),
        }
    )
    if settings.image_disk:
        config["secondary_boot_disks"] = [{"disk_image": settings.image_disk, "mode": "CONTAINER_IMAGE_CACHE"}]
    return config


def _gpu_labels(gpu_stack: GpuStack, pool: Pool, settings: NodePool) -> dict[str, str]:
    """With gpuStack `driver-installer`: labels that tell the GPU Operator what to do on a node instead of GKE."""
    if pool.machine.is_cpu or gpu_stack == "gke-default":
        return {}
    labels = {"gke-no-default-nvidia-gpu-device-plugin": "true"}
    if settings.gpu_sharing:
        labels["nvidia.com/device-plugin.config"] = pool.name
    if settings.gpu_partition_size:
        labels["nvidia.com/mig.config"] = f"all-{settings.gpu_partition_size}"
    return labels


def _guest_accelerators(
    gpu_stack: GpuStack, pool: Pool, settings: NodePool
) -> list[pulumi.Input[container.NodePoolNodeConfigGuestAcceleratorArgsDict]] | None:
    if pool.machine.accelerator_type is None:
        return None
    accelerator: container.NodePoolNodeConfigGuestAcceleratorArgsDict = {
        "type": pool.machine.accelerator_type,
        "count": pool.machine.gpus,
    }
    if gpu_stack == "driver-installer":
        accelerator["gpu_driver_installation_config"] = {"gpu_driver_version": "INSTALLATION_DISABLED"}
        return [accelerator]
    # vLLM's image is built for CUDA 13, which needs driver branch 580 or newer; GKE's DEFAULT can be older.
    accelerator["gpu_driver_installation_config"] = {"gpu_driver_version": "LATEST"}
    if settings.gpu_partition_size:
        accelerator["gpu_partition_size"] = settings.gpu_partition_size
    if settings.gpu_sharing:
        accelerator["gpu_sharing_config"] = {
            "gpu_sharing_strategy": settings.gpu_sharing.strategy,
            "max_shared_clients_per_gpu": settings.gpu_sharing.max_clients_per_gpu,
        }
    return [accelerator]


def _taint(taint: Taint) -> pulumi.Input[container.NodePoolNodeConfigTaintArgsDict]:
    return {"key": taint.key, "value": taint.value, "effect": _EFFECTS[taint.effect]}


def _reservation_affinity(settings: NodePool, group: NodeGroup) -> container.NodePoolNodeConfigReservationAffinityArgsDict:
    """Consume only the reservation that the stack names, never any other matching one."""
    if settings.reservation is None or group.capacity == "spot":
        return {"consume_reservation_type": "NO_RESERVATION"}
    return {
        "consume_reservation_type": "SPECIFIC_RESERVATION",
        "key": "compute.googleapis.com/reservation-name",
        "values": [settings.reservation],
    }


def _kubelet_config(cluster: ClusterSettings, group: NodeGroup) -> container.NodePoolNodeConfigKubeletConfigArgsDict:
    """Graceful node shutdown of spot nodes, with the longest period that GKE allows, for a replica to finish its requests."""
    config: container.NodePoolNodeConfigKubeletConfigArgsDict = {"insecure_kubelet_readonly_port_enabled": "FALSE"}
    if group.capacity == "spot" and extends_spot_notice(cluster):
        config["shutdown_grace_period_seconds"] = SPOT_SHUTDOWN_GRACE_SECONDS
        config["shutdown_grace_period_critical_pods_seconds"] = SPOT_CRITICAL_GRACE_SECONDS
    return config


def _upgrade_settings(changes: NodeChanges) -> container.NodePoolUpgradeSettingsArgsDict:
    return {"strategy": "SURGE", "max_surge": changes.max_surge, "max_unavailable": changes.max_unavailable}
