"""Host memory (not the GPU's) that a model server's pod needs at least: with less it is OOM-killed.

Processes: resident sizes, without the GPU driver, of the API server, the engine and one worker per GPU (vLLM 0.32 with a model of 4 M
parameters: 677, 635 and 759 MiB). Weights are read through the page cache, which the kernel can reclaim.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from config.architecture import Architecture
from config.errors import Problem
from config.models import Model
from planning.engine_options import EngineOptions

_API_SERVER_GIB = 677 / 1024
_ENGINE_GIB = 635 / 1024
_WORKER_GIB = 759 / 1024


@dataclass(frozen=True)
class HostMemory:
    """Host memory of a pod, GiB."""

    processes: float
    cpu_offload: float
    """Weights offloaded by --cpu-offload-gb."""
    kv_offloading: float
    """KV cache offloaded by --kv-offloading-size, in /dev/shm."""
    inputs: float = 0.0
    """Cache of preprocessed images and audio (--mm-processor-cache-gb) in every API server and engine."""

    @property
    def total(self) -> float:
        return self.processes + self.cpu_offload + self.kv_offloading + self.inputs


def host_memory(model: Model, architecture: Architecture, options: EngineOptions, weights_gib: float) -> HostMemory:
    """`weights_gib`: weights of one GPU before offloading."""
    ranks, gpus = model.parallelism.data, model.parallelism.gpus
    inputs = (options.api_server_count + ranks) * options.mm_processor_cache_gb if architecture.encoders else 0.0
    processes = options.api_server_count * _API_SERVER_GIB + ranks * _ENGINE_GIB + gpus * _WORKER_GIB
    return HostMemory(processes, gpus * min(options.cpu_offload_gb, weights_gib), ranks * options.kv_offloading_size, inputs)


def host_memory_problems(path: str, model: Model, needed: HostMemory, pod_gib: float) -> Iterator[Problem]:
    if needed.total <= pod_gib:
        return
    parts = [f"{needed.processes:.1f} for processes"]
    parts += [f"{needed.cpu_offload:.1f} for weights"] if needed.cpu_offload else []
    parts += [f"{needed.kv_offloading:.1f} for KV cache"] if needed.kv_offloading else []
    parts += [f"{needed.inputs:.1f} for --mm-processor-cache-gb"] if needed.inputs else []
    message = f"a pod of {pod_gib:.1f} GiB is too small for the engine, which takes {needed.total:.1f} GiB: {', '.join(parts)}"
    raised = f"raise it to {math.ceil(needed.total)}"
    if model.resources.memory_gib:
        yield Problem(f"{path}.resources.memoryGiB", message, raised)
        return
    offloaded = needed.cpu_offload or needed.kv_offloading
    fix = "offload less, or choose a machine with more memory" if offloaded else "choose a machine with more memory"
    yield Problem(f"{path}.engine.extraArgs" if offloaded else f"{path}.nodePool", message, fix)
