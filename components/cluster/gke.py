"""A private GKE Standard cluster, its node service account and its system node pool.

The control plane, the Google service account of all nodes, and the CPU node pool for everything that is not a model server.
`node_pools.py` has the GPU node pools.

The control plane has only a DNS endpoint, protected by IAM, and no IP endpoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pulumi
from pulumi_gcp import container, projects, serviceaccount

from components.cluster.encryption import key_grants
from components.cluster.network import PODS_RANGE, SERVICES_RANGE, Network
from components.cluster.nodes import METADATA, OAUTH_SCOPES, SHIELDED, node_config
from components.naming import google_labels, shortened
from config.cluster import GkeCluster as ClusterSettings
from config.cluster import MaintenanceWindow
from config.security import Security

SYSTEM_DISK_GIB = 100
_NODE_ROLES = ("roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader")
_ACCOUNT_ID_LIMIT = 30


@dataclass(frozen=True)
class GkeClusterArgs:
    project: str
    project_number: pulumi.Input[str]
    region: str
    settings: ClusterSettings
    network: Network


class GkeCluster(pulumi.ComponentResource):
    """The cluster with its system node pool."""

    cluster: container.Cluster
    system_pool: container.NodePool
    node_account: pulumi.Output[str]
    dns_endpoint: pulumi.Output[str]

    def __init__(self, name: str, args: GkeClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:cluster:GkeCluster", name, None, opts)
        account, roles = self._node_account(name, args)
        self.node_account = account.email
        grants = key_grants(args.settings.security, args.project_number, pulumi.ResourceOptions(parent=self))
        self.cluster = self._cluster(name, args, depends_on=[args.network, *roles, *grants])
        self.system_pool = self._system_pool(args)
        self.dns_endpoint = self.cluster.control_plane_endpoints_config.dns_endpoint_config.endpoint
        self.register_outputs({"name": self.cluster.name, "dns_endpoint": self.dns_endpoint, "node_account": self.node_account})

    def _node_account(self, name: str, args: GkeClusterArgs) -> tuple[serviceaccount.Account, list[projects.IAMMember]]:
        """The nodes' service account may write logs and metrics and pull images; workloads get permissions by Workload Identity."""
        here = pulumi.ResourceOptions(parent=self)
        account = serviceaccount.Account(
            f"{name}-nodes",
            account_id=shortened(f"{name}-nodes", _ACCOUNT_ID_LIMIT),
            display_name=f"Nodes of GKE cluster {name}",
            opts=here,
        )
        roles = [
            projects.IAMMember(f"{name}-nodes-{role.rpartition('/')[2]}", project=args.project, role=role, member=account.member, opts=here)
            for role in _NODE_ROLES
        ]
        return account, roles

    def _cluster(self, name: str, args: GkeClusterArgs, depends_on: list[pulumi.Resource]) -> container.Cluster:
        settings = args.settings
        return container.Cluster(
            name,
            name=name,
            location=args.region,
            node_locations=settings.zones,
            deletion_protection=settings.deletion_protection,
            resource_labels=google_labels(name),
            network=args.network.network_id,
            subnetwork=args.network.subnet_id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy={"cluster_secondary_range_name": PODS_RANGE, "services_secondary_range_name": SERVICES_RANGE},
            datapath_provider="ADVANCED_DATAPATH",
            enable_intranode_visibility=True,
            gateway_api_config={"channel": "CHANNEL_STANDARD"},
            private_cluster_config={"enable_private_nodes": True},
            control_plane_endpoints_config=_endpoints(settings),
            release_channel={"channel": settings.release_channel},
            maintenance_policy=_maintenance_policy(settings.maintenance),
            workload_identity_config={"workload_pool": f"{args.project}.svc.id.goog"},
            database_encryption=_database_encryption(settings.security),
            authenticator_groups_config=_authenticator_groups(settings.security),
            enable_shielded_nodes=True,
            enable_legacy_abac=False,
            master_auth={"client_certificate_config": {"issue_client_certificate": False}},
            anonymous_authentication_config={"mode": "LIMITED"},
            rbac_binding_config={
                "enable_insecure_binding_system_authenticated": False,
                "enable_insecure_binding_system_unauthenticated": False,
            },
            binary_authorization={"evaluation_mode": settings.security.binary_authorization},
            security_posture_config={"mode": "BASIC", "vulnerability_mode": "VULNERABILITY_DISABLED"},
            cluster_autoscaling={"enabled": False, "autoscaling_profile": "OPTIMIZE_UTILIZATION"},
            pod_autoscaling={"hpa_profile": "PERFORMANCE"},
            addons_config={
                "http_load_balancing": {"disabled": False},
                "horizontal_pod_autoscaling": {"disabled": False},
                "gce_persistent_disk_csi_driver_config": {"enabled": True},
            },
            logging_config={"enable_components": ["SYSTEM_COMPONENTS", "WORKLOADS", *settings.security.control_plane_logs]},
            # kube-prometheus-stack scrapes the workloads, so Google's managed collection would only add cost.
            monitoring_config={"enable_components": ["SYSTEM_COMPONENTS"], "managed_prometheus": {"enabled": False}},
            cost_management_config={"enabled": True},
            node_pool_defaults={"node_config_defaults": {"insecure_kubelet_readonly_port_enabled": "FALSE"}},
            # GKE cannot create a cluster without nodes: the default pool exists until the system pool does; then GKE
            # reports another pool's configuration here.
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config=self._temporary_nodes(settings),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=depends_on,
                ignore_changes=["nodeConfig"],
                # Google's own deletion protection refuses only after Pulumi has deleted everything in the cluster; `protect` refuses first.
                protect=settings.deletion_protection,
            ),
        )

    def _temporary_nodes(self, settings: ClusterSettings) -> container.ClusterNodeConfigArgsDict:
        return {
            "machine_type": settings.system_pool.machine_type,
            "service_account": self.node_account,
            "boot_disk_kms_key": settings.security.disk_kms_key,
            "oauth_scopes": OAUTH_SCOPES,
            "metadata": METADATA,
            "shielded_instance_config": {**SHIELDED},
            "workload_metadata_config": {"mode": "GKE_METADATA"},
        }

    def _system_pool(self, args: GkeClusterArgs) -> container.NodePool:
        """The system node pool, without taints, for kube-system and GKE's agents too."""
        pool, zones = args.settings.system_pool, args.settings.zones
        return container.NodePool(
            "system",
            cluster=self.cluster.id,
            node_locations=zones,
            initial_node_count=math.ceil(pool.min / len(zones)),
            autoscaling={"total_min_node_count": pool.min, "total_max_node_count": pool.max, "location_policy": "BALANCED"},
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings={"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            network_config={"enable_private_nodes": True},
            node_config=node_config(
                machine_type=pool.machine_type,
                boot_disk_gib=SYSTEM_DISK_GIB,
                boot_disk_kms_key=args.settings.security.disk_kms_key,
                service_account=self.node_account,
                resource_labels=google_labels(args.settings.name),
            ),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["initialNodeCount"]),
        )


def _endpoints(settings: ClusterSettings) -> container.ClusterControlPlaneEndpointsConfigArgsDict:
    """The DNS endpoint, for IAM identities only: it accepts neither client certificates nor service account tokens."""
    dns: container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgsDict = {
        "allow_external_traffic": settings.external_dns_endpoint,
        "enable_k8s_certs_via_dns": False,
        "enable_k8s_tokens_via_dns": False,
    }
    return {"dns_endpoint_config": dns, "ip_endpoints_config": {"enabled": False}}


def _database_encryption(security: Security) -> container.ClusterDatabaseEncryptionArgsDict:
    """Spelt out where there is no key, too: taking a key away is a change that Google has to be told."""
    if security.secrets_kms_key is None:
        return {"state": "DECRYPTED"}
    return {"state": "ENCRYPTED", "key_name": security.secrets_kms_key}


def _authenticator_groups(security: Security) -> container.ClusterAuthenticatorGroupsConfigArgsDict | None:
    return {"security_group": security.authenticator_group} if security.authenticator_group else None


def _maintenance_policy(window: MaintenanceWindow) -> container.ClusterMaintenancePolicyArgsDict:
    return {
        "recurring_window": {"start_time": window.start_time, "end_time": window.end_time, "recurrence": window.recurrence},
    }
