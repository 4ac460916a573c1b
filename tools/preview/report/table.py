"""A table as the template shows it: on a phone each row becomes a card, whose cells carry the headings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its heading. `numbers`: the headings of columns that are aligned to the right."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()
    total: tuple[str, ...] = ()
