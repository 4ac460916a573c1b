"""What a rule is, and how resources are judged by rules. Without Pulumi or its policy SDK, for the offline preview."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Level = Literal["mandatory", "advisory", "disabled"]
LEVELS: tuple[Level, ...] = ("mandatory", "advisory", "disabled")
LEVEL_KEY, ALL_RULES, EXCEPT = "enforcementLevel", "all", "except"
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Resource:
    """`properties`: a resource's inputs as its provider gets them."""

    type: str
    name: str
    properties: Mapping[str, Any]

    def at(self, path: str) -> Any:
        """The property at a dotted path; None where there is none."""
        value: Any = self.properties
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @property
    def namespace(self) -> str:
        return self.at("metadata.namespace") or ""


@dataclass(frozen=True)
class Rule:
    """`each` judges one resource by itself, before it is created; `together` judges all of them, and says which one is wrong."""

    id: str
    reason: str
    """Why platform teams want it."""
    fix: str
    each: Callable[[Resource, Options], Iterator[str]] | None = None
    together: Callable[[Sequence[Resource], Options], Iterator[tuple[Resource, str]]] | None = None
    level: Level = "mandatory"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Names of its options, and their defaults."""

    def judge(self, resources: Sequence[Resource], options: Options) -> Iterator[tuple[Resource, str]]:
        if self.each:
            yield from ((one, message) for one in resources for message in self.each(one, options))
        if self.together:
            yield from self.together(resources, options)


@dataclass(frozen=True)
class Violation:
    rule: str
    level: Level
    resource: str
    """Type without its package and version, and name: `Deployment gateway`."""
    message: str
    fix: str


class LevelsError(Exception):
    """A file of levels says what no rule knows."""


def read_levels(file: Path, rules: Iterable[Rule]) -> dict[str, Any]:
    """A file in the form of `pulumi preview --policy-pack-config`: of a rule its level, or its level, its options and its exceptions.

    Raises:
        LevelsError: with every problem of the file.
    """
    try:
        levels = json.loads(file.read_text())
    except ValueError as error:
        raise LevelsError(f"{file.name}: {error}; write a JSON object with a key for each rule") from None
    if problems := [f"{file.name}: {problem}" for problem in _problems(levels, {rule.id: rule for rule in rules})]:
        raise LevelsError("\n".join(problems))
    return levels


def _problems(levels: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[str]:
    for name, value in levels.items():
        given = value if isinstance(value, Mapping) else {LEVEL_KEY: value}
        if name != ALL_RULES and name not in rules:
            yield f"{name}: there is no such rule; the rules are {', '.join(rules)}"
            continue
        if given.get(LEVEL_KEY, "mandatory") not in LEVELS:
            yield f"{name}: {given[LEVEL_KEY]!r} is no level; write one of {', '.join(LEVELS)}"
        known = rules[name].options if name in rules else {}
        for option in given.keys() - known.keys() - {LEVEL_KEY, EXCEPT}:
            yield f"{name}.{option}: there is no such option; " + (f"there are {', '.join(known)}" if known else "remove it")
        for option, default in known.items():
            if option in given and not isinstance(given[option], type(default)):
                yield f"{name}.{option}: {given[option]!r} is no {type(default).__name__}; write it as in {json.dumps(default)}"
        if not all(isinstance(why, str) and why.strip() for why in dict(given.get(EXCEPT, {})).values()):
            yield f"{name}.{EXCEPT}: an exception has no reason; write the resource's name and why it is one"


def violations(rules: Iterable[Rule], resources: Sequence[Resource], levels: Mapping[str, Any]) -> list[Violation]:
    """The mandatory ones first."""
    found = []
    for rule in rules:
        level, given = level_of(rule, levels)
        if level != "disabled":
            found += [Violation(rule.id, level, _said(one), message, rule.fix) for one, message in judged(rule, resources, given)]
    return sorted(found, key=lambda one: LEVELS.index(one.level))


def level_of(rule: Rule, levels: Mapping[str, Any]) -> tuple[Level, Options]:
    """A rule's level, and what a file of levels gives for it beside."""
    given = levels.get(rule.id, levels.get(ALL_RULES, rule.level))
    given = given if isinstance(given, Mapping) else {LEVEL_KEY: given}
    return given.get(LEVEL_KEY, rule.level), given


def judged(rule: Rule, resources: Sequence[Resource], given: Options) -> Iterator[tuple[Resource, str]]:
    """What a rule finds with its options, of which some are given, without the resources that are excepted by name."""
    excepted = given.get(EXCEPT, {})
    return ((one, message) for one, message in rule.judge(resources, {**rule.options, **given}) if one.name not in excepted)


def _said(one: Resource) -> str:
    return f"{one.type.rpartition(':')[2]} {one.name}"
