"""Which modules of a model a checkpoint's lists match: `ignore`, `exclude_modules`, `modules_to_not_convert`, `targets`.

A list has names, wildcards and regular expressions (`re:`), written for the module names of one implementation. A module matches if any
of its names in known implementations matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import lru_cache

from config.architecture import Architecture
from config.quantization import ModuleClass
from planning.projections import Projection, projections

_BEFORE_LAYERS = ("model.layers", "model.language_model.layers", "language_model.model.layers", "backbone.layers", "layers")
# Names of the same part of a layer in different implementations.
_PARTS = {
    "self_attn": ("self_attn", "attn", "attention", "mixer"),
    "mlp": ("mlp", "block_sparse_moe", "feed_forward", "ffn", "moe"),
    "mixer": ("mixer",),
    "experts": ("experts", "moe.experts"),
}
_NAMES: dict[str, tuple[str, ...]] = {
    "lm_head": ("lm_head", "language_model.lm_head", "output", "head"),
    "embedding": ("model.embed_tokens", "embed_tokens", "language_model.model.embed_tokens", "model.language_model.embed_tokens"),
    "encoder": ("model.visual.blocks.0", "visual", "vision_tower.blocks.0", "model.vision_tower.encoder", "vision_model", "vision_tower"),
}


def ignored_share(architecture: Architecture, module: ModuleClass, patterns: tuple[str, ...]) -> float:
    """Share of a module class's parameters that the patterns match."""
    return _share(architecture, module, patterns) if patterns else 0.0


def targeted_share(architecture: Architecture, module: ModuleClass, targets: tuple[str, ...]) -> float:
    """Share of a module class's parameters that a group's targets match. `Linear` means every projection of the layers."""
    if not targets or "Linear" in targets:
        return float(module not in ("embedding", "lm_head", "encoder"))
    if targets == ("experts",):
        return float(module == "experts")
    return _share(architecture, module, targets)


def _share(architecture: Architecture, module: ModuleClass, patterns: tuple[str, ...]) -> float:
    exact = frozenset(pattern for pattern in patterns if not _is_pattern(pattern))
    others = tuple(_compiled(pattern) for pattern in patterns if _is_pattern(pattern))
    if module in _NAMES:
        return float(any(_named(name, exact, others) for name in _NAMES[module]))
    total = named = 0
    for one in projections(architecture):
        if one.module != module:
            continue
        total += one.total
        named += one.parameters * sum(any(_named(name, exact, others) for name in _full_names(one, layer)) for layer in one.layers)
    return named / total if total else 0.0


def _full_names(one: Projection, layer: int) -> Iterator[str]:
    part, _, rest = one.name.partition(".")
    for before in _BEFORE_LAYERS:
        for spelling in _PARTS.get(part, (part,)):
            yield f"{before}.{layer}.{spelling}.{rest}"
            if "shared_experts" in rest:
                yield f"{before}.{layer}.{spelling}.{rest.replace('shared_experts', 'shared_expert')}"


def _named(name: str, exact: frozenset[str], patterns: tuple[re.Pattern[str], ...]) -> bool:
    """Whether the list has the name, or that of a module that contains it."""
    parts = name.split(".")
    return any(".".join(parts[start:end]) in exact for end in range(1, len(parts) + 1) for start in (0, end - 1)) or any(
        pattern.match(name) for pattern in patterns
    )


def _is_pattern(text: str) -> bool:
    return text.startswith("re:") or "*" in text


@lru_cache(maxsize=65536)
def _compiled(pattern: str) -> re.Pattern[str]:
    if pattern.startswith("re:"):
        try:
            return re.compile(pattern[3:])
        except re.error:
            return re.compile(re.escape(pattern[3:]))
    return re.compile(translate(pattern.rstrip(".")).replace(r"\Z", r"(\..*)?\Z"))
