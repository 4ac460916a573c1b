"""When Google may maintain a cluster: recurrence rules, and how much time Google asks for."""

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
    """Raises the rule that the windows break."""
    if window < LEAST_WINDOW:
        raise rule(
            f"a window of {_hours(window)} hours does not count, Google asks for 4 or more",
            "let endTime be 4 hours after startTime or more",
        )
    days = _days(recurrence)
    if window > timedelta(days=min(_gaps(days))):
        raise rule(f"a window of {_hours(window)} hours lasts into the next one", "end it before the next one starts")
    least = min(
        sum(first <= day and timedelta(days=day - first) + window <= timedelta(days=ROLLING_DAYS) for day in days) for first in range(200)
    )
    if least * window < LEAST_AVAILABLE:
        message = f"leaves Google {_hours(least * window)} hours in {ROLLING_DAYS} days, and it asks for {_hours(LEAST_AVAILABLE)}"
        raise rule(message, "give longer windows, or more of them")


def _days(recurrence: str) -> list[int]:
    """Days on which a window starts, over a year, counted from a Monday."""
    parts = dict(part.split("=") for part in recurrence.split(";"))
    interval = int(parts.get("INTERVAL", "1"))
    if parts["FREQ"] == "DAILY":
        return list(range(0, 365, interval))
    chosen = sorted({_DAYS.index(day) for day in parts["BYDAY"].split(",")})
    return [week * 7 + day for week in range(0, 52, interval) for day in chosen]


def _gaps(days: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(days)]


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):g}"
