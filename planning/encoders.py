"""What encoders of images and audio take in vLLM's profile run.

vLLM profiles with as many of the largest images (or recordings) as its encoder budget holds: the larger of
`max_num_batched_tokens` and one such image (multimodal/encoder_budget.py 0.33.0). `--limit-mm-per-prompt` of zero spares an encoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from config.architecture import Architecture
from config.models import Model

_ACTIVATION_BYTES = 2
_LIMIT = "--limit-mm-per-prompt"
# Flags after which no encoder runs, or none is profiled.
_NO_ENCODER = frozenset({"--language-model-only", "--skip-mm-profiling"})
_MODALITIES = {"vision": ("image", "video"), "audio": ("audio",)}


def encoder_peak(model: Model, architecture: Architecture, batched_tokens: int) -> float:
    """Bytes at the peak of the profile run's largest encoder, with its output; 0 for a model without encoders."""
    arguments = model.engine.extra_args
    if not _NO_ENCODER.isdisjoint(arguments):
        return 0.0
    limits = prompt_limits(arguments)
    encoders = {"vision": architecture.vision_config, "audio": architecture.audio_config}
    peaks = [0.0]
    for kind, encoder in encoders.items():
        if encoder is None or not any(limits.get(name, 1) for name in _MODALITIES[kind]):
            continue
        tokens = max(batched_tokens, encoder.max_tokens or 0)
        patch = 2 * encoder.intermediate_size + 4 * encoder.hidden_size
        peaks.append(tokens * _ACTIVATION_BYTES * (encoder.patches_per_token * patch + architecture.hidden_size))
    return max(peaks)


def prompt_limits(arguments: Iterable[str]) -> dict[str, int]:
    """Most items of each modality in a prompt, where `--limit-mm-per-prompt` names it, as JSON or by dotted keys."""
    limits: dict[str, int] = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name == _LIMIT:
            limits |= _numbers(value)
        elif name.startswith(f"{_LIMIT}."):
            limits |= _numbers(json.dumps({name.removeprefix(f"{_LIMIT}."): _json(value)}))
    return limits


def _numbers(text: str) -> dict[str, int]:
    """Counts by modality; one may be an object that holds its `count`."""
    found = _json(text)
    counts = (
        {key: value.get("count") if isinstance(value, dict) else value for key, value in found.items()} if isinstance(found, dict) else {}
    )
    return {key: value for key, value in counts.items() if isinstance(value, int)}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
