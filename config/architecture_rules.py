"""An inline architecture beside the catalogue's row for the same model: both describe one checkpoint, so they cannot differ."""

from __future__ import annotations

from collections.abc import Iterator

from config.architecture import Architecture
from config.catalog import ModelRow
from config.errors import Problem

# Keys that may differ between files of one checkpoint: model_type, the dtype (vLLM converts weights), and the spelling of layers, context
# and quantization, whose results `_differing` compares instead.
_SPELT_DIFFERENTLY = frozenset(
    {
        "model_type",
        "torch_dtype",
        "quantization_config",
        "vision_config",
        "audio_config",
        "layer_types",
        "sliding_window_pattern",
        "full_attention_interval",
        "no_rope_layer_interval",
        "rope_scaling_factor",
        "max_position_embeddings",
        "original_max_position_embeddings",
        "mamba_ssm_cache_dtype",
    }
)


def catalogue_problems(path: str, source: str, inline: Architecture, row: ModelRow) -> Iterator[Problem]:
    """Refuses an inline architecture that differs from the catalogue's row in sizes, layers, quantization or context."""
    if differing := [*_differing(inline, row.architecture)]:
        message = f"contradicts the catalogue's row of {source}: " + ", ".join(differing)
        yield Problem(f"{path}.architecture", message, "remove `architecture`, or correct these keys by the model's config.json")


def _differing(inline: Architecture, known: Architecture) -> Iterator[str]:
    for key in sorted(inline.model_fields_set - _SPELT_DIFFERENTLY):
        value, expected = getattr(inline, key), getattr(known, key)
        if value != expected and expected not in (None, Architecture.model_fields[key].default):
            yield f"{key} {value} (catalogue: {expected})"
    if inline.layers() != known.layers():
        yield f"layers {_counts(inline)} (catalogue: {_counts(known)})"
    if inline.context_length != known.context_length:
        yield f"context {inline.context_length} (catalogue: {known.context_length})"
    mine, theirs = (architecture.quantization_config for architecture in (inline, known))
    if (mine is None) != (theirs is None) or (mine and theirs and mine.quant_method != theirs.quant_method):
        yield f"quantization {mine.quant_method if mine else 'none'} (catalogue: {theirs.quant_method if theirs else 'none'})"


def _counts(architecture: Architecture) -> str:
    return " + ".join(f"{count} {kind}" for kind, count in architecture.layers().items())
