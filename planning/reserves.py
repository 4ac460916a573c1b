"""GPU memory that vLLM uses beside weights and KV cache: the peak of its profile run, CUDA graphs, memory outside PyTorch.

The profile run (v1/worker/gpu/model_runner.py 0.33.0) encodes the largest images, then passes a batch of `max_num_batched_tokens`
through the layers, then samples for `max_num_seqs` sequences; the peak of each follows from the model's shapes, and the largest of them
counts. Other constants are fitted to start-up logs: `make truth` shows the error. All sizes are bytes per GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.architecture import Architecture
from config.models import Model
from planning.encoders import encoder_peak
from planning.engine_options import GIB

MIB = 1024**2

Version = tuple[int, ...]
# Default vLLM version: that of the engine's image in releases.yaml.
CURRENT: Version = (0, 33)

# Activations are 16 bits wide, whatever the weights are stored in.
_ACTIVATION_BYTES = 2
# The sampler's buffers, bytes per sequence and token of the vocabulary, by the vLLM version from which the value holds: before 0.9 they
# were not profiled; from 0.9 the sampler sorts; from 0.18 it masks without sorting; from 0.31 the profile run samples with every sampling
# parameter set, and the V2 sampler counts penalties in 4 of these bytes. Fitted.
_SAMPLER_BYTES: tuple[tuple[Version, float], ...] = (((0, 31), 41), ((0, 18), 8), ((0, 9), 37), ((), 0))
# CUDA graphs, bytes per captured size and layer (one graph per piece between two attention layers); subtracted since 0.21
# (VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS). Fitted.
_GRAPH_BYTES: tuple[tuple[Version, float], ...] = (((0, 21), 0.15 * MIB), ((), 0.0))
# Memory that stays allocated beside the weights: block tables, kernel workspaces, and cuBLAS's before it became part of the baseline.
# Fitted.
_NON_TORCH_BYTES: tuple[tuple[Version, float], ...] = (((0, 31), 0.15 * GIB), ((0, 18), 0.6 * GIB), ((), 0.25 * GIB))
# Memory of NCCL and the custom all-reduce: a constant, and per GPU of the replica. Fitted.
_PARALLEL_BYTES = 0.1 * GIB
_PEER_BYTES = 0.1 * GIB
# vLLM's own capture sizes (config/vllm.py 0.33.0): 1, 2, 4, every 8th up to 256, every 16th up to twice the sequences, at most 512.
_LARGEST_CAPTURE = 512


@dataclass(frozen=True)
class Reserves:
    """Reserved memory, bytes per GPU."""

    activation: float
    cuda_graphs: float
    non_torch: float


def reserves(model: Model, architecture: Architecture, batched_tokens: int, seqs: int, version: Version = CURRENT) -> Reserves:
    """Reserves with at most `batched_tokens` tokens and `seqs` sequences in a step of the scheduler."""
    tensor, pipeline = model.parallelism.tensor, model.parallelism.pipeline
    # Data parallel ranks communicate only in models with experts.
    connected = model.parallelism.gpus if architecture.is_moe else model.parallelism.gpus_per_rank
    steps = (
        encoder_peak(model, architecture, batched_tokens),
        forward_peak(architecture, batched_tokens, tensor),
        sampler_peak(architecture, min(seqs, batched_tokens), version),
    )
    layers = -(-architecture.num_hidden_layers // pipeline)
    graphs = 0.0 if model.engine.enforce_eager else capture_sizes(seqs) * layers * _since(_GRAPH_BYTES, version)
    return Reserves(max(steps), graphs, _non_torch(connected, version))


def forward_peak(architecture: Architecture, tokens: int, tensor: int) -> float:
    """Peak inside a layer: the residual stream plus the larger of the intermediate results of attention and MLP."""
    a = architecture
    attention = a.num_attention_heads * a.head_size * 2 + 2 * a.kv_heads * a.head_size
    linear = 2 * (2 * a.linear_num_key_heads * a.linear_key_head_dim + 3 * a.linear_num_value_heads * a.linear_value_head_dim)
    split = max(attention, linear, 3 * (a.intermediate_size or 4 * a.hidden_size)) / tensor
    return tokens * _ACTIVATION_BYTES * (3 * a.hidden_size + max(split, _experts(a, tensor)))


def _experts(a: Architecture, tensor: int) -> float:
    """Elements per token in the fused MoE workspace: gate and up (or the output, in the same buffer), plus the activation's result."""
    if not a.is_moe:
        return 0.0
    width = (a.moe_intermediate_size or a.intermediate_size or a.hidden_size) / tensor
    return a.num_experts_per_tok * (max(2 * width, a.hidden_size) + width)


def sampler_peak(architecture: Architecture, seqs: int, version: Version = CURRENT) -> float:
    """Logits of `seqs` sequences and the sampler's copies of them."""
    return seqs * architecture.vocab_size * _since(_SAMPLER_BYTES, version)


def capture_sizes(seqs: int) -> int:
    """How many batch sizes CUDA graphs are captured for."""
    largest = min(2 * seqs, _LARGEST_CAPTURE)
    return sum(size <= largest for size in (1, 2, 4, *range(8, 256, 8), *range(256, _LARGEST_CAPTURE + 1, 16)))


def _since(sizes: tuple[tuple[Version, float], ...], version: Version) -> float:
    return next(size for since, size in sizes if version >= since)


def _non_torch(gpus: int, version: Version) -> float:
    return _since(_NON_TORCH_BYTES, version) + (_PARALLEL_BYTES + _PEER_BYTES * gpus if gpus > 1 else 0.0)
