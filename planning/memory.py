"""Whether a model fits its GPU: weights, reserves, and what is left for the KV cache.

vLLM's own accounting (v1/worker/gpu_worker.py 0.33.0): it may take `gpu_memory_utilization` of the device's total memory; weights,
the activations of its largest batch, CUDA graphs and what lies outside PyTorch come off that; the rest is KV cache, and one
sequence of `max_model_len` must fit in it. All sizes are per GPU, in GiB, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.architecture import Architecture
from config.models import Model
from planning.adapters import adapter_bytes
from planning.kv_cache import KvCache
from planning.machines import Machine
from planning.reserves import activation_gib, cuda_graphs_gib, non_torch_gib
from planning.speculative import draft_kv_cache, draft_of, draft_weights, with_draft
from planning.weight_size import DTYPE_BYTES, weight_bytes, weights_per_gpu

GIB = 1024**3

# On CPU: activations, PyTorch and the API server beside weights and KV cache; and a KV cache that is plenty for trying out. Assumed.
_CPU_OVERHEAD_GIB = 2.0
CPU_KV_CACHE_GIB = 8


@dataclass(frozen=True)
class EngineLimits:
    """vLLM's defaults for one step of the scheduler, by device (EngineArgs.get_batch_defaults 0.33.0)."""

    max_num_batched_tokens: int
    max_num_seqs: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where the memory of one GPU goes. `weights_bytes` is the whole model's, over all GPUs. Weights are
    those of its draft too."""

    device: float
    requested: float
    weights_bytes: int
    weights: float
    activation: float
    cuda_graphs: float
    non_torch: float
    adapters: float
    """Slots of LoRA adapters."""
    kv_cache: float
    kv_bytes_per_token: int
    sequence: float
    """KV cache of one sequence of `max_model_len`."""
    max_model_len: int
    longest_model_len: int
    """The largest `max_model_len` that would fit, at most the model's own limit."""

    @property
    def reserves(self) -> float:
        """What is neither weights nor KV cache."""
        return self.activation + self.cuda_graphs + self.non_torch + self.adapters

    @property
    def fits(self) -> bool:
        return self.kv_cache >= self.sequence

    @property
    def concurrent_sequences(self) -> float:
        """Sequences of `max_model_len` that the KV cache holds at once."""
        return max(0.0, self.kv_cache) / self.sequence

    @property
    def kv_tokens(self) -> int:
        return int(self.concurrent_sequences * self.max_model_len)


def engine_limits(model: Model, machine: Machine) -> EngineLimits:
    """What a step of the scheduler may hold: the model's setting, else vLLM's default for the device."""
    memory = machine.slot_memory_gib
    if machine.is_cpu:
        tokens, seqs = 2048, 128
    elif memory >= 160:
        tokens, seqs = 16384, 1024
    elif memory >= 70 and "a100" not in (machine.accelerator_type or "").casefold():
        tokens, seqs = 8192, 1024
    else:
        tokens, seqs = 2048, 256
    return EngineLimits(model.engine.max_num_batched_tokens or tokens, model.engine.max_num_seqs or seqs)


def kv_cache(architecture: Architecture, model: Model, limits: EngineLimits) -> KvCache:
    draft = draft_of(model, architecture)
    cache = KvCache(
        architecture,
        model.parallelism.tensor,
        model.parallelism.pipeline,
        dtype_bytes=1 if model.engine.kv_cache_dtype.startswith("fp8") else DTYPE_BYTES.get(model.engine.dtype, 2),
        max_num_batched_tokens=limits.max_num_batched_tokens,
    )
    return with_draft(cache, draft_kv_cache(draft, model, limits.max_num_batched_tokens)) if draft else cache


def _connected_gpus(model: Model, architecture: Architecture) -> int:
    """GPUs that exchange activations: only experts connect data parallel ranks."""
    return model.parallelism.gpus if architecture.is_moe else model.parallelism.gpus_per_rank


def plan_memory(model: Model, architecture: Architecture, parameters: int | None, family: str, machine: Machine) -> MemoryPlan:
    """Memory of one GPU of a replica (of the whole pod on a CPU node)."""
    limits = engine_limits(model, machine)
    cache = kv_cache(architecture, model, limits)
    max_model_len = model.engine.max_model_len or architecture.context_length
    total = weight_bytes(architecture, parameters, model.engine.dtype)
    per_gpu = weights_per_gpu(architecture, total, model.parallelism, model.engine.dtype)
    if draft := draft_of(model, architecture):
        draft_total, draft_per_gpu = draft_weights(draft, architecture, model.parallelism, model.engine.dtype)
        total, per_gpu = total + draft_total, per_gpu + draft_per_gpu
    weights = per_gpu / GIB
    adapters = adapter_bytes(model, architecture) / GIB
    if machine.is_cpu:
        device = model.resources.memory_gib or machine.memory_per_slot
        requested, activation, graphs, outside = device, _CPU_OVERHEAD_GIB, 0.0, 0.0
        available = float(min(CPU_KV_CACHE_GIB, int(requested - weights - activation - adapters)))
    else:
        device, requested = machine.slot_memory_gib, machine.slot_memory_gib * model.engine.gpu_memory_utilization
        activation = activation_gib(family, limits.max_num_batched_tokens)
        graphs, outside = cuda_graphs_gib(model), non_torch_gib(_connected_gpus(model, architecture))
        available = requested - weights - activation - graphs - outside - adapters
    return MemoryPlan(
        device=device,
        requested=requested,
        weights_bytes=total,
        weights=weights,
        activation=activation,
        cuda_graphs=graphs,
        non_torch=outside,
        adapters=adapters,
        kv_cache=available,
        kv_bytes_per_token=cache.bytes_per_token,
        sequence=cache.bytes_per_sequence(max_model_len) / GIB,
        max_model_len=max_model_len,
        longest_model_len=cache.longest_sequence(available * GIB, architecture.context_length),
    )
