"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, one: str, many: str = "") -> str:
    """`1 model`, `3 models`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listed(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def between(least: int, most: int) -> str:
    """`2`, `2 to 5`."""
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def about(seconds: float) -> str:
    """`50 s`, `4 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def dollars(usd: float) -> str:
    return f"${usd:,.0f}"
