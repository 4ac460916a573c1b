"""Which layers of a config.json attend how, and which have experts, in as few keys as say it."""

from __future__ import annotations

from typing import Any

from config.layers import LAYER_KINDS

# Patterns that classes of transformers 5.24 set by themselves where config.json does not say them.
_PATTERNS = {
    "gemma2": {"sliding_window_pattern": 2},
    "gemma3_text": {"sliding_window_pattern": 6},
    "gemma3n_text": {"sliding_window_pattern": 5},
    "gemma4_text": {"sliding_window_pattern": 6},
    "cohere2": {"sliding_window_pattern": 4},
    "exaone4": {"sliding_window_pattern": 4},
    "olmo3": {"sliding_window_pattern": 4},
    "gpt_oss": {"sliding_window_pattern": 2},
    "qwen3_next": {"full_attention_interval": 4},
    "qwen3_5_text": {"full_attention_interval": 4},
    "qwen3_5_moe_text": {"full_attention_interval": 4},
}
_BLOCK_LETTERS = {"mamba": "M", "attention": "*", "moe": "E", "mlp": "-"}
# Layers that attend to all of the context, with an indexer that chooses from it.
_SPARSE = frozenset({"deepseek_sparse_attention", "indexed_attention"})


def attention_layers(text: dict[str, Any], architecture: dict[str, Any]) -> dict[str, Any]:
    """The keys that say how layers attend; keys of `architecture` that say it otherwise are taken out of it."""
    blocks = text.get("layers_block_type")
    if blocks and text.get("model_type") == "nemotron_h":
        pattern = "".join(_BLOCK_LETTERS.get(str(block), "?") for block in blocks)
        return {"hybrid_override_pattern": pattern, "num_hidden_layers": len(pattern)}
    if text.get("hybrid_override_pattern"):
        return {"num_hidden_layers": len(text["hybrid_override_pattern"])}
    types = _types(text, architecture)
    if types is None:
        return _by_pattern(text, architecture)
    architecture.pop("layer_types", None)
    return _summed_up(types[: architecture.get("num_hidden_layers", len(types))], architecture)


def _types(text: dict[str, Any], architecture: dict[str, Any]) -> list[str] | None:
    count = architecture.get("num_hidden_layers", 0)
    if pattern := text.get("hybrid_layer_pattern"):
        architecture.pop("attention_chunk_size", None)
        return ["sliding_attention" if flag else "full_attention" for flag in pattern]
    if linear := text.get("linear_attn_config"):
        full = set(linear.get("full_attn_layers") or ())
        return ["full_attention" if index + 1 in full else "linear_attention" for index in range(count)]
    if text.get("layer_types"):
        return ["full_attention" if kind in _SPARSE else str(kind) for kind in text["layer_types"]]
    if text.get("full_attn_idxs"):
        return ["full_attention" if index in text["full_attn_idxs"] else "conv" for index in range(count)]
    if any(flag != 1 for flag in text.get("attn_type_list") or ()):
        return ["full_attention" if flag == 1 else "lightning_attention" for flag in text["attn_type_list"]]
    return None


def _by_pattern(text: dict[str, Any], architecture: dict[str, Any]) -> dict[str, Any]:
    if architecture.get("attention_chunk_size"):
        flags = text.get("no_rope_layers")
        interval = text.get("no_rope_layer_interval") or (_interval([flag == 0 for flag in flags]) if flags else 4)
        return {"no_rope_layer_interval": interval} if interval else {}
    if isinstance(pattern := architecture.get("sliding_window_pattern"), str):  # EXAONE 4: LLLG
        return {"sliding_window_pattern": len(pattern)}
    defaults = _PATTERNS.get(str(text.get("model_type")), {})
    if text.get("_sliding_window_pattern"):
        defaults = {"sliding_window_pattern": text["_sliding_window_pattern"]}
    return {key: value for key, value in defaults.items() if key not in architecture}


def _summed_up(types: list[str], architecture: dict[str, Any]) -> dict[str, Any]:
    """A pattern where there is one, else the list."""
    others = {LAYER_KINDS.get(kind, kind) for kind in types} - {"full"}
    for key in ("sliding_window_pattern", "full_attention_interval", "no_rope_layer_interval"):
        architecture.pop(key, None)
    if "sliding" not in others:
        architecture.pop("sliding_window", None)
    if "chunked" not in others:
        architecture.pop("attention_chunk_size", None)
    if not others:
        return {}
    interval = _interval([LAYER_KINDS.get(kind) == "full" for kind in types])
    key = {"sliding": "sliding_window_pattern", "linear": "full_attention_interval", "chunked": "no_rope_layer_interval"}
    if interval is None or len(others) > 1 or next(iter(others)) not in key:
        return {"layer_types": tuple(types)}
    return {key[next(iter(others))]: interval}


def _interval(full: list[bool]) -> int | None:
    """n where exactly every n-th layer is full; None where there is no such n."""
    count = sum(full)
    interval = len(full) // count if count else len(full) + 1
    regular = all(flag == ((index + 1) % interval == 0) for index, flag in enumerate(full))
    return interval if regular else None


def expert_layers(text: dict[str, Any], architecture: dict[str, Any]) -> dict[str, Any]:
    """The keys that say which layers have experts."""
    if not architecture.get("num_experts"):
        return {}
    count, found = architecture.get("num_hidden_layers", 0), _sparse_layers(text, architecture)
    if found is None:
        return {}
    dense = tuple(index for index, sparse in enumerate(found[:count]) if not sparse)
    if dense == tuple(range(len(dense))):
        return {"first_k_dense_replace": len(dense)}
    return {"first_k_dense_replace": 0, "mlp_only_layers": dense}


def _sparse_layers(text: dict[str, Any], architecture: dict[str, Any]) -> list[bool] | None:
    """Of each layer whether it has experts; None where first_k_dense_replace and the like say it."""
    frequency, types, count = text.get("moe_layer_freq"), text.get("mlp_layer_types"), architecture.get("num_hidden_layers", 0)
    if isinstance(frequency, (list, tuple)):
        return [bool(flag) for flag in frequency]
    if types:
        return [kind != "dense" for kind in types]
    if isinstance(frequency, int) and frequency > 1:
        first = architecture.get("first_k_dense_replace", 0)
        return [index >= first and index % frequency == 0 for index in range(count)]
    return None
