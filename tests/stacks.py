"""Stacks for tests: a small one that works, and ways to change it."""

from __future__ import annotations

import copy
from typing import Any

from config.parsing import parse
from config.settings import Settings
from config.stack_config import without_secret_values

REVISION = "0123456789abcdef0123456789abcdef01234567"

BASE: dict[str, Any] = {
    "gcp:project": "acme-llm",
    "gcp:region": "us-central1",
    "vllm-platform:cluster": {"provider": "gke", "name": "llm", "zones": ["us-central1-a", "us-central1-b"]},
    "vllm-platform:nodePools": {"l4": {"machineType": "g2-standard-12", "onDemand": {"min": 1, "max": 4}, "spot": {"max": 8}}},
    "vllm-platform:models": {
        "qwen3-8b": {
            "source": "Qwen/Qwen3-8B",
            "revision": REVISION,
            "nodePool": "l4",
            "engine": {"maxModelLen": 8192},
            "scaling": {"floor": 1, "ceiling": 3},
        }
    },
    "vllm-platform:gateway": {"authentication": "none"},
}


def stack(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """BASE, changed."""
    return changed(BASE, changes or {})


def changed(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with values set at dotted paths below the project's namespace: `models.qwen3-8b.engine.maxModelLen`.

    A whole key (`gcp:region`) is set as it is; None removes what is there.
    """
    config = copy.deepcopy(config)
    for path, value in copy.deepcopy(changes).items():
        if ":" in path:
            _set(config, path, value)
            continue
        section, *keys = path.split(".")
        *parents, last = [f"vllm-platform:{section}", *keys]
        target: Any = config
        for key in parents:
            target = target.setdefault(key, {})
        _set(target, last, value)
    return config


def _set(target: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value


def settings(changes: dict[str, Any] | None = None) -> Settings:
    return parse(without_secret_values(stack(changes)))
