"""What a reviewer must know first: whether the stack can work and is allowed, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from config.errors import Problem
from config.settings import Settings
from planning.plan import Plan
from policy.rules import Violation
from tools.policies import as_problem
from tools.preview.report.money import dollars


@dataclass(frozen=True)
class Findings:
    """Problems under one heading. `colour`: a class of the style sheet."""

    heading: str
    problems: tuple[Problem, ...]
    colour: Literal["bad", "warn"]


@dataclass(frozen=True)
class Fact:
    name: str
    value: str
    note: str
    href: str


@dataclass(frozen=True)
class Verdict:
    title: str
    sentence: str
    colour: Literal["bad", "warn", "good"]
    facts: tuple[Fact, ...]
    findings: tuple[Findings, ...]


def verdict(settings: Settings, plan: Plan, resources: int, violations: Sequence[Violation], local: Sequence[Problem]) -> Verdict:
    forbidden = tuple(as_problem(one) for one in violations if one.level == "mandatory")
    advised = tuple(as_problem(one) for one in violations if one.level != "mandatory")
    found = (
        Findings("Forbidden by policies", forbidden, "bad"),
        Findings("Warnings of the plan", plan.warnings, "warn"),
        Findings("Policies advise against it", advised, "warn"),
        Findings("From the machine that made this report, pulumi up would be refused", tuple(local), "warn"),
    )
    warnings = len(plan.warnings) + len(advised)
    if forbidden:
        title, colour = f"Forbidden by {_count(len(forbidden), 'policy', 'policies')}", "bad"
    elif warnings:
        title, colour = f"Can work, with {_count(warnings, 'warning')}", "warn"
    else:
        title, colour = "Can work", "good"
    return Verdict(
        title, _sentence(plan), colour, _facts(settings, plan, resources, violations), tuple(one for one in found if one.problems)
    )


def _sentence(plan: Plan) -> str:
    models, pools = _count(len(plan.deployed), "model"), _count(len(plan.pools), "node pool")
    return f"{models} on {pools}: each fits the memory of its GPUs, and the nodes of its pool hold its replicas."


def _facts(settings: Settings, plan: Plan, resources: int, violations: Sequence[Violation]) -> tuple[Fact, ...]:
    total, budget = plan.cost.total, settings.budget.monthly_usd
    least = sum(model.floor for model in plan.deployed.values())
    most = sum(model.floor + model.burst for model in plan.deployed.values())
    return (
        Fact("Expected cost", f"{dollars(total.expected)} a month", _against(total.expected, budget), "cost"),
        Fact("At most", f"{dollars(total.ceiling)} a month", "with every model at its ceiling", "cost"),
        Fact("Replicas", f"{least} to {most}", f"of {_count(len(plan.deployed), 'model')}", "fit"),
        Fact("Policies", _count(len(violations), "violation") if violations else "all kept", "rules of the platform team", "security"),
        Fact("Resources", f"{resources:,}", "that Pulumi would manage", "resources"),
    )


def _against(expected: float, budget: float | None) -> str:
    if budget is None:
        return "no budget is set"
    return f"{expected / budget:.0%} of the budget of {dollars(budget)}" if budget else "the budget is $0"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
