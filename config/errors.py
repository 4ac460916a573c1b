"""Problems of a stack: all are reported at once, each with its path, the reason and the fix.

Defines `Problem` and translates pydantic's errors into it. Rules that need only the YAML are in `config`, rules on planned figures in
`planning`.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

_INTERNAL = re.compile(r"\[key\]|(function-\w+|list|dict|tuple|set|literal|nullable|chain|constrained-\w+)\[.*\]")
# Advice for pydantic's errors about the shape of a value, in the terms of YAML.
_SHAPES = {
    "model_type": "give a mapping of keys to values",
    "model_attributes_type": "give a mapping of keys to values",
    "dict_type": "give a mapping of keys to values",
    "list_type": "give a list, such as [a, b]",
    "string_type": "give text",
}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong (or, as a warning, doubtful) in a stack.

    `path` is the key as `pulumi config set --path` takes it, without the project's namespace: `models.qwen3-8b.engine.maxModelLen`.
    """

    path: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}; {self.fix}"


class StackError(Exception):
    """The stack cannot work. Carries every problem found, in the order of their paths."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        heading = f"{count} problem{'s' if count != 1 else ''} in the stack configuration; nothing was changed:"
        return "\n".join([heading, *(f"  {problem}" for problem in self.problems)])


def rule(message: str, fix: str) -> PydanticCustomError:
    """A broken rule, raised inside a validator; `message` says what is wrong, `fix` what to do."""
    return PydanticCustomError("rule", "{message}", {"message": message, "fix": fix})


def suggestion(word: str, known: Iterable[str], *, otherwise: str) -> str:
    """`did you mean '<known>'?` if a known word is close to `word`, else `otherwise`."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean '{by_folded[near[0]]}'?" if near else otherwise


def problems_of(error: ValidationError, prefix: str, model: type[BaseModel] | None) -> list[Problem]:
    """Translates pydantic's errors about the value at `prefix`; the keys of `model` are the suggestions for unknown keys."""
    return [_problem(detail, prefix, model) for detail in error.errors(include_url=False)]


def without_what_is_wrong(value: Any, error: ValidationError) -> Any:
    """A copy of the mapping `value` without the keys that `error` is about (of a list with a wrong item, the whole list)."""
    rest = copy.deepcopy(value)
    for detail in error.errors(include_url=False):
        location = [part for part in detail["loc"] if not _is_internal(part)]
        keys = list(itertools.takewhile(lambda part: isinstance(part, str), location))
        target = rest
        for key in keys[:-1]:
            target = target.get(key) if isinstance(target, dict) else None
        if keys and isinstance(target, dict):
            target.pop(keys[-1], None)
    return rest


def join(prefix: str, location: Sequence[str | int]) -> str:
    """A dotted path with list positions in brackets: `models.a.engine.extraArgs[0]`."""
    path = prefix
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _problem(detail: ErrorDetails, prefix: str, model: type[BaseModel] | None) -> Problem:
    location = [part for part in detail["loc"] if not _is_internal(part)]
    path = join(prefix, location)
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "rule":
        return Problem(path, str(context["message"]), str(context["fix"]))
    if kind == "extra_forbidden":
        key = detail["loc"][-1]
        above = location[:-1] if location and location[-1] == key else location
        if explained := getattr(model_at(model, above), "unknown_key", lambda _: None)(str(key)):
            return Problem(path, *explained)
        known = known_keys(model, above)
        listed = "known here: " + ", ".join(known) if known else "remove it"
        return Problem(path, "unknown key", suggestion(str(key), known, otherwise=listed))
    if kind == "missing":
        return Problem(path, "required, but not given", "add it")
    wanted = _SHAPES.get(kind, _lowercase(detail["msg"]))
    if value is None:
        return Problem(path, "nothing is given", f"remove the key, or {wanted.removeprefix('input should be ')}")
    return Problem(path, f"{shown(value)} is not valid", wanted)


def known_keys(model: type[BaseModel] | None, location: Sequence[str | int]) -> list[str]:
    """The keys that `model` accepts at `location` (a path of YAML keys inside it)."""
    model = model_at(model, location)
    return sorted(field.alias or name for name, field in model.model_fields.items()) if model else []


def model_at(model: type[BaseModel] | None, location: Sequence[str | int]) -> type[BaseModel] | None:
    """The settings model at a path of YAML keys inside `model`."""
    for part in location:
        model = _member(model, part)
    return model


def _member(model: type[BaseModel] | None, part: str | int) -> type[BaseModel] | None:
    if model is None:
        return None
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return next(_models_in(field.annotation), None)
    return None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _is_internal(part: str | int) -> bool:
    """Whether pydantic added `part` to the location: `[key]` for a mapping's key, or the name of a validator or union member."""
    return isinstance(part, str) and _INTERNAL.fullmatch(part) is not None


def shown(value: object) -> str:
    """A value as a problem quotes it: at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _lowercase(message: str) -> str:
    return message[:1].lower() + message[1:]
