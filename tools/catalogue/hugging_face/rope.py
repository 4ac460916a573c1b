"""The context that vLLM derives from a config.json: `_get_and_verify_max_len` of vllm/config/model.py 0.33.0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Keys of the longest context; vLLM takes the smallest, unless the last one is given.
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length", "max_seq_length", "seq_len")
_OVERRIDE = "model_max_length"
# rope types whose factor max_position_embeddings includes.
_INCLUDED = frozenset({"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})


def positions(text: dict[str, Any], model_type: str) -> dict[str, Any]:
    """Architecture keys of the context. `model_type` is the whole file's: Gemma 3's limit is scaled already."""
    found: dict[str, Any] = {}
    lengths = [text[key] for key in _LENGTHS if isinstance(text.get(key), int)]
    if limit := text.get(_OVERRIDE) or min(lengths, default=None):
        found["max_position_embeddings"] = limit
    scalings = list(_scalings(text))
    kinds = [scaling.get("rope_type") or scaling.get("type") or "default" for scaling in scalings]
    factors = [scaling["factor"] for scaling, kind in zip(scalings, kinds, strict=True) if kind not in _INCLUDED and scaling.get("factor")]
    if factors and "gemma3" not in model_type:
        found["rope_scaling_factor"] = float(factors[-1])
    if "longrope" in kinds or "su" in kinds:
        found["original_max_position_embeddings"] = text.get("original_max_position_embeddings")
    return {key: value for key, value in found.items() if value is not None}


def _scalings(text: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rope parameters of the model, or of each kind of its layers."""
    scaling = text.get("rope_scaling") or text.get("rope_parameters")
    if not isinstance(scaling, dict):
        return
    nested = [value for value in scaling.values() if isinstance(value, dict)]
    yield from nested or [scaling]
