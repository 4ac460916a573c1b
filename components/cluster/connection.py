"""`ClusterConnection`: the cluster's interface to the rest of the program, the same for a created and an existing cluster.

Also builds the kubeconfig of a GKE cluster, from configuration and the DNS endpoint. The provider's `cluster_identifier` comes from
configuration only: an identifier that is unknown at preview would show every object as replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_gcp import organizations

from components.cluster.existing import access_command, existing_provider
from components.cluster.gke import GkeCluster, GkeClusterArgs
from components.cluster.image_mirror import ImageMirror, ImageMirrorArgs
from components.cluster.network import Network, NetworkArgs
from components.cluster.node_pools import GpuNodePools, GpuNodePoolsArgs
from components.images import ARTIFACT_REGISTRY
from config.cluster import ExistingCluster
from config.cluster import GkeCluster as ClusterSettings
from config.settings import Settings
from planning.node_changes import NodeChanges
from planning.placement import PoolPlan


@dataclass(frozen=True)
class ClusterConnection:
    provider: kubernetes.Provider
    anchor: pulumi.Resource | None
    """The GKE cluster, for `deleted_with` of objects that exist only inside it. None: the cluster outlives the stack."""
    kubeconfig_command: str
    """Command that gives a user access to the cluster."""
    workload_identity: tuple[str, pulumi.Output[str]] | None
    """Id and number of the Google Cloud project for Workload Identity; None without Workload Identity."""
    nodes: tuple[pulumi.Resource, ...]
    """Node pools, for `depends_on` of model servers."""


def create_cluster(settings: Settings, pools: Mapping[str, PoolPlan], changes: Mapping[str, NodeChanges]) -> ClusterConnection:
    """Creates the GKE cluster that the stack describes, or connects to the one that exists."""
    if isinstance(settings.cluster, ExistingCluster):
        return ClusterConnection(
            provider=existing_provider(settings.cluster),
            anchor=None,
            kubeconfig_command=access_command(settings.cluster),
            workload_identity=None,
            nodes=(),
        )
    return _create_gke(settings, settings.cluster, pools, changes)


def _create_gke(
    settings: Settings, cluster: ClusterSettings, pools: Mapping[str, PoolPlan], changes: Mapping[str, NodeChanges]
) -> ClusterConnection:
    name, project, region = cluster.name, settings.gcp_project, settings.gcp_region
    if project is None or region is None:
        raise ValueError("provider gke needs gcp:project and gcp:region")

    number = organizations.get_project_output(project_id=project).number
    streams = any(model.weights.source == "google-cloud-storage" for model in settings.models.values())
    network = Network(name, NetworkArgs(region=region, ranges=cluster.ranges, private_google_apis=streams))
    gke = GkeCluster(
        name,
        GkeClusterArgs(
            project=project,
            project_number=number,
            region=region,
            settings=cluster,
            network=network,
        ),
    )
    mirrors = []
    if settings.platform.image_mirror == ARTIFACT_REGISTRY:
        mirrors = [ImageMirror(name, ImageMirrorArgs(region=region, cluster=name))]
    gpu_pools = GpuNodePools(
        name,
        GpuNodePoolsArgs(
            cluster_id=gke.cluster.id,
            service_account=gke.node_account,
            cluster=cluster,
            settings=settings.node_pools,
            changes=changes,
            pools=[plan.pool for plan in pools.values()],
        ),
    )
    provider = kubernetes.Provider(
        name,
        kubeconfig=_kubeconfig(name, gke.dns_endpoint),
        cluster_identifier=f"{project}/{region}/{name}/g{cluster.generation}",
        # Update Secrets and ConfigMaps in place: pods refer to them by fixed names.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
        # Workloads need nodes and, with imageMirror artifact-registry, the mirror's repositories.
        opts=pulumi.ResourceOptions(depends_on=[gke.system_pool, *mirrors]),
    )
    return ClusterConnection(
        provider=provider,
        anchor=gke.cluster,
        kubeconfig_command=f"gcloud container clusters get-credentials {name} --region {region} --project {project} --dns-endpoint",
        workload_identity=(project, number),
        nodes=(gpu_pools,),
    )


def _kubeconfig(name: str, dns_endpoint: pulumi.Input[str]) -> pulumi.Output[str]:
    """A kubeconfig without credential or CA: `gke-gcloud-auth-plugin` fetches a token, and the DNS endpoint has a public certificate."""
    credentials = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "installHint": "gcloud components install gke-gcloud-auth-plugin",
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": True,
    }
    return pulumi.Output.json_dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": {"server": pulumi.Output.concat("https://", dns_endpoint)}}],
            "users": [{"name": name, "user": {"exec": credentials}}],
        }
    )
