"""CustomResourceDefinitions of the kinds in the program's own manifests: `tests/data/crds`, and those that only GKE installs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

_DATA = Path(__file__).parent / "data"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _texts() -> tuple[str, ...]:
    return tuple(path.read_text() for path in (*sorted((_DATA / "crds").glob("*.yaml")), _DATA / "gke_policies.yaml"))


def custom_resource_definitions() -> list[dict[str, Any]]:
    return [one for text in _texts() for one in yaml.load_all(text, _Loader) if one]


def kinds() -> set[str]:
    return {one["spec"]["names"]["kind"] for one in custom_resource_definitions()}


def structural(schema):
    """The CRD's schema with unknown fields refused, as server-side field validation in strict mode does."""
    if isinstance(schema, dict):
        strict = {key: structural(value) for key, value in schema.items()}
        if isinstance(strict.get("pattern"), str):
            strict["pattern"] = strict["pattern"].replace("^(?i)", "(?i)^")  # Go takes a flag anywhere, Python only in front
        if "properties" in strict and "additionalProperties" not in strict and not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict["additionalProperties"] = False
        return strict
    return [structural(item) for item in schema] if isinstance(schema, list) else schema
