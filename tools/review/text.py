"""A review as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.errors import Problem
from tools.review import rows
from tools.review.changes import ResourceChange, Review
from tools.review.snapshot import Triple
from tools.stacks import print_problems

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "replace": ("+-", "red"), "delete": ("-", "red")}


def print_review(console: Console, review: Review) -> None:
    if review.problems:
        print_problems(console, f"Stack {review.stack} cannot work; nothing would be changed", _problems(review.problems), "red")
        return
    console.print(Text(f"Stack {review.stack}: {rows.money(review)}", style="bold"))
    if review.is_empty:
        console.print("Nothing changes.")
        return
    print_problems(console, "Not planned before the change; everything counts as added", _problems(review.base_problems), "yellow")
    for one in rows.verdict(review):
        console.print(Text(f"  {one}", style="bold red"), soft_wrap=True)
    _print_table(console, "Models", rows.MODEL_HEADINGS, map(rows.model_row, review.models))
    _print_table(console, "Pools", rows.POOL_HEADINGS, map(rows.pool_row, review.pools))
    _print_table(console, "Cost: US dollars a month", ("", "before", "after", "difference"), rows.cost_rows(review))
    if review.resources:
        console.print(Text(f"Resources: {rows.counts(review)}", style="bold"))
    for one in review.resources:
        _print_resource(console, one)
    print_problems(console, "Forbidden by policies", _problems(review.forbidden), "red")
    print_problems(console, "Policies advise against it", _problems(review.advised), "yellow")
    print_problems(console, "New warnings", _problems(review.new_warnings), "yellow")
    print_problems(console, "Warnings with other figures", _problems(review.other_figures), "yellow")
    print_problems(console, "Warnings that are gone", _problems(review.gone_warnings), "green")


def _problems(triples: Iterable[Triple]) -> list[Problem]:
    return [Problem(*triple) for triple in triples]


def _print_table(console: Console, title: str, headings: Sequence[str], found: Iterable[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    for row in found:
        table.add_row(*map(Text, row))
    if table.row_count:
        console.print(table)


def _print_resource(console: Console, one: ResourceChange) -> None:
    sign, style = _SIGNS[one.kind]
    because = f" (because of {', '.join(one.because)})" if one.because else ""
    console.print(Text.assemble("  ", (f"{sign} ", style), (one.type, "cyan"), f" {one.name}{because}"), soft_wrap=True)
    for field in one.fields:
        values = " → ".join("(none)" if value is None else value for value in (field.before, field.after))
        console.print(Text(f"      {field.path}: {values}"), soft_wrap=True)
