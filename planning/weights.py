"""Source of a replica's weights, and the disk that they need."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from config.errors import Problem
from config.models import Model
from config.weights import Source
from planning.machines import Machine, Pool
from planning.memory import GIB

# A checkpoint on disk is larger than in memory if vLLM does not load parts of it, such as a multi-token-prediction layer. Assumed.
_DISK_FACTOR = 1.2
_DISK_MARGIN_GIB = 2
# sizeLimit of a model server's emptyDir volumes for compile caches (HOME) and for sockets and download locks (/tmp). Assumed: compile
# caches of one model and GPU took a few hundred MiB. A pod that exceeds a limit is evicted, instead of other pods of the node.
HOME_GIB = 10
TMP_GIB = 4
# What a claim keeps of compiled graphs, several versions of them. Assumed, as HOME_GIB.
_COMPILED_GIB = 10
# A LoRA adapter of rank 64 of a 70B model, rounded up. Assumed.
_ADAPTER_GIB = 2


@dataclass(frozen=True)
class WeightsPlan:
    """`storage_gib`: size of the download's volume."""

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

    @property
    def disk_gib(self) -> int:
        """Ephemeral storage of its node that a replica may use."""
        return HOME_GIB + TMP_GIB + (self.storage_gib if self.downloaded and not self.shared else 0)


def plan_weights(model: Model, weights_bytes: int) -> WeightsPlan:
    needed = math.ceil(weights_bytes / GIB * _DISK_FACTOR) + _DISK_MARGIN_GIB + len(model.lora_adapters) * _ADAPTER_GIB
    needed += _COMPILED_GIB if model.weights.compile_cache else 0
    return WeightsPlan(model.weights.source, model.weights.storage_gib or needed, model.weights.cache == "persistent-volume-claim")


def disk_problems(path: str, model: Model, plan: WeightsPlan, memory_gib: float, machine: Machine, slots: int) -> Iterator[Problem]:
    """A cache of nothing; downloads that exceed their volume, or together the disk of a full node: each replica on it keeps its own copy.

    `memory_gib`: the weights.
    """
    if model.weights.compile_cache and model.engine.enforce_eager:
        message = "true, and with engine.enforceEager nothing is compiled that it could keep"
        yield Problem(f"{path}.weights.compileCache", message, "remove one of the two")
    if plan.downloaded and plan.storage_gib < memory_gib:
        message = f"{plan.storage_gib} GiB cannot hold the weights of {memory_gib:.1f} GiB"
        yield Problem(f"{path}.weights.storageGiB", message, "remove it, or raise it")
    if slots > machine.slots:
        return
    replicas = machine.slots // slots
    if plan.disk_gib * replicas <= machine.ephemeral_gib:
        return
    copies = (
        f"{replicas} replicas on a node may use {plan.disk_gib} GiB each"
        if replicas > 1
        else f"weights and caches may take {plan.disk_gib} GiB"
    )
    yield Problem(
        f"{path}.weights",
        f"{copies}, and pods on {machine.name} have {machine.ephemeral_gib:.0f} GiB of disk",
        f"raise nodePools.{model.node_pool}.bootDiskGiB, or use weights.cache persistent-volume-claim, weights.uri or weights.claim",
    )


def claim_warnings(path: str, model: Model, pool: Pool) -> Iterator[Problem]:
    """A disk that one node can mount is in one zone, and its replica can run only there."""
    weights = model.weights
    if weights.cache == "persistent-volume-claim" and weights.access_mode == "ReadWriteOnce" and len(pool.zones) > 1:
        message = f"the disk of a ReadWriteOnce claim is in one zone, and pool '{pool.name}' has nodes in {', '.join(pool.zones)}"
        fix = f"give nodePools.{pool.name}.zones one zone, or use ReadWriteMany; else the replica waits for a node in the disk's zone"
        yield Problem(f"{path}.weights.accessMode", message, fix)
