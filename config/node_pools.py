"""`nodePools`: the machines that model servers run on. On GKE they are created; on an existing cluster they are described."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.accelerator import GivenOrNamed
from config.errors import rule
from config.names import DiskImage, Reservation
from config.section import Bounds, Cpus, Form, MemoryGib, NonNegative, Section, distinct

Capacity = Literal["on-demand", "spot"]
_LABEL = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL_ADVICE = "use at most 63 letters, digits, dashes, dots and underscores; a key may have a prefix, as in acme.example/gpu"
LabelKey = Annotated[str, Form(f"([a-z0-9.-]{{1,253}}/)?{_LABEL}", "the key of a label", _LABEL_ADVICE)]
LabelValue = Annotated[str, Form(f"({_LABEL})?", "the value of a label", _LABEL_ADVICE)]


class NodeCount(Bounds):
    """Nodes of one capacity type (on-demand or spot) that the cluster autoscaler may keep, over all zones."""

    min: NonNegative = Field(default=0, description="Fewest nodes. The plan raises it to the nodes that the models' floors need.")
    max: NonNegative = Field(default=0, description="Most nodes.")
    node_selector: dict[LabelKey, LabelValue] | None = Field(
        default=None,
        description="Labels that select these nodes, for provider `existing` only. "
        "Default: the labels that this program gives to its own node pools.",
    )


class Hardware(Section):
    """A machine that is not in the catalogue, for provider `existing`."""

    vcpus: Cpus = Field(description="Virtual CPUs of a node.")
    memory_gib: MemoryGib = Field(description="Memory of a node.")
    accelerator: GivenOrNamed | None = Field(
        default=None, description="A name of the catalogue, or a mapping that describes another GPU. Default: none; vLLM runs on the CPU."
    )
    gpus: int = Field(default=0, ge=0, le=64, description="Accelerators of a node.")

    @model_validator(mode="after")
    def _accelerator_and_count_agree(self) -> Hardware:
        if (self.accelerator is None) != (self.gpus == 0):
            name = self.accelerator.name if self.accelerator else None
            raise rule(f"accelerator {name} with gpus {self.gpus}", "give both, or neither for CPU nodes")
        return self


class GpuSharing(Section):
    """Several model servers on one GPU without memory isolation: the sum of their gpuMemoryUtilization must fit."""

    strategy: Literal["TIME_SHARING", "MPS"] = Field(description="How the GPU is shared.")
    max_clients_per_gpu: int = Field(ge=2, le=48, description="Pods that may share one GPU.")


# cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies: nodes that one step of a surge upgrade may take.
MOST_NODES_AT_ONCE = 20


class NodeUpgrade(Section):
    """How GKE replaces the pool's nodes for a new version, in the maintenance window."""

    max_surge: NonNegative | None = Field(
        default=None, description="Nodes beyond the pool's size meanwhile. Default: 0 with GPUs, which may be unavailable, else 1."
    )
    max_unavailable: NonNegative | None = Field(
        default=None, description="Nodes that may be missing meanwhile. Default: 0 with a surge node, else 1."
    )

    @model_validator(mode="after")
    def _goes_on(self) -> NodeUpgrade:
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise rule("maxSurge 0 and maxUnavailable 0 leave no way to replace a node", "set one of them to 1, or remove both")
        if (self.max_surge or 0) + (self.max_unavailable or 0) > MOST_NODES_AT_ONCE:
            raise rule(f"GKE replaces at most {MOST_NODES_AT_ONCE} nodes at once", "lower maxSurge and maxUnavailable")
        return self


class NodePool(Section):
    """One kind of machine, on demand and as spot capacity."""

    machine_type: str | None = Field(default=None, description="A machine type of the catalogue.")
    hardware: Hardware | None = Field(default=None, description="The machine's size, if it is not in the catalogue.")
    on_demand: NodeCount = Field(default=NodeCount(), description="On-demand nodes: they run the floor replicas.")
    spot: NodeCount = Field(default=NodeCount(), description="Spot nodes: they run the burst replicas.")
    zones: Annotated[list[str], AfterValidator(distinct)] | None = Field(
        default=None, description="Zones of this pool. Default: the cluster's zones."
    )
    boot_disk_gib: int = Field(default=200, ge=50, le=65536, description="Boot disk: images and, by default, weights.")
    image_streaming: bool = Field(default=True, description="GKE image streaming: containers start before their image has arrived.")
    image_disk: DiskImage | None = Field(
        default=None,
        description="Disk image that holds the container image, for a secondary boot disk: containers start from it. Changing it replaces "
        "the pool.",
    )
    gpu_sharing: GpuSharing | None = Field(default=None, description="Share each GPU between pods.")
    gpu_partition_size: str | None = Field(default=None, description="MIG profile, such as 1g.10gb. Changing it replaces the pool.")
    reservation: Reservation | None = Field(default=None, description="Compute Engine reservation that the on-demand nodes consume.")

    upgrade: NodeUpgrade = Field(default=NodeUpgrade(), description="Upgrades of the nodes by GKE.")
    replacement: Literal["create-first", "delete-first"] | None = Field(
        default=None,
        description="Order of a change that needs a new pool, such as another GPU. Default: create-first, or delete-first "
        "where reservation or cluster.gpuQuota does not hold the pool's least nodes twice.",
    )

    @model_validator(mode="after")
    def _one_description_of_the_machine(self) -> NodePool:
        if (self.machine_type is None) == (self.hardware is None):
            raise rule("machineType and hardware are two ways to say one thing", "give exactly one of them")
        if self.gpu_sharing and self.gpu_partition_size:
            raise rule("gpuSharing and gpuPartitionSize together are not supported", "choose one")
        if self.image_disk and not self.image_streaming:
            raise rule("imageDisk needs image streaming, which imageStreaming: false turns off", "remove one of the two")
        if self.on_demand.max + self.spot.max == 0:
            raise rule("the pool can never have a node", "set onDemand.max or spot.max above 0")
        return self

    def count(self, capacity: Capacity) -> NodeCount:
        return self.on_demand if capacity == "on-demand" else self.spot
