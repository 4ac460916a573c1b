"""The policy pack's rules, asked about the resources of an offline run with the levels of their stack. Shared by preview and review."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from config.errors import Problem
from policy.rules import RULES, Resource, Violation, read_levels, violations
from tools.stacks import ROOT

LEVELS = ROOT / "policy" / "levels"


def violated(recorded: Iterable[Any], stack: str) -> list[Violation]:
    """`recorded`: resources of a Recording. The mandatory violations come first.

    Raises:
        LevelsError: the stack's file of levels is wrong.
    """
    file = LEVELS / f"{stack}.json"
    levels = read_levels(file, RULES) if file.is_file() else {}
    return violations(RULES, [Resource(one.type, one.name, one.inputs) for one in recorded if one.custom], levels)


def as_problem(one: Violation) -> Problem:
    """With the rule in the place of the path."""
    return Problem(one.rule, f"{one.resource}: {one.message}", one.fix)
