"""Work of one engine step on each GPU of a replica: weights and KV cache to read, FLOPs, hidden states to exchange.

Counted from the architecture and the parallel sizes; `planning/performance.py` turns it into seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from config.architecture import Architecture
from config.layers import LayerKind
from config.models import Parallelism
from config.quantization import ModuleClass
from planning.parameters import count_parameters
from planning.states import state_bytes
from planning.weight_size import bytes_per_weight

# Formats in which weights are multiplied, if the GPU supports them; `unpacked`: converted to 16 bits first on every GPU.
Numbers = Literal["bf16", "fp8", "nvfp4", "mxfp4", "unpacked"]

PLAIN_BYTES = 2
_DENSE: tuple[ModuleClass, ...] = ("attention", "mixer", "mlp", "shared_experts")


@dataclass(frozen=True)
class Matrices:
    """Weights on one GPU with the same format."""

    numbers: Numbers
    size: float
    """Bytes."""
    flops: float
    """Per token."""


@dataclass(frozen=True)
class AttentionLayers:
    """Attention layers of one kind, on one GPU."""

    most_seen: float
    """Most preceding tokens that a token attends to; for chunked attention the average."""
    kv_bytes: float
    """KV cache bytes per token, all these layers together."""
    flops: float
    """FLOPs per pair of attending and attended token, all these layers together."""


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
    """Share of the experts that one token is routed to."""
    output: Matrices
    """The output projection (lm_head), for sampled tokens only."""
    hidden_bytes: float
    """Hidden states of a token, all layers together."""
    attention: tuple[AttentionLayers, ...]
    state_bytes: float
    """State of a sequence in layers without a KV cache, bytes."""


def plan_work(architecture: Architecture, sizes: Parallelism, kv_dtype_bytes: float = PLAIN_BYTES, dtype: str = "auto") -> Work:
    tensor, data = sizes.tensor, sizes.data
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
        pipeline=sizes.pipeline,
        data=data,
        dense=tuple(_matrices(a, parameters, each[module]) for module, parameters in sliced.items() if parameters),
        experts=_matrices(a, experts, each["experts"], share) if experts else None,
        expert_share=share,
        output=_matrices(a, a.vocab_size * a.hidden_size / tensor, each["lm_head"]),
        hidden_bytes=a.hidden_size * a.num_hidden_layers * PLAIN_BYTES,
        attention=tuple(_attention(a, kind, number, tensor, kv_dtype_bytes) for kind, number in a.layers().items() if kind in _SEEN),
        state_bytes=sum(number * state_bytes(a, kind, tensor) for kind, number in a.layers().items()),
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
    seen = {
        "full": a.index_topk
        if a.is_mla and a.index_topk
        else math.inf,  # the indexer selects the attended tokens; its own reads are ignored
        "sliding": a.sliding_window or math.inf,
        "chunked": (a.attention_chunk_size or math.inf) / 2,
    }
    if a.kv_lora_rank is not None:
        cached: float = a.kv_lora_rank + a.qk_rope_head_dim  # one latent for all heads, on every GPU
        width = heads.query * (a.qk_nope_head_dim + a.qk_rope_head_dim + a.v_head_dim)
    else:
        cached = max(1, heads.key_value // tensor) * (heads.key_size + heads.value_size)
        width = heads.query * (heads.key_size + heads.value_size)
    return AttentionLayers(float(seen[kind]), layers * cached * kv_dtype_bytes, 2 * layers * width / tensor)
