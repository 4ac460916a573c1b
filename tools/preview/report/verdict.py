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
from tools.preview.report.words import counted, dollars


@dataclass(frozen=True)
class Findings:
    """Problems under one heading. `colour`: a class of the style sheet."""

    heading: str
    problems: tuple[Problem, ...]
    colour: Literal["bad", "warn", "good"]


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
        title, colour = f"Forbidden by {counted(len({one.path for one in forbidden}), 'policy', 'policies')}", "bad"
    elif warnings:
        title, colour = f"Can work, with {counted(warnings, 'warning')}", "warn"
    else:
        title, colour = "Can work", "good"
    return Verdict(
        title, _sentence(plan), colour, _facts(settings, plan, resources, violations), tuple(one for one in found if one.problems)
    )


def _sentence(plan: Plan) -> str:
    models, pools = counted(len(plan.deployed), "model"), counted(len(plan.pools), "node pool")
    return f"{models} on {pools}: each fits the memory of its GPUs, and the nodes of its pool hold its replicas."


def _facts(settings: Settings, plan: Plan, resources: int, violations: Sequence[Violation]) -> tuple[Fact, ...]:
    total, budget = plan.cost.total, settings.budget.monthly_usd
    least = sum(model.floor for model in plan.deployed.values())
    most = sum(model.floor + model.burst for model in plan.deployed.values())
    return (
        Fact("Expected a month", dollars(total.expected), _against(total.expected, budget), "cost"),
        Fact("At most a month", dollars(total.ceiling), "with every model at its ceiling", "cost"),
        Fact("Replicas", f"{least} to {most}", f"of {counted(len(plan.deployed), 'model')}", "fit"),
        Fact("Policies", counted(len(violations), "violation") if violations else "all kept", "rules of the platform team", "security"),
        Fact("Resources", f"{resources:,}", "that Pulumi would manage", "resources"),
    )


def _against(expected: float, budget: float | None) -> str:
    if budget is None:
        return "no budget is set"
    return f"{expected / budget:.0%} of the budget of {dollars(budget)}" if budget else "the budget is $0"
