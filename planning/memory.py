"""Whether a model fits its GPU: weights, reserves, and the rest for the KV cache.

vLLM's own accounting (v1/worker/gpu_worker.py 0.33.0): from `gpu_memory_utilization` of the device's total memory it subtracts weights,
the activations of its largest batch, CUDA graphs and memory outside PyTorch; the rest is KV cache, and one sequence of
`max_model_len` must fit in it. Figures of a start-up log for the same GPU and parallel sizes replace the estimate.
All sizes are per GPU, in GiB, unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from config.architecture import Architecture
from config.catalog import Accelerator
from config.measured import Measured
from config.models import Model
from planning.adapters import adapter_bytes
from planning.batches import EngineLimits, raised_and_lowered, within_states
from planning.engine_options import engine_options
from planning.kv_cache import CPU_BLOCK_SIZE, KvCache, kv_dtype_bytes
from planning.machines import Machine
from planning.reserves import CURRENT, GIB, Version, reserves
from planning.speculative import draft_kv_cache, draft_of, draft_weights, with_draft
from planning.weight_size import encoder_bytes, weight_bytes, weights_per_gpu

# On CPU: API server, engine and worker took 2.07 GiB beside weights and KV cache of a tiny model (vLLM 0.32.0), to which activations are
# added; and a KV cache that suffices for trials. Assumed.
_CPU_OVERHEAD_GIB = 2.5
CPU_KV_CACHE_GIB = 8
# vLLM's default max_num_seqs on GPUs below 70 GiB; the plan sets it on a larger GPU too if the memory for vLLM's higher default is missing.
FEWER_SEQS = 256
# Compute capability of GB10, for which vLLM uses the defaults of small GPUs despite its memory.
_GB10 = 12.1
# Error of an estimated KV cache: 85 % of the reports are within it, by `make truth` (docs/accuracy.md).
ESTIMATE_ERROR = 0.15


@dataclass(frozen=True)
class MemoryPlan:
    """Memory of one GPU by use. `weights_bytes` is the whole model's, over all GPUs. Weights include those of a draft model."""

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
    """The largest `max_model_len` that fits, at most the model's own limit."""
    measured: str | None = None
    """vLLM version and date of the start-up log that the sizes come from; None if they are estimated."""

    @property
    def reserves(self) -> float:
        """Memory that is neither weights nor KV cache."""
        return self.activation + self.cuda_graphs + self.non_torch + self.adapters

    @property
    def fits(self) -> bool:
        return self.kv_cache >= self.sequence

    @property
    def concurrent_sequences(self) -> float:
        """Sequences of `max_model_len` that the KV cache holds at once."""
        return max(0.0, self.kv_cache) / self.sequence if self.sequence else 0.0  # an encoder has no KV cache

    @property
    def kv_tokens(self) -> int:
        return int(self.concurrent_sequences * self.max_model_len)


def default_limits(accelerator: Accelerator, name: str, memory_gib: float | None = None) -> EngineLimits:
    """vLLM's defaults on a GPU, or on a MIG partition with `memory_gib`."""
    memory = memory_gib or accelerator.memory_gib
    if memory >= 160:
        return EngineLimits(16384, 1024)
    if memory >= 70 and "a100" not in name.casefold() and accelerator.compute_capability != _GB10:
        return EngineLimits(8192, 1024)
    return EngineLimits(2048, FEWER_SEQS)


def engine_limits(model: Model, machine: Machine) -> EngineLimits:
    """Limits of one step of the scheduler: the model's settings, else vLLM's defaults for the device."""
    if machine.accelerator is None:
        defaults = EngineLimits(2048, 128, CPU_BLOCK_SIZE)
    else:
        defaults = default_limits(machine.accelerator, (machine.accelerator_type or "").casefold(), machine.slot_memory_gib)
    engine = model.engine
    tokens, seqs = engine.max_num_batched_tokens or defaults.max_num_batched_tokens, engine.max_num_seqs or defaults.max_num_seqs
    return replace(defaults, max_num_batched_tokens=tokens, max_num_seqs=seqs)


# Cached, because the cached properties of a KvCache serve every model with the same arguments.
_kv_cache = lru_cache(maxsize=1024)(KvCache)


def kv_cache(architecture: Architecture, model: Model, limits: EngineLimits) -> KvCache:
    draft = draft_of(model, architecture)
    cache = _kv_cache(
        architecture,
        model.parallelism.tensor,
        model.parallelism.pipeline,
        dtype_bytes=kv_dtype_bytes(model),
        max_num_batched_tokens=limits.max_num_batched_tokens,
        prefix_caching=model.engine.enable_prefix_caching,
        smallest_block=engine_options(model).block_size or limits.block_size,
    )
    return with_draft(cache, draft_kv_cache(draft, model, limits.max_num_batched_tokens)) if draft else cache


def plan_limits(
    model: Model, architecture: Architecture, parameters: int | None, machine: Machine, measured: Sequence[Measured] = ()
) -> tuple[EngineLimits, MemoryPlan]:
    """The scheduler's limits and the resulting memory: with vLLM's default max_num_seqs, or FEWER_SEQS if that default does not fit."""
    longest = model.engine.max_model_len or architecture.default_context_length
    limits = raised_and_lowered(engine_limits(model, machine), model, architecture, longest)
    memory = plan_memory(model, architecture, parameters, machine, limits, measured)
    if not memory.fits and not model.engine.max_num_seqs and limits.max_num_seqs > FEWER_SEQS:
        fewer = replace(limits, max_num_seqs=FEWER_SEQS)
        smaller = plan_memory(model, architecture, parameters, machine, fewer, measured)
        if smaller.kv_cache > memory.kv_cache:
            limits, memory = fewer, smaller
    return within_states(limits, model, kv_cache(architecture, model, limits), memory.kv_cache * GIB), memory


def plan_memory(
    model: Model,
    architecture: Architecture,
    parameters: int | None,
    machine: Machine,
    limits: EngineLimits,
    measured: Sequence[Measured] = (),
    version: Version = CURRENT,
) -> MemoryPlan:
    """Memory of one GPU of a replica (of the whole pod on a CPU node)."""
    cache = kv_cache(architecture, model, limits)
    max_model_len = model.engine.max_model_len or architecture.default_context_length
    total = weight_bytes(architecture, parameters, model.engine.dtype)
    options = engine_options(model)
    per_gpu = weights_per_gpu(architecture, total, model.parallelism, model.engine.dtype)
    if options.mm_encoder_tp_mode == "data":
        per_gpu += encoder_bytes(architecture, model.engine.dtype) * (1 - 1 / model.parallelism.tensor)
    if draft := draft_of(model, architecture):
        draft_total, draft_per_gpu = draft_weights(draft, architecture, model.parallelism, model.engine.dtype)
        total, per_gpu = total + draft_total, per_gpu + draft_per_gpu
    weights = per_gpu / GIB
    adapters = adapter_bytes(model, architecture) / GIB
    sequence = cache.bytes_per_sequence(max_model_len) / GIB
    report = None
    if machine.is_cpu:
        device = model.resources.memory_gib or machine.memory_per_slot
        requested, activation, graphs, outside = device, _CPU_OVERHEAD_GIB, 0.0, 0.0
        available = float(min(CPU_KV_CACHE_GIB, int(requested - weights - activation - adapters)))
    else:
        device, requested = machine.slot_memory_gib, machine.slot_memory_gib * model.engine.gpu_memory_utilization
        taken = reserves(model, architecture, limits.max_num_batched_tokens, limits.max_num_seqs, version)
        activation, graphs, outside = taken.activation / GIB, taken.cuda_graphs / GIB, taken.non_torch / GIB
        if report := _report(measured, model, machine):
            weights = report.weights_gib
            outside += _excess(report, model, architecture, machine)
            sequence = _measured_sequence(report, model, max_model_len) or sequence
        weights -= min(weights, options.cpu_offload_gb)
        outside += options.mm_ipc_gpu_memory_gb
        available = requested - weights - activation - graphs - outside - adapters
        if options.kv_cache_memory_bytes is not None:  # then vLLM ignores gpu_memory_utilization
            requested += options.kv_cache_memory_bytes / GIB - available
            available = options.kv_cache_memory_bytes / GIB
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
        sequence=sequence,
        max_model_len=max_model_len,
        longest_model_len=cache.longest_sequence(available * GIB, architecture.context_length),
        measured=f"vLLM {report.vllm}, {report.date}" if report else None,
    )


def _report(measured: Sequence[Measured], model: Model, machine: Machine) -> Measured | None:
    """The newest `measured` row for this GPU and these parallel sizes. Rows are of one data parallel rank, without a draft model."""
    speculative = model.engine.speculative
    if model.parallelism.data > 1 or (speculative and speculative.method != "ngram"):
        return None
    same = [
        one
        for one in measured
        if one.gpu == machine.accelerator_type
        and (one.tensor_parallel_size, one.pipeline_parallel_size) == (model.parallelism.tensor, model.parallelism.pipeline)
        and one.enforce_eager == model.engine.enforce_eager
    ]
    return max(same, key=lambda one: one.date, default=None)


def _excess(report: Measured, model: Model, architecture: Architecture, machine: Machine) -> float:
    """Reserves in a `measured` row minus the estimate for the limits of that row, GiB: a correction for any limits."""
    accelerator = machine.accelerator
    shown = (accelerator.memory_gib if accelerator else 0.0) * report.gpu_memory_utilization - report.weights_gib - report.kv_cache_gib
    estimated = reserves(model, architecture, report.max_num_batched_tokens, report.max_num_seqs or FEWER_SEQS)
    return shown - (estimated.activation + estimated.cuda_graphs + estimated.non_torch) / GIB


def _measured_sequence(report: Measured, model: Model, max_model_len: int) -> float | None:
    """KV cache of a sequence from a `measured` row with the same max_model_len and KV cache type, GiB; else None."""
    if report.kv_cache_tokens is None or (report.max_model_len, report.kv_cache_dtype) != (max_model_len, model.engine.kv_cache_dtype):
        return None
    return report.kv_cache_gib * max_model_len / report.kv_cache_tokens
