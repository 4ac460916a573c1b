"""Translates a Hugging Face `config.json` into the architecture that planning reads. Pure.

Takes the text model out of a multimodal one, and says in a pattern what the file lists layer by layer.
"""

from __future__ import annotations

from typing import Any

from config.architecture import Architecture, QuantizationConfig

# rope_scaling types whose factor vLLM multiplies into max_position_embeddings (_get_and_verify_max_len).
_SCALED = frozenset({"linear", "dynamic", "yarn"})
_SPELLINGS = {
    "dtype": "torch_dtype",
    "n_embd": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_positions": "max_position_embeddings",
    "n_inner": "intermediate_size",
    "num_local_experts": "num_experts",
    "n_routed_experts": "num_experts",
}


def architecture_from_config(config: dict[str, Any]) -> Architecture:
    """The architecture of the language model in `config`.

    Raises:
        pydantic.ValidationError: `config` lacks a key that an architecture needs.
    """
    text = {**config, **config["text_config"]} if isinstance(config.get("text_config"), dict) else dict(config)
    known = {_SPELLINGS.get(key, key): value for key, value in text.items() if value is not None}
    if known.get("use_sliding_window") is False:
        known.pop("sliding_window", None)
    architecture = {key: known[key] for key in Architecture.model_fields if key in known and not key.endswith("_config")}
    architecture |= _positions(text) | _layers(text, architecture) | _quantization(text)
    return Architecture.model_validate(architecture)


def as_row(architecture: Architecture) -> dict[str, Any]:
    """The keys that differ from their defaults: what a catalogue row or an inline `architecture:` holds."""
    plain = architecture.model_dump(mode="json", exclude_defaults=True, by_alias=False)
    return {"model_type": plain.pop("model_type"), "torch_dtype": architecture.torch_dtype} | {
        key: value for key, value in plain.items() if key != "torch_dtype"
    }


def _positions(text: dict[str, Any]) -> dict[str, Any]:
    """The factor by which vLLM stretches the context, where the file's own limit does not include it."""
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    kind, factor = scaling.get("rope_type") or scaling.get("type"), scaling.get("factor")
    if kind not in _SCALED or not factor:
        return {}
    original, limit = scaling.get("original_max_position_embeddings"), text.get("max_position_embeddings", 0)
    if kind == "yarn" and original and original * factor <= limit:
        return {}
    return {"rope_scaling_factor": float(factor * original / limit if kind == "yarn" and original else factor)}


def _layers(text: dict[str, Any], architecture: dict[str, Any]) -> dict[str, Any]:
    if "no_rope_layers" in text and architecture.get("attention_chunk_size"):
        return {"no_rope_layer_interval": text.get("no_rope_layer_interval") or _interval([flag == 0 for flag in text["no_rope_layers"]])}
    types = text.get("layer_types")
    if types is None:
        return {"no_rope_layer_interval": 4} if architecture.get("attention_chunk_size") else {}
    interval = _interval([kind == "full_attention" for kind in types])
    others = {kind for kind in types if kind != "full_attention"}
    key = {"sliding_attention": "sliding_window_pattern", "linear_attention": "full_attention_interval"}
    if not others:
        architecture.pop("layer_types", None)
        architecture.pop("sliding_window", None)
        return {}
    if interval is None or len(others) > 1 or next(iter(others)) not in key:
        return {"layer_types": tuple(types)}
    architecture.pop("layer_types", None)
    return {key[next(iter(others))]: interval}


def _interval(full: list[bool]) -> int | None:
    """n where exactly every n-th layer is full; None where there is no such n."""
    count = sum(full)
    interval = len(full) // count if count else len(full) + 1
    regular = all(flag == ((index + 1) % interval == 0) for index, flag in enumerate(full))
    return interval if regular else None


def _quantization(text: dict[str, Any]) -> dict[str, Any]:
    config = text.get("quantization_config")
    if not isinstance(config, dict) or "quant_method" not in config:
        return {}
    return {"quantization_config": QuantizationConfig.model_validate(config)}
