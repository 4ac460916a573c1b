"""JSON Merge Patch (RFC 7396): how changes are laid over a mapping of settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(value: Any, changes: Any) -> Any:
    """`value` with `changes`, neither of which is changed itself. None removes a key; lists are replaced whole."""
    if not isinstance(changes, Mapping):
        return changes
    merged = dict(value) if isinstance(value, Mapping) else {}
    for key, change in changes.items():
        if change is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), change)
    return merged
