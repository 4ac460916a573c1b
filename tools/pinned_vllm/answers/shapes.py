"""What of an answer is a promise: keys, types, and those values that a client's code reads.

Words of a model, ids, times and counts of tokens are replaced by the name of their type; of equal items of a list one stays.
"""

from __future__ import annotations

import re
from typing import Any

_KEPT = frozenset(
    ("object", "type", "role", "finish_reason", "stop_reason", "status", "code", "param", "message", "detail", "index", "model", "parent")
) | frozenset(("owned_by", "max_model_len", "output_index", "content_index", "reason", "tool_choice"))
_CLASS_NAME = re.compile(r"\.[A-Z]\w+")  # of vLLM's own code, in the place of a mistake
_SEVERAL = re.compile(r"^(?!1 )\d+ validation errors")  # one for each way in which a value could have been meant
_SIZE = re.compile(r"<(\w+) of \d+ items>")  # of a wrong value: vLLM adds fields of its own before it looks
_ID = re.compile(r"^(chatcmpl|cmpl|resp|msg|modelperm|embd)[-_]?.*")


def shape(value: Any, key: str = "") -> Any:
    if key == "delta" and value == {}:
        return {"content": "<string>"}  # of a token without a text, which random weights now and then choose
    if isinstance(value, dict) and key == "top_logprobs" and "token" not in value:
        return {"<string>": "<number>"}  # by token
    if isinstance(value, dict):
        return {name: shape(inner, name) for name, inner in value.items()}
    if key == "message" and isinstance(value, str) and _SEVERAL.match(value):
        return "<several validation errors>"
    if key == "message" and isinstance(value, str):
        return _SIZE.sub(r"<\1>", value)
    if key == "param" and value:
        return _CLASS_NAME.sub("", value)
    if isinstance(value, list):
        return without_repeats([shape(inner, key) for inner in value])
    if value is None or isinstance(value, bool) or key in _KEPT:
        return value
    if isinstance(value, str):
        found = _ID.match(value) if key in ("id", "item_id") else None
        return f"<{found[1]}>" if found else value if key == "id" else "<string>"
    return "<number>"


def without_repeats(items: list[Any]) -> list[Any]:
    """The order in which answers to several prompts are interleaved is no promise."""
    return [item for index, item in enumerate(items) if item not in items[:index]]
