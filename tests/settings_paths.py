"""Whether a path that a page names, such as `models.<name>.weights.claim`, is one of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from tools.reference.schema import stack_schema


def is_setting(section: str, keys: Sequence[str]) -> bool:
    schema = _schema()["properties"]["config"]["properties"].get(f"vllm-platform:{section}")
    return schema is not None and _has(schema, keys)


def _has(schema: dict[str, Any], keys: Sequence[str]) -> bool:
    if not keys:
        return True
    for one in _options(schema):
        entry = one.get("properties", {}).get(keys[0], one.get("additionalProperties"))
        if isinstance(entry, dict) and _has(entry, keys[1:]):
            return True
    return False


def _options(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema and what it may be instead."""
    found = [schema]
    for key in ("anyOf", "oneOf", "allOf"):
        found += [deeper for one in schema.get(key, []) for deeper in _options(one)]
    if "$ref" in schema:
        found += _options(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    return found


@cache
def _schema() -> dict[str, Any]:
    return stack_schema()
