"""Whether a model fits its GPU: weights, reserves, and what is left for the KV cache.

vLLM's own accounting (v1/worker/gpu_worker.py 0.33.0): it may take `gpu_memory_utilization` of the device's total memory; weights,
the activations of its largest batch, CUDA graphs and what lies outside PyTorch come off that; the rest is KV cache, and one
sequence of `max_model_len` must fit in it. All sizes are per GPU, in GiB, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.architecture import Architecture, QuantizationConfig
from config.models import Model
from planning.adapters import adapter_bytes
from planning.kv_cache import KvCache
from planning.machines import Machine
from planning.parameters import count_parameters

GIB = 1024**3

# Peak of the activations at 8,192 batched tokens and memory outside PyTorch, measured by llm-d-planner 0.3.3 on H100 (49 runs).
_ACTIVATION_GIB = {
    "llama": 1.89,
    "qwen2": 2.25,
    "qwen3": 2.21,
    "qwen3moe": 2.68,
    "mistral3": 2.10,
    "deepseekv2": 1.93,
    "phi3": 1.52,
    "gemma3": 3.94,
    "mixtral": 1.21,
    "dense": 2.0,
    "moe": 2.5,
    "multimodal": 2.0,
}
_ACTIVATION_TOKENS = 8192
_NON_TORCH_GIB = {1: 0.27}
_NON_TORCH_PARALLEL_GIB = 2.10
# vLLM subtracts its estimate of the CUDA graphs since 0.21; assumed, between the 0.5 and 1 GiB seen.
_CUDA_GRAPHS_GIB = 0.75
# On CPU: activations, PyTorch and the API server beside weights and KV cache; and a KV cache that is plenty for trying out. Assumed.
_CPU_OVERHEAD_GIB = 2.0
CPU_KV_CACHE_GIB = 8

_DTYPE_BYTES = {"float32": 4}
# Quantization methods whose bytes are known; weights of any other are counted as if they were not quantized.
SIZED_METHODS = frozenset({"fp8", "awq", "gptq", "compressed-tensors", "mxfp4", "modelopt", "modelopt_fp4", "nvfp4"})


@dataclass(frozen=True)
class EngineLimits:
    """vLLM's defaults for one step of the scheduler, by device (EngineArgs.get_batch_defaults 0.33.0)."""

    max_num_batched_tokens: int
    max_num_seqs: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where the memory of one GPU goes. `weights_bytes` is the whole model's, over all GPUs."""

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
    elif memory >= 70 and "a100" not in (machine.accelerator_type or ""):
        tokens, seqs = 8192, 1024
    else:
        tokens, seqs = 2048, 256
    return EngineLimits(model.engine.max_num_batched_tokens or tokens, model.engine.max_num_seqs or seqs)


def weight_bytes(architecture: Architecture, parameters: int | None = None, dtype: str = "auto") -> int:
    """Bytes of the whole model in memory. Parameters that the count does not explain (a vision tower) are not quantized."""
    count = count_parameters(architecture)
    plain = _DTYPE_BYTES.get(dtype, 2)
    unexplained = (parameters - count.total) if parameters else 0
    return round(
        (count.linear + count.replicated) * linear_bytes(architecture, plain)
        + count.expert * expert_bytes(architecture, plain)
        + (count.embedding + count.other + unexplained) * plain
    )


def linear_bytes(architecture: Architecture, plain: int = 2) -> float:
    """Bytes of a parameter in a dense projection."""
    config = architecture.quantization_config
    return plain if config is None or config.quant_method == "mxfp4" else _quantized_bytes(config, plain)


def expert_bytes(architecture: Architecture, plain: int = 2) -> float:
    """Bytes of a parameter in an expert."""
    config = architecture.quantization_config
    return plain if config is None else _quantized_bytes(config, plain)


def _quantized_bytes(config: QuantizationConfig, plain: int) -> float:
    """Weight plus its share of the scales: fp32 a block for fp8, fp16 and a zero point a group for integers, 8 bits a group for fp4."""
    method, bits = config.quant_method, config.bits or 4
    if method == "fp8" or (method in ("modelopt", "compressed-tensors") and config.bits == 8):
        rows, columns = config.weight_block_size or (1, 4096)
        return 1 + 4 / (rows * columns)
    if method == "mxfp4":
        return 4.25 / 8
    if method in ("modelopt", "modelopt_fp4", "nvfp4"):
        return 4.5 / 8
    if method in ("awq", "gptq", "compressed-tensors"):
        return bits / 8 + (2 + bits / 8) / (config.group_size or 128) if config.group_size != -1 else bits / 8
    return plain


def weights_per_gpu(architecture: Architecture, total: int, tensor: int, pipeline: int, dtype: str = "auto") -> float:
    """Bytes on the fullest GPU. Tensor parallelism slices all but norms, routers and MLA's down-projections.

    With pipeline stages, the fullest has one layer more than the others and one of the two embeddings.
    """
    count, plain = count_parameters(architecture), _DTYPE_BYTES.get(dtype, 2)
    whole = count.replicated * linear_bytes(architecture, plain) + count.other * plain
    embedding = count.embedding * plain
    layers = architecture.num_hidden_layers
    stage = -(-layers // pipeline) / layers
    embedding_share = 1.0 if pipeline == 1 else 0.5 if not architecture.tie_word_embeddings else 1.0
    return ((total - whole - embedding) / tensor + whole) * stage + embedding * embedding_share / tensor


def kv_cache(architecture: Architecture, model: Model, limits: EngineLimits) -> KvCache:
    return KvCache(
        architecture,
        model.parallelism.tensor,
        model.parallelism.pipeline,
        dtype_bytes=1 if model.engine.kv_cache_dtype.startswith("fp8") else _DTYPE_BYTES.get(model.engine.dtype, 2),
        max_num_batched_tokens=limits.max_num_batched_tokens,
    )


def plan_memory(model: Model, architecture: Architecture, parameters: int | None, family: str, machine: Machine) -> MemoryPlan:
    """Memory of one GPU of a replica (of the whole pod on a CPU node)."""
    limits = engine_limits(model, machine)
    cache = kv_cache(architecture, model, limits)
    max_model_len = model.engine.max_model_len or architecture.context_length
    total = weight_bytes(architecture, parameters, model.engine.dtype)
    weights = weights_per_gpu(architecture, total, model.parallelism.tensor, model.parallelism.pipeline, model.engine.dtype) / GIB
    adapters = adapter_bytes(model, architecture) / GIB
    if machine.is_cpu:
        device = model.resources.memory_gib or machine.memory_per_slot
        requested, activation, graphs, outside = device, _CPU_OVERHEAD_GIB, 0.0, 0.0
        available = float(min(CPU_KV_CACHE_GIB, int(requested - weights - activation - adapters)))
    else:
        device, requested = machine.slot_memory_gib, machine.slot_memory_gib * model.engine.gpu_memory_utilization
        activation = _ACTIVATION_GIB.get(family, _ACTIVATION_GIB["dense"]) * max(1.0, limits.max_num_batched_tokens / _ACTIVATION_TOKENS)
        graphs = 0.0 if model.engine.enforce_eager else _CUDA_GRAPHS_GIB
        outside = _NON_TORCH_GIB.get(model.parallelism.tensor * model.parallelism.pipeline, _NON_TORCH_PARALLEL_GIB)
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
