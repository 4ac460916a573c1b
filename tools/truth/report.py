"""Results of a comparison, in one format for all tables, and their printing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Compared:
    """One point: planned and reported. `ratio` is planned / reported, or None if the report lacks the figure."""

    name: str
    cells: tuple[str, ...]
    ratio: float | None
    classes: tuple[str, ...]
    judged: bool = True
    """Whether the point counts for the aims."""


@dataclass(frozen=True)
class Table:
    """A comparison. `summary`: its last line; `missed`: the missed aims."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[Compared, ...]
    unknown: tuple[str, ...]
    summary: str
    missed: tuple[str, ...]


def lines(table: Table) -> Iterable[str]:
    """The table as text: points, classes, unknown models and GPUs; without its summary."""
    yield table.title
    yield from _aligned([("point", *table.headings, "ratio"), *((row.name, *row.cells, ratio_text(row.ratio)) for row in table.rows)])
    yield ""
    yield from _aligned([("class", "points", "median", "mean error", "least", "most"), *_classes(table.rows)])
    for line in table.unknown:
        yield f"unknown: {line}"
    yield ""


def ratio_text(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def mean_error(ratios: Iterable[float]) -> float:
    """Mean of |planned / reported - 1|; 0 without ratios."""
    errors = [abs(ratio - 1) for ratio in ratios]
    return math.fsum(errors) / len(errors) if errors else 0.0


def _classes(rows: Sequence[Compared]) -> Iterable[tuple[str, ...]]:
    for name in sorted({name for row in rows for name in row.classes}):
        if ratios := [row.ratio for row in rows if name in row.classes and row.ratio is not None]:
            spread = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
            yield name, str(len(ratios)), f"{median(ratios):.2f}", f"{mean_error(ratios):.0%}", *spread


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
