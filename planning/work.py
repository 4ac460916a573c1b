"""What the tokens of one engine step ask of each GPU of a replica: weights and KV cache to read, multiplications, hidden states to pass on.

Counted from the architecture and how it is spread; how long a GPU takes for it is `planning/performance.py`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from config.architecture import Architecture
from config.layers import LayerKind
from config.quantization import ModuleClass
from planning.parameters import count_parameters
from planning.weight_size import bytes_per_weight

# What weights are multiplied as, on a GPU that can; `unpacked` are turned into 16 bits first on every GPU.
Numbers = Literal["bf16", "fp8", "nvfp4", "mxfp4", "unpacked"]

PLAIN_BYTES = 2
_STATE_BYTES = 4
_DENSE: tuple[ModuleClass, ...] = ("attention", "mixer", "mlp", "shared_experts")


@dataclass(frozen=True)
class Matrices:
    """Weights on one GPU that are multiplied alike."""

    numbers: Numbers
    size: float
    """Bytes."""
    flops: float
    """Per token."""


@dataclass(frozen=True)
class AttentionLayers:
    """Layers that attend alike, on one GPU."""

    most_seen: float
    """Tokens before it that a token sees at most; a chunk's on average."""
    kv_bytes: float
    """KV cache of a token, of all these layers."""
    flops: float
    """Per token and token that it sees, of all these layers."""


@dataclass(frozen=True)
class Work:
    layers: int
    expert_layers: int
    tensor: int
    pipeline: int
    data: int
    dense: tuple[Matrices, ...]
    experts: Matrices | None
    expert_share: float
    """Share of the experts that one token visits."""
    output: Matrices
    """The output projection, for tokens that are sampled."""
    hidden_bytes: float
    """A token's hidden states, of all layers."""
    attention: tuple[AttentionLayers, ...]
    state_bytes: float
    """State of a sequence in layers without a KV cache."""


def plan_work(
    architecture: Architecture, tensor: int = 1, pipeline: int = 1, data: int = 1, kv_dtype_bytes: float = PLAIN_BYTES, dtype: str = "auto"
) -> Work:
    a, count, plain = architecture, count_parameters(architecture), 4 if dtype == "float32" else PLAIN_BYTES
    each = bytes_per_weight(a, plain)
    sliced = {module: getattr(count, module) / tensor for module in _DENSE}
    sliced["attention"] += count.replicated
    share = a.num_experts_per_tok / a.num_experts if a.num_experts else 0.0
    experts = count.experts / (tensor * data)
    return Work(
        layers=a.num_hidden_layers,
        expert_layers=sum(a.has_experts),
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        dense=tuple(_matrices(a, parameters, each[module]) for module, parameters in sliced.items() if parameters),
        experts=_matrices(a, experts, each["experts"], share) if experts else None,
        expert_share=share,
        output=_matrices(a, a.vocab_size * a.hidden_size / tensor, each["lm_head"]),
        hidden_bytes=a.hidden_size * a.num_hidden_layers * PLAIN_BYTES,
        attention=tuple(_attention(a, kind, number, tensor, kv_dtype_bytes) for kind, number in a.layers().items() if kind in _SEEN),
        state_bytes=_state_bytes(a, tensor),
    )


def _matrices(architecture: Architecture, parameters: float, size: float, visited: float = 1.0) -> Matrices:
    return Matrices(_numbers(architecture, size), parameters * size, 2 * parameters * visited)


def _numbers(architecture: Architecture, size: float) -> Numbers:
    config = architecture.quantization_config
    if config is None or size >= PLAIN_BYTES:
        return "bf16"
    if config.is_mxfp4:
        return "mxfp4"
    activations = config.activation_bits or 16
    if activations >= PLAIN_BYTES * 8:
        return "unpacked"
    return "nvfp4" if activations <= 4 else "fp8"


_SEEN: frozenset[LayerKind] = frozenset({"full", "sliding", "chunked"})


def _attention(a: Architecture, kind: LayerKind, layers: int, tensor: int, kv_dtype_bytes: float) -> AttentionLayers:
    heads = a.heads(kind)
    seen = {"sliding": a.sliding_window or math.inf, "chunked": (a.attention_chunk_size or math.inf) / 2}
    if a.kv_lora_rank is not None:
        cached: float = a.kv_lora_rank + a.qk_rope_head_dim  # one latent for all heads, on every GPU
        width = heads.query * (a.qk_nope_head_dim + a.qk_rope_head_dim + a.v_head_dim)
    else:
        cached = max(1, heads.key_value // tensor) * (heads.key_size + heads.value_size)
        width = heads.query * (heads.key_size + heads.value_size)
    return AttentionLayers(float(seen.get(kind, math.inf)), layers * cached * kv_dtype_bytes, 2 * layers * width / tensor)


def _state_bytes(a: Architecture, tensor: int) -> float:
    layers = a.layers()
    linear = a.linear_num_value_heads * a.linear_value_head_dim * a.linear_key_head_dim
    mamba = a.mamba_num_heads * a.mamba_head_dim * a.ssm_state_size
    return (layers.get("linear", 0) * linear + layers.get("mamba", 0) * mamba) * _STATE_BYTES / tensor
