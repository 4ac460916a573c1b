"""GKE maintenance windows: recurrence rules, and the least window time that GKE requires."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated

from config.errors import rule
from config.section import Form

# cloud.google.com/kubernetes-engine/docs/concepts/maintenance-windows-and-exclusions
LEAST_WINDOW = timedelta(hours=4)
LEAST_AVAILABLE = timedelta(hours=48)
ROLLING_DAYS = 32
_ROLLING = timedelta(days=ROLLING_DAYS)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = f"({'|'.join(_DAYS)})"

Recurrence = Annotated[
    str,
    Form(
        rf"FREQ=(DAILY(;INTERVAL=[1-9]\d?)?|WEEKLY(;INTERVAL=[1-9]\d?)?;BYDAY={_DAY}(,{_DAY})*(;INTERVAL=[1-9]\d?)?)",
        "a daily or weekly recurrence rule",
        "write FREQ=DAILY, or FREQ=WEEKLY;BYDAY=SA,SU with days of MO, TU, WE, TH, FR, SA, SU",
    ),
]


def check_maintenance(window: timedelta, recurrence: str) -> None:
    """Raises `rule(...)` if the windows are shorter, fewer or longer than GKE allows."""
    if window < LEAST_WINDOW:
        raise rule(
            f"a window of {_hours(window)} hours does not count, Google asks for 4 or more",
            "let endTime be 4 hours after startTime or more",
        )
    period, starts = _starts(recurrence)
    days = [repeated + day for repeated in range(0, 2 * period + ROLLING_DAYS, period) for day in starts]
    if window > timedelta(days=min(later - earlier for earlier, later in pairwise(days))):
        raise rule(f"a window of {_hours(window)} hours lasts into the next one", "end it before the next one starts")
    counts = [sum(timedelta(days=day - first) + window <= _ROLLING for day in days if day >= first) for first in range(period)]
    if min(counts) * window < LEAST_AVAILABLE:
        message = f"leaves Google {_hours(min(counts) * window)} hours in {ROLLING_DAYS} days, and it asks for {_hours(LEAST_AVAILABLE)}"
        raise rule(message, "give longer windows, or more of them")


def _starts(recurrence: str) -> tuple[int, list[int]]:
    """Period of the rule in days, and the days in it, counted from a Monday, on which a window starts."""
    parts = dict(part.split("=") for part in recurrence.split(";"))
    interval = int(parts.get("INTERVAL", "1"))
    if parts["FREQ"] == "DAILY":
        return interval, [0]
    return 7 * interval, sorted({_DAYS.index(day) for day in parts["BYDAY"].split(",")})


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):g}"
