"""A model's memory and speed on its pool's machine, before placement beside other models, and what cannot work there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config import catalog
from config.architecture import Architecture
from config.errors import Problem
from config.models import Model
from config.settings import Settings
from planning import compatibility, data_types, long_context
from planning.adapters import adapter_problems
from planning.batches import EngineLimits, batch_problems
from planning.capacity import CapacityPlan, plan_capacity, plan_performance, slo_problems
from planning.engine_options import EngineOptions, engine_options, flag_path, served
from planning.fit import measured_problems, memory_problems
from planning.host_memory import host_memory, host_memory_problems
from planning.kv_cache import KvCache
from planning.machines import Pool
from planning.memory import GIB, MemoryPlan, kv_cache, plan_limits
from planning.parameters import count_parameters
from planning.performance import Performance
from planning.placement import ReplicaShape, replica_shape
from planning.scaling import ScalingTarget, plan_scaling
from planning.speculative import speculative_problems
from planning.startup import engine_seconds, startup_problems
from planning.weights import disk_problems, plan_weights


@dataclass(frozen=True)
class Sized:
    """A model on its pool's machine, whether it fits there or not."""

    model: Model
    checkpoint: Architecture
    """As stored in the checkpoint."""
    architecture: Architecture
    """As served: online quantization, context length and loaded encoders applied."""
    options: EngineOptions
    row: catalog.ModelRow | None
    pool: Pool
    limits: EngineLimits
    memory: MemoryPlan
    shape: ReplicaShape
    capacity: CapacityPlan

    @property
    def parameters(self) -> int | None:
        return _parameters(self.row, self.checkpoint, self.architecture)

    @property
    def cache(self) -> KvCache:
        return kv_cache(self.architecture, self.model, self.limits)

    @property
    def performance(self) -> Performance | None:
        """How fast a replica is, under any load; None where that is not planned."""
        return plan_performance(self.model, self.architecture, self.cache, self.pool.machine, self.capacity.requests_in_flight)

    def scaling(self, startup_seconds: float) -> ScalingTarget | None:
        """None where speed is not planned."""
        performance = self.performance
        if performance is None:
            return None
        return plan_scaling(self.model, self.cache, self.memory, self.limits, self.capacity, performance, startup_seconds)


def size(model: Model, pools: dict[str, Pool]) -> Sized | None:
    """None if config.rules has already reported an unknown model or pool."""
    row = catalog.model(model.source)
    checkpoint = model.architecture or (row.architecture if row else None)
    pool = pools.get(model.node_pool)
    if checkpoint is None or pool is None:
        return None
    options = engine_options(model)
    architecture = long_context.stretched(served(checkpoint, options), model.engine.rope_scaling)
    row = row if model.architecture is None else None
    measured = (*model.measured, *(row.measured if row else ()))
    limits, memory = plan_limits(model, architecture, _parameters(row, checkpoint, architecture), pool.machine, measured)
    capacity = plan_capacity(model, architecture, memory, kv_cache(architecture, model, limits), limits, pool.machine)
    return Sized(model, checkpoint, architecture, options, row, pool, limits, memory, replica_shape(model, pool.machine), capacity)


def _parameters(row: catalog.ModelRow | None, checkpoint: Architecture, served: Architecture) -> int | None:
    """The catalogue's parameter count, without encoders that vLLM does not load."""
    if row is None or row.parameters is None:
        return None
    return row.parameters - count_parameters(checkpoint).total + count_parameters(served).total


def model_problems(settings: Settings, name: str, one: Sized) -> Iterator[Problem]:
    path, machine = f"models.{name}", one.pool.machine
    invalid = [*compatibility.parallel_sizes(path, one.model, one.architecture, machine, settings.node_pools[one.pool.name])]
    yield from invalid
    too_long = [*long_context.rope_problems(path, one.model, one.checkpoint), *long_context.too_long(path, one.model, one.architecture)]
    yield from too_long
    yield from compatibility.model_class(path, one.model, one.architecture)
    yield from compatibility.expert_balance(path, one.model, one.options)
    yield from compatibility.sampling_shards(path, one.model, one.options)
    yield from data_types.data_types(path, one.model, one.architecture, machine)
    yield from data_types.quantization(path, one.model, one.checkpoint, one.options)
    yield from measured_problems(path, one.model, machine)
    yield from adapter_problems(path, one.model, one.architecture)
    yield from speculative_problems(path, one.model, one.architecture, one.limits.max_num_batched_tokens, one.limits.max_num_seqs)
    weights = plan_weights(one.model, one.memory.weights_bytes)
    yield from disk_problems(path, one.model, weights, one.memory.weights_bytes / GIB, machine, one.shape.slots)
    if not invalid and not too_long and path not in settings.doubtful:
        if one.memory.fits:
            yield from slo_problems(path, one.model, one.capacity)
        yield from memory_problems(path, one.model, one.architecture, one.parameters, machine, one.memory)
        yield from _engine_problems(path, one)
        yield from startup_problems(path, one.model, engine_seconds(one.model, one.architecture, one.memory.weights_bytes, machine))


def _engine_problems(path: str, one: Sized) -> Iterator[Problem]:
    """Settings that make vLLM refuse to start or be OOM-killed, although the model fits the GPU."""
    memory, machine = one.memory, one.pool.machine
    yield from batch_problems(path, one.model, one.architecture, one.limits, one.cache, memory.kv_cache * GIB, memory.max_model_len)
    if machine.is_cpu:
        for flag in ("--cpu-offload-gb", "--kv-offloading-size"):
            if getattr(one.options, flag.removeprefix("--").replace("-", "_")):
                yield Problem(flag_path(path, one.model, flag), f"{machine.name} has no GPU memory to offload", "remove it")
        return
    if one.options.kv_cache_memory_bytes is not None and memory.requested > memory.device:
        given, left = one.options.kv_cache_memory_bytes / GIB, memory.device - memory.weights - memory.reserves
        message = f"{given:.1f} GiB of KV cache beside weights and reserves exceed the GPU's {memory.device:.1f} GiB"
        yield Problem(flag_path(path, one.model, "--kv-cache-memory-bytes"), message, f"lower it to {max(0, int(left))}G, or remove it")
    needed = host_memory(one.model, one.architecture, one.options, memory.weights + one.options.cpu_offload_gb)
    yield from host_memory_problems(path, one.model, needed, one.shape.memory_gib)
