"""A review as the section of the HTML report that says what changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from config.errors import Problem
from tools.preview.report.changes import ChangedField, ChangedResource, Changes
from tools.preview.report.table import Table
from tools.preview.report.verdict import Findings
from tools.review import rows
from tools.review.changes import ResourceChange, Review
from tools.review.snapshot import Triple

_COST = ("month", "before", "after", "difference")


def changes(review: Review, base: str) -> Changes:
    tables = (
        _moved("Models", rows.MODEL_HEADINGS, [rows.model_row(one) for one in review.models]),
        _moved("Pools", rows.POOL_HEADINGS, [rows.pool_row(one) for one in review.pools]),
        Table("Cost, US dollars a month", _COST, tuple(map(tuple, rows.cost_rows(review))), frozenset(_COST[1:])),
    )
    found = (
        Findings("Not planned before the change, so everything counts as added", _problems(review.base_problems), "warn"),
        Findings("Forbidden by policies, by this change", _problems(review.forbidden), "bad"),
        Findings("Policies advise against it", _problems(review.advised), "warn"),
        Findings("New warnings", _problems(review.new_warnings), "warn"),
        Findings("Warnings with other figures", _problems(review.other_figures), "warn"),
        Findings("Warnings that are gone", _problems(review.gone_warnings), "good"),
    )
    return Changes(
        base,
        f"Nothing changes. {rows.money(review)}." if review.is_empty else f"{rows.money(review)}.",
        tuple(rows.verdict(review)),
        () if review.is_empty else tuple(one for one in tables if one.rows),
        tuple(one for one in found if one.problems),
        rows.counts(review),
        tuple(map(_resource, review.resources)),
    )


def _moved(caption: str, headings: Sequence[str], found: Sequence[Sequence[str]]) -> Table:
    """Without the columns in which nothing moves, unless something came or went: then its figures are wanted."""
    whole = any(row[headings.index("change")] != "changed" for row in found)
    named = headings.index("what runs") + 1
    shown = [index for index in range(len(headings)) if whole or index < named or any(rows.ARROW in row[index] for row in found)]
    return Table(caption, tuple(headings[index] for index in shown), tuple(tuple(row[index] for index in shown) for row in found))


def _problems(triples: Iterable[Triple]) -> tuple[Problem, ...]:
    return tuple(Problem(*triple) for triple in triples)


def _resource(one: ResourceChange) -> ChangedResource:
    fields = tuple(ChangedField(field.path, field.before, field.after) for field in one.fields)
    return ChangedResource(rows.VERBS[one.kind], one.type.rpartition(":")[2], one.name, ", ".join(one.because), fields)
