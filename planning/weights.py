"""Where a replica's weights come from, and how large a volume they need on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from config.errors import Problem
from config.models import Model
from config.weights import Source
from planning.machines import Machine
from planning.memory import GIB

# A checkpoint on disk is larger than in memory where parts of it are not loaded (a multi-token-prediction layer), and a new
# revision is downloaded beside the old one's leftovers. Assumed.
_DISK_FACTOR = 1.2
_DISK_MARGIN_GIB = 2
# A LoRA adapter of rank 64 of a 70B model, rounded up. Assumed.
_ADAPTER_GIB = 2


@dataclass(frozen=True)
class WeightsPlan:
    """`storage_gib` is the volume of a download."""

    source: Source
    storage_gib: int
    shared: bool
    """One volume for all replicas instead of one each."""

    @property
    def downloaded(self) -> bool:
        return self.source == "hugging-face"

    @property
    def streamed(self) -> bool:
        return self.source in ("google-cloud-storage", "s3")


def plan_weights(model: Model, weights_bytes: int) -> WeightsPlan:
    needed = math.ceil(weights_bytes / GIB * _DISK_FACTOR) + _DISK_MARGIN_GIB + len(model.lora_adapters) * _ADAPTER_GIB
    return WeightsPlan(model.weights.source, model.weights.storage_gib or needed, model.weights.cache == "persistent-volume-claim")


def disk_problems(path: str, model: Model, plan: WeightsPlan, memory_gib: float, machine: Machine, slots: int) -> Iterator[Problem]:
    """Downloads that their volume cannot hold, or the disks of a full node: each replica on it keeps a copy of its own.

    `memory_gib`: the weights.
    """
    if not plan.downloaded:
        return
    if plan.storage_gib < memory_gib:
        message = f"{plan.storage_gib} GiB cannot hold the weights of {memory_gib:.1f} GiB"
        yield Problem(f"{path}.weights.storageGiB", message, "remove it, or raise it")
    if plan.shared or slots > machine.slots:
        return
    replicas = machine.slots // slots
    if plan.storage_gib * replicas <= machine.ephemeral_gib:
        return
    copies = (
        f"{replicas} replicas on a node keep {plan.storage_gib} GiB each" if replicas > 1 else f"the weights take {plan.storage_gib} GiB"
    )
    yield Problem(
        f"{path}.weights",
        f"{copies}, and pods on {machine.name} have {machine.ephemeral_gib:.0f} GiB of disk",
        f"raise nodePools.{model.node_pool}.bootDiskGiB, or use weights.cache persistent-volume-claim, weights.uri or weights.claim",
    )
