"""GPU memory of vision and audio encoders in vLLM's profile run.

vLLM profiles with as many of the largest images (or recordings) as its encoder budget holds: the larger of
`max_num_batched_tokens` and one such image (multimodal/encoder_budget.py 0.33.0). `--limit-mm-per-prompt` of 0 loads no encoder.
"""

from __future__ import annotations

from config.architecture import Architecture
from config.models import Model
from planning.engine_options import engine_options

_ACTIVATION_BYTES = 2
# Prefixes of the model types of encoders with a gated MLP: the gate's result, the up projection's and their product exist at once.
_GATED = ("qwen2_5", "pixtral", "gemma4")


def encoder_peak(model: Model, architecture: Architecture, batched_tokens: int) -> float:
    """Bytes at the peak of the profile run's largest encoder, with its output; 0 for a model without encoders."""
    options = engine_options(model)
    if options.skip_mm_profiling:
        return 0.0
    peaks = [0.0]
    for encoder, left_out in ((architecture.vision_config, options.without_images), (architecture.audio_config, options.without_audio)):
        if encoder is None or left_out:
            continue
        tokens = max(batched_tokens, encoder.max_tokens or 0)
        results = 3 if encoder.model_type.startswith(_GATED) else 2
        patch = results * encoder.intermediate_size + 4 * encoder.hidden_size
        peaks.append(tokens * _ACTIVATION_BYTES * (encoder.patches_per_token * patch + architecture.hidden_size))
    return max(peaks)
