"""The fields in which two values of a resource's inputs differ, as texts that a reviewer reads."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.tokens import TOKEN, has_token

_LONGEST = 100
_BEFORE_DIFFERENCE = 30
_SECRET = "[secret"  # how snapshot.py begins what stands for a secret
_NOTHING = object()


@dataclass(frozen=True)
class FieldChange:
    """`before` or `after` is None where the field is not there."""

    path: str
    before: str | None
    after: str | None


def changed_fields(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from changed_fields(before.get(key, _NOTHING), after.get(key, _NOTHING), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
    elif isinstance(before, str) and isinstance(after, str):
        yield from _of_texts(before, after, path)
    else:
        yield _field(path, before, after)


def _of_lists(before: list[Any], after: list[Any], path: str) -> Iterator[FieldChange]:
    """Items with a name are compared by name; of others, what came and what went."""
    by_name = [_by_name(before), _by_name(after)]
    if by_name[0] is not None and by_name[1] is not None:
        for name in dict.fromkeys([*by_name[0], *by_name[1]]):
            yield from changed_fields(by_name[0].get(name, _NOTHING), by_name[1].get(name, _NOTHING), f"{path}[{name}]")
    elif len(before) == len(after) and not all(isinstance(item, str) for item in before + after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from changed_fields(old, new, f"{path}[{index}]")
    else:
        yield from _came_and_went(before, after, path)


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    named = {item["name"]: item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)}
    return named if items and len(named) == len(items) else None


def _came_and_went(before: list[Any], after: list[Any], path: str) -> Iterator[FieldChange]:
    old, new = [_key(item) for item in before], [_key(item) for item in after]
    for tag, first, last, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = before[first:last], after[start:end]
        if tag != "equal":
            for index in range(max(len(gone), len(come))):
                yield _field(
                    f"{path}[]",
                    gone[index] if index < len(gone) else _NOTHING,
                    come[index] if index < len(come) else _NOTHING,
                )


def _key(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, sort_keys=True)


def _of_texts(before: str, after: str, path: str) -> Iterator[FieldChange]:
    """JSON by its fields, several lines by line, another text whole."""
    if before[:1] in ("{", "[") and after[:1] == before[:1] and not before.startswith(_SECRET):
        try:
            parsed = json.loads(before), json.loads(after)
        except ValueError:
            parsed = None
        if parsed is not None:
            yield from changed_fields(*parsed, path)
            return
    if "\n" in before and "\n" in after:
        yield from _came_and_went(before.splitlines(), after.splitlines(), path)
    else:
        yield _field(path, before, after)


def _field(path: str, before: Any, after: Any) -> FieldChange:
    """Both values short: their beginning, or from shortly before where they differ if that is further on."""
    old, new = _line(before), _line(after)
    same = next((index for index, (one, other) in enumerate(zip(old or "", new or "", strict=False)) if one != other), 0)
    start = same - _BEFORE_DIFFERENCE if same > _LONGEST - _BEFORE_DIFFERENCE else 0
    return FieldChange(path, _shortened(old, start), _shortened(new, start))


def _shortened(text: str | None, start: int) -> str | None:
    if text is None or len(text) <= _LONGEST:
        return text
    text = f"...{text[start:]}" if start else text
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _line(value: Any) -> str | None:
    """The value in one line, without secrets and without credentials that somebody pasted."""
    if value is _NOTHING:
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if has_token(text):
        return TOKEN
    if text.startswith(_SECRET):
        return "[secret]"
    if _SECRET in text:
        return "[holds a secret]"
    return " ".join(text.split())
