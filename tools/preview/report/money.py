"""What a month costs: at the floors, as expected, at the ceilings; by pool, by model, and against the budget."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from config.budget import Budget
from planning.cost import CostPlan, Usd
from tools.preview.report.bars import Part, bar
from tools.preview.report.table import Table
from tools.preview.report.words import dollars

# Pools with a colour of their own; the rest share one.
_COLOURS = ("second", "first", "third", "fifth", "sixth")
_CLUSTER, _OTHERS, _BUDGET = "fourth", "seventh", "budget"
_CASES = ("at the floors", "expected", "at the ceilings")


@dataclass(frozen=True)
class Case:
    """A month in one case, such as every model at its ceiling."""

    name: str
    meaning: str
    usd: float
    text: str
    parts: tuple[Part, ...]
    svg: Markup


@dataclass(frozen=True)
class Money:
    cases: tuple[Case, ...]
    legend: tuple[Part, ...]
    nodes: Table
    models: Table
    prices_of: str
    """Date of the oldest price; empty where all are the stack's own."""


def money(cost: CostPlan, budget: Budget) -> Money:
    named = _named(cost)
    cases = [
        ("At the floors", "what always runs", cost.total.floor, _parts(named, "floor")),
        ("Expected", f"bursts run {budget.expected_burst:.0%} of the time", cost.total.expected, _parts(named, "expected")),
        ("At the ceilings", "every model at its most, all month", cost.total.ceiling, _at_the_ceilings(cost, named)),
    ]
    if budget.monthly_usd is not None:
        cases.append(("Budget", "budget.monthlyUsd", budget.monthly_usd, (_part("budget", budget.monthly_usd, _BUDGET),)))
    longest = max(usd for _, _, usd, _ in cases)
    return Money(
        tuple(
            Case(name, meaning, usd, dollars(usd), parts, bar(f"{name}: {dollars(usd)}", parts, longest))
            for name, meaning, usd, parts in cases
        ),
        _parts(named, "ceiling"),
        _nodes(cost, budget),
        _models(cost),
        cost.prices_of or "",
    )


def _named(cost: CostPlan) -> list[tuple[str, Usd, str]]:
    """Name, dollars and colour of what a bar is made of: the cluster, the dearest pools, and the other pools together."""
    dearest = sorted(cost.pools, key=lambda name: -cost.pools[name].ceiling)
    own, others = dearest[: len(_COLOURS)], dearest[len(_COLOURS) :]
    found = [(f"pool {name}", cost.pools[name], colour) for name, colour in zip(own, _COLOURS, strict=False)]
    if others:
        first, *more = (cost.pools[name] for name in others)
        found.append((f"{len(others)} other pools", sum(more, first), _OTHERS))
    return [("cluster and system pool", cost.cluster, _CLUSTER), *found]


def _parts(named: list[tuple[str, Usd, str]], case: str) -> tuple[Part, ...]:
    return tuple(_part(name, getattr(usd, case), colour) for name, usd, colour in named)


def _at_the_ceilings(cost: CostPlan, named: list[tuple[str, Usd, str]]) -> tuple[Part, ...]:
    """By pool, unless budget.hourlyUsd limits all bursts together to less than the sum of the pools'."""
    parts = _parts(named, "ceiling")
    if sum(part.value for part in parts) <= cost.total.ceiling + 0.01:
        return parts
    return (*_parts(named, "floor"), _part("all bursts, as far as budget.hourlyUsd pays", cost.total.ceiling - cost.total.floor, _OTHERS))


def _part(name: str, usd: float, colour: str) -> Part:
    return Part(name, usd, dollars(usd), colour)


def _nodes(cost: CostPlan, budget: Budget) -> Table:
    """What is billed: whole nodes, idle GPUs included."""
    unknown = "price unknown, counts as 0"
    rows = [(f"pool {name}", *_three(usd), unknown if name in cost.unpriced else "") for name, usd in cost.pools.items()]
    limit = "no budget" if budget.monthly_usd is None else f"budget {dollars(budget.monthly_usd)}"
    return Table(
        "Nodes: what is billed, US dollars a month",
        ("nodes", *_CASES, "remarks"),
        (*rows, ("cluster and system pool", *_three(cost.cluster), "")),
        frozenset(_CASES),
        ("total", *_three(cost.total), limit),
    )


def _models(cost: CostPlan) -> Table:
    """Its share of its pool's nodes, for comparing models; idle GPUs are nobody's."""
    rows = []
    for name, model in cost.models.items():
        each = model.usd_per_million_output_tokens
        rows.append((name, *_three(model.monthly), f"${each.least:,.2f} to ${each.most:,.2f}" if each else "not planned"))
    per_million = "per million output tokens"
    headings = ("model", *_CASES, per_million)
    return Table("Models: their share of the nodes, US dollars a month", headings, tuple(rows), frozenset((*_CASES, per_million)))


def _three(usd: Usd) -> tuple[str, str, str]:
    least, most = dollars(usd.expected_range.least), dollars(usd.expected_range.most)
    expected = dollars(usd.expected) if least == most else f"{dollars(usd.expected)} ({least} to {most})"
    return dollars(usd.floor), expected, dollars(usd.ceiling)
