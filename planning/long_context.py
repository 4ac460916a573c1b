"""A context longer than the model's own limit: `engine.ropeScaling`, and the --hf-overrides that it becomes.

vLLM 0.33.0 (_get_and_verify_max_len) multiplies max_position_embeddings by the factor of linear and dynamic scaling, but assumes that
YaRN's factor is already included, so for YaRN max_position_embeddings is overridden too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from config.architecture import Architecture
from config.engine import RopeScaling
from config.errors import Problem
from config.models import Model

# Model types without rotary positions; model types whose context length vLLM derives without the factor (Gemma 3).
_NO_ROPE = frozenset({"gpt2", "opt", "bloom", "nemotron_h", "kimi_linear"})
_FACTOR_IGNORED = "gemma3"
# Prefixes of model types whose model cards document YaRN: the fix for a too long context suggests it.
_YARN_DOCUMENTED = ("qwen2", "qwen3")
MOST_YARN = 4


def stretched(architecture: Architecture, scaling: RopeScaling | None) -> Architecture:
    """The architecture with the context length that vLLM derives with this scaling."""
    if scaling is None:
        return architecture
    if scaling.rope_type == "yarn":
        return architecture.model_copy(
            update={"max_position_embeddings": _yarn_positions(architecture, scaling), "rope_scaling_factor": 1.0}
        )
    return architecture.model_copy(update={"rope_scaling_factor": scaling.factor})


def _original(architecture: Architecture, scaling: RopeScaling) -> int:
    return scaling.original_max_position_embeddings or architecture.max_position_embeddings


def _yarn_positions(architecture: Architecture, scaling: RopeScaling) -> int:
    return int(_original(architecture, scaling) * scaling.factor)


def hf_overrides(architecture: Architecture, scaling: RopeScaling | None) -> dict[str, Any]:
    """Value of --hf-overrides; below text_config for a multimodal model."""
    if scaling is None:
        return {}
    parameters: dict[str, Any] = {"rope_type": scaling.rope_type, "factor": scaling.factor}
    overrides: dict[str, Any] = {"rope_parameters": parameters}
    if scaling.rope_type == "yarn":
        parameters["original_max_position_embeddings"] = _original(architecture, scaling)
        overrides["max_position_embeddings"] = _yarn_positions(architecture, scaling)
    return {"text_config": overrides} if architecture.encoders else overrides


def rope_problems(path: str, model: Model, checkpoint: Architecture) -> Iterator[Problem]:
    scaling = model.engine.rope_scaling
    if scaling is None:
        return
    if checkpoint.is_encoder or checkpoint.model_type in _NO_ROPE:
        yield Problem(f"{path}.engine.ropeScaling", f"{model.source} has no rotary positions that could be scaled", "remove it")
    elif _FACTOR_IGNORED in checkpoint.model_type:
        yield Problem(f"{path}.engine.ropeScaling", "vLLM derives Gemma 3's context without the factor", "remove it")
    elif scaling.original_max_position_embeddings and scaling.original_max_position_embeddings > checkpoint.max_position_embeddings:
        yield Problem(
            f"{path}.engine.ropeScaling.originalMaxPositionEmbeddings",
            f"{scaling.original_max_position_embeddings}, but {model.source} was made for {checkpoint.max_position_embeddings} positions",
            f"set it to at most {checkpoint.max_position_embeddings}, or leave it out",
        )


def too_long(path: str, model: Model, architecture: Architecture) -> Iterator[Problem]:
    """A maxModelLen above the context length that vLLM derives, which vLLM refuses."""
    longest, wanted = architecture.context_length, model.engine.max_model_len
    if not wanted or wanted <= longest:
        return
    fix = f"set it to at most {longest}"
    factor = math.ceil(wanted / longest * 2) / 2
    if model.engine.rope_scaling is None and architecture.model_type.startswith(_YARN_DOCUMENTED) and factor <= MOST_YARN:
        fix += f", or stretch the context: engine.ropeScaling {{ropeType: yarn, factor: {factor}}}"
    yield Problem(f"{path}.engine.maxModelLen", f"{wanted} tokens, but {model.source} was made for {longest} positions", fix)
