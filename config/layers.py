"""The kind of each layer of a model (full attention, sliding window, Mamba-2, ...), from the keys of config.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from config.architecture import Architecture

# Kinds of layers. The first three have a KV cache, the last three a state of fixed size.
LayerKind = Literal["full", "sliding", "chunked", "linear", "mamba", "conv"]
STATE_KINDS: frozenset[LayerKind] = frozenset({"linear", "mamba", "conv"})

# Model types whose sliding-window fields in config.json are set but not used.
_EVERY_LAYER_FULL = frozenset({"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"})
LAYER_KINDS: dict[str, LayerKind] = {
    "full_attention": "full",
    "attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "chunked",
    "linear_attention": "linear",
    "mamba": "mamba",
    "conv": "conv",
}
# Nemotron-H: a layer is one mixer or one MLP.
_HYBRID_KINDS: dict[str, LayerKind] = {"M": "mamba", "*": "full"}
_HYBRID_LETTERS = frozenset("M*E-")


_NAMES: dict[LayerKind, str] = {
    "sliding": "sliding attention",
    "chunked": "chunked attention",
    "linear": "linear attention",
    "mamba": "Mamba-2",
    "conv": "short convolutions",
}
# Keys that layers of each kind require.
_SIZES: dict[LayerKind, tuple[str, ...]] = {
    "sliding": ("sliding_window",),
    "chunked": ("attention_chunk_size",),
    "linear": (
        "linear_num_key_heads",
        "linear_num_value_heads",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "linear_conv_kernel_dim",
    ),
    "mamba": ("mamba_num_heads", "mamba_head_dim", "ssm_state_size"),
    "conv": ("conv_L_cache",),
}


def layer_kinds(a: Architecture) -> tuple[LayerKind | None, ...]:
    """The kind of each layer; None for an MLP-only layer (Nemotron-H)."""
    if a.hybrid_override_pattern is not None:
        return tuple(_HYBRID_KINDS.get(letter) for letter in a.hybrid_override_pattern)
    if a.layer_types is not None:
        return tuple(LAYER_KINDS.get(layer_type, "full") for layer_type in a.layer_types)
    interval, other = _pattern(a)
    return tuple("full" if interval and (index + 1) % interval == 0 else other for index in range(a.num_hidden_layers))


def _pattern(a: Architecture) -> tuple[int | None, LayerKind]:
    """Interval of the full-attention layers (None: no such interval), and the kind of the other layers."""
    if a.full_attention_interval:
        return a.full_attention_interval, "linear"
    if a.attention_chunk_size:
        return a.no_rope_layer_interval, "chunked"
    if a.sliding_window and (a.sliding_window_pattern or a.model_type not in _EVERY_LAYER_FULL):
        return a.sliding_window_pattern, "sliding"
    return None, "full"


def impossible_layers(a: Architecture) -> Iterator[str]:
    """Contradictions among the layer keys of an architecture."""
    pattern, types = a.hybrid_override_pattern, a.layer_types
    if types is not None and len(types) != a.num_hidden_layers:
        yield f"layer_types names {len(types)} layers of {a.num_hidden_layers}"
    if unknown := sorted(set(types or ()) - LAYER_KINDS.keys()):
        yield f"layer_types names {', '.join(unknown)}, and planning knows {', '.join(LAYER_KINDS)}"
    if pattern is not None and len(pattern) != a.num_hidden_layers:
        yield f"hybrid_override_pattern names {len(pattern)} layers of {a.num_hidden_layers}"
    if unknown := sorted(set(pattern or "") - _HYBRID_LETTERS):
        yield f"hybrid_override_pattern has {', '.join(unknown)}, and planning knows M, *, - and E"
    if a.first_k_dense_replace > a.num_hidden_layers:
        yield f"first_k_dense_replace is {a.first_k_dense_replace}, of {a.num_hidden_layers} layers"
    if a.mlp_only_layers and max(a.mlp_only_layers) >= a.num_hidden_layers:
        yield f"mlp_only_layers names layer {max(a.mlp_only_layers)}, and there are {a.num_hidden_layers} from 0"
    kinds = frozenset(a.layer_kinds)
    for kind, sizes in _SIZES.items():
        missing = [name for name in sizes if not getattr(a, name)]
        if missing and kind in kinds:
            yield f"it has layers of {_NAMES[kind]}, but no {', '.join(missing)}"
