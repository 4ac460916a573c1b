"""Stacks whose config.json keys must be read as vLLM does: changes to a valid stack, and the planned context length."""

from tests.unit.wrong_architectures import TINY
from tests.unit.wrong_models import MODEL
from tests.unit.wrong_readings import QWEN, TINY_MODEL

OWN_LIMIT = {f"{MODEL}.engine.maxModelLen": None}

CONTEXTS = {
    "the catalogue's architecture once more": ({f"{MODEL}.architecture": QWEN, f"{MODEL}.engine.maxModelLen": 8192}, 8192),
    "YaRN by its default original context": (
        {f"{MODEL}.engine.ropeScaling": {"factor": 2}, f"{MODEL}.engine.maxModelLen": 8192},
        8192,
    ),
    "every layer slides": (
        {
            **TINY_MODEL,
            **OWN_LIMIT,
            f"{MODEL}.architecture": TINY | {"model_type": "mistral", "sliding_window": 4096},
            f"{MODEL}.engine.maxModelLen": 9000,
        },
        9000,
    ),
    "a pattern longer than the model": (
        {**TINY_MODEL, **OWN_LIMIT, f"{MODEL}.architecture": TINY | {"sliding_window": 64, "sliding_window_pattern": 6}},
        9000,
    ),
    "linear scaling is multiplied": (
        {**TINY_MODEL, **OWN_LIMIT, f"{MODEL}.architecture": TINY, f"{MODEL}.engine.ropeScaling": {"ropeType": "linear", "factor": 2}},
        18000,
    ),
    "YaRN stretches": ({**TINY_MODEL, **OWN_LIMIT, f"{MODEL}.architecture": TINY, f"{MODEL}.engine.ropeScaling": {"factor": 4}}, 36000),
    "longrope's original context is the default": (
        {**TINY_MODEL, **OWN_LIMIT, f"{MODEL}.architecture": TINY | {"model_type": "phi3", "original_max_position_embeddings": 4096}},
        4096,
    ),
}
