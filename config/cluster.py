"""`cluster`: where the platform runs. A GKE cluster that this program owns, or any cluster that a kubeconfig reaches."""

from __future__ import annotations

from datetime import datetime
from itertools import combinations
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from config.errors import rule
from config.maintenance import Recurrence, check_maintenance
from config.ranges import Cidr, overlap
from config.section import Bounds, Name, NonNegative, Positive, Section, Text, distinct
from config.security import Security

GpuStack = Literal["gke-default", "driver-installer"]


def _moment(value: str) -> str:
    try:
        if datetime.fromisoformat(value).tzinfo:
            return value
    except ValueError:
        pass
    raise rule(f"'{value}' is not a time with its zone", "write it as in 2026-01-03T03:00:00Z")


Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class NetworkRanges(Section):
    """Address ranges of the VPC that the cluster gets."""

    nodes: Cidr = Field(default="10.0.0.0/20", description="Primary range of the subnet: one address per node.")
    pods: Cidr = Field(default="10.16.0.0/14", description="Secondary range for pods.")
    services: Cidr = Field(default="10.8.0.0/20", description="Secondary range for Services.")

    @model_validator(mode="after")
    def _ranges_are_disjoint(self) -> NetworkRanges:
        for (one, a), (other, b) in combinations(self.by_name.items(), 2):
            if overlap(a, b):
                raise rule(f"{one} {a} and {other} {b} overlap", "choose ranges that share no address")
        return self

    @property
    def by_name(self) -> dict[str, str]:
        return {"nodes": self.nodes, "pods": self.pods, "services": self.services}


class MaintenanceWindow(Section):
    """When Google may upgrade the control plane and the nodes."""

    start_time: Moment = Field(default="2026-01-03T03:00:00Z", description="Start of the first window, RFC 3339.")
    end_time: Moment = Field(default="2026-01-03T11:00:00Z", description="End of the first window, RFC 3339.")
    recurrence: Recurrence = Field(default="FREQ=WEEKLY;BYDAY=SA,SU", description="RFC 5545 recurrence rule.")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> MaintenanceWindow:
        if datetime.fromisoformat(self.end_time) <= datetime.fromisoformat(self.start_time):
            raise rule(f"endTime {self.end_time} is not after startTime {self.start_time}", "give the end of the first window")
        check_maintenance(datetime.fromisoformat(self.end_time) - datetime.fromisoformat(self.start_time), self.recurrence)
        return self


class SystemPool(Bounds):
    """CPU nodes for everything that is not a model server."""

    machine_type: str = Field(default="e2-standard-4", description="Compute Engine machine type without a GPU.")
    min: Positive = Field(default=2, description="Nodes over all zones.")
    max: Positive = Field(default=6, description="Nodes over all zones.")


class GkeCluster(Section):
    """A private GKE Standard cluster in a VPC of its own."""

    provider: Literal["gke"]
    name: Name = Field(description="Cluster name; the VPC and the node service account are named after it.")
    zones: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="Zones of `gcp:region` that hold the nodes, such as [us-central1-a, us-central1-b]."
    )
    gpu_stack: GpuStack = Field(
        default="gke-default",
        description="Who installs the NVIDIA driver and advertises nvidia.com/gpu: GKE, "
        "or Google's installer DaemonSet with the GPU Operator's device plugin.",
    )
    release_channel: Literal["RAPID", "REGULAR", "STABLE"] = Field(
        default="REGULAR",
        description="GKE release channel. STABLE is too old as yet for spot nodes to give a replica more than 15 seconds to leave.",
    )
    deletion_protection: bool = Field(default=True, description="Refuse to delete the cluster until this is false and applied.")
    external_dns_endpoint: bool = Field(
        default=True,
        description="Reach the control plane's DNS endpoint, guarded by IAM, from outside the VPC. False: only from inside it.",
    )
    security: Security = Field(default=Security(), description="Hardening that is a choice; what is always on is in docs/security.md.")
    ranges: NetworkRanges = Field(default=NetworkRanges(), description="Address ranges.")
    maintenance: MaintenanceWindow = Field(default=MaintenanceWindow(), description="Maintenance window.")
    system_pool: SystemPool = Field(default=SystemPool(), description="Node pool for everything that is not a model.")
    max_pods_per_node: int = Field(default=32, ge=8, le=256, description="Pods per GPU node; sets the node's share of the pod range.")
    gpu_quota: dict[str, NonNegative] = Field(
        default={},
        description="On-demand GPUs that the project may have in the region, by accelerator, such as nvidia-l4. What the node pools "
        "need is checked against it. Default: not checked.",
    )
    generation: NonNegative = Field(
        default=1,
        description="Raise it only when the cluster is rebuilt under the same name: it tells Pulumi that the objects in it are gone.",
    )


class ExistingCluster(Section):
    """A cluster that exists already: kind, on-premises, another cloud. Its nodes are described under `nodePools`, not created."""

    provider: Literal["existing"]
    name: Name = Field(description="A name by which Pulumi tells this cluster from others.")
    context: Text | None = Field(default=None, description="Context of the kubeconfig. Default: the current one.")
    kubeconfig: Text | None = Field(default=None, description="Path of the kubeconfig. Default: $KUBECONFIG, then ~/.kube/config.")
    service_range: Cidr = Field(
        default="10.96.0.0/12", description="ClusterIP range of the Services; NetworkPolicies need it to allow DNS."
    )
    generation: NonNegative = Field(default=1, description="Raise it when the cluster was rebuilt under the same name.")


Cluster = Annotated[GkeCluster | ExistingCluster, Field(discriminator="provider")]
