"""What a changed setting changes: of each resource the properties, of the plan and the outputs the values, or the refusal."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pulumi

from config.errors import StackError
from planning.plan import make_plan
from tests.stacks import settings, stack
from tools.preview import offline
from tools.preview.manifests import plan_as_json
from tools.reference.__main__ import keys

NAMES = {"models": "qwen3-8b", "nodePools": "l4", "clients": "team-a", "prices": "g2-standard-12", "tokenPrices": "qwen3-8b"}


@dataclass(frozen=True)
class Effect:
    """A setting's value in a stack, and what must be new because of it (or gone, with a minus in front).

    A line is `Kind path=value`, `plan path` or `refused: words`; without `=value` any will do. Paths leave out the indices of lists.
    """

    value: Any
    shows: tuple[str, ...]
    stack: dict[str, Any] = field(default_factory=dict)
    """What is changed in the stack of the tests first, for both runs."""
    beside: dict[str, Any] = field(default_factory=dict)
    """What must be changed beside it."""


def leaves() -> list[str]:
    """Every key of a stack file that holds a value: `models.<name>.engine.dtype`, `cluster(gke).name`."""
    found = [*keys()]
    return [key for key in found if not any(other.startswith(f"{key}.") for other in found)]


def path(key: str) -> str:
    """Where a key is in the stack of the tests."""
    parts = key.replace("(gke)", "").replace("(existing)", "").split(".")
    return ".".join(NAMES.get(parts[index - 1], part) if part == "<name>" else part for index, part in enumerate(parts))


@cache
def _lines(changes: str) -> Counter[str]:
    given = json.loads(changes)
    try:
        plan = make_plan(settings(given))
        recording = offline.run(stack(given), "test", known=True)
    except StackError as error:
        return Counter(f"refused: {problem}" for problem in error.problems)
    except pulumi.RunError as error:
        return Counter([f"refused: {error}"])
    found = Counter(_flat("plan", plan_as_json(plan)))
    found.update(_flat("outputs", recording.outputs))
    for one in recording.resources:
        if one.custom:
            options = {"protect": one.protect, "timeouts": dict(one.timeouts), "delete_before_replace": one.delete_before_replace}
            found.update(_flat(one.type.rpartition(":")[2], {**one.inputs, "options": options}))
    return found


def _flat(prefix: str, value: Any) -> Iterator[str]:
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _flat(f"{prefix}{'.' if ' ' in prefix else ' '}{key}", entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _flat(prefix, entry)
    else:
        yield f"{prefix}={value}"


def difference(key: str, effect: Effect) -> tuple[list[str], list[str]]:
    """The lines that are new with the setting, and those that are gone."""
    before = _lines(json.dumps(effect.stack))
    after = _lines(json.dumps(effect.stack | effect.beside | {path(key): effect.value}))
    return sorted((after - before).elements()), sorted((before - after).elements())


def missing(key: str, effect: Effect) -> list[str]:
    """What should show and does not."""
    new, gone = difference(key, effect)
    return [line for line in effect.shows if not _is_among(line.removeprefix("-"), gone if line.startswith("-") else new)]


def _is_among(wanted: str, lines: list[str]) -> bool:
    if wanted.startswith("refused: "):
        return any(line.startswith("refused: ") and wanted.removeprefix("refused: ") in line for line in lines)
    return any(line == wanted or line.startswith((f"{wanted}=", f"{wanted}.")) for line in lines)
