"""The policy pack's rules, asked about the resources of an offline run with the levels of their stack. Shared by preview and review."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from config.errors import Problem
from policy.rules import RULES, Level, Resource, Violation, level_of, read_levels, violations
from tools.stacks import ROOT

LEVELS = ROOT / "policy" / "levels"


def violated(recorded: Iterable[Any], stack: str) -> list[Violation]:
    """`recorded`: resources of a Recording. The mandatory violations come first.

    Raises:
        LevelsError: the stack's file of levels is wrong.
    """
    return violations(RULES, [Resource(one.type, one.name, one.inputs) for one in recorded if one.custom], _given(stack))


def levels(stack: str) -> dict[str, Level]:
    """The level of each rule for a stack.

    Raises:
        LevelsError: the stack's file of levels is wrong.
    """
    given = _given(stack)
    return {rule.id: level_of(rule, given)[0] for rule in RULES}


def _given(stack: str) -> dict[str, Any]:
    file = LEVELS / f"{stack}.json"
    return read_levels(file, RULES) if file.is_file() else {}


def as_problem(one: Violation) -> Problem:
    """With the rule in the place of the path."""
    return Problem(one.rule, f"{one.resource}: {one.message}", one.fix)
