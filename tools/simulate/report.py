"""Outcomes as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich.table import Table

from tools.simulate.simulation import Moment, Outcome

_QUANTILES = (0.5, 0.95, 0.99)
# Rows of the table of replicas over time.
_ROWS = 24


def quantile(values: Iterable[float], q: float) -> float:
    """The nearest rank; infinite where the requests at it have failed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(q * len(ordered)) - 1)] if ordered else math.nan


def compared(title: str, outcomes: Mapping[str, Outcome], gpus: int) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("policy")
    headings = ("attained", "TTFT p50/p95/p99 s", "TPOT p50/p95/p99 ms", "failed", "replicas", "most", "turns", "GPU-h floor/burst")
    for heading in (*headings, "burst node-h", "$ floor/burst"):
        table.add_column(heading, justify="right")
    for name, one in outcomes.items():
        table.add_row(
            name,
            f"{one.attained():.2%}",
            "/".join(_seconds(quantile(one.ttft, q)) for q in _QUANTILES),
            "/".join(_milliseconds(quantile(one.tpot, q)) for q in _QUANTILES),
            f"{one.failed:,}",
            f"{one.average_replicas:.2f}",
            str(max((moment.held for moment in one.moments), default=0)),
            str(turns(one.moments)),
            "/".join(f"{one.replica_hours[tier] * gpus:.1f}" for tier in ("floor", "burst")),
            f"{one.node_hours:.1f}",
            "/".join(f"{one.usd[tier]:,.2f}" for tier in ("floor", "burst")),
        )
    return table


def turns(moments: Sequence[Moment]) -> int:
    """How often the number of replicas changed its direction."""
    steps = [after.active - before.active for before, after in pairwise(moments) if after.active != before.active]
    return sum((one > 0) != (other > 0) for one, other in pairwise(steps))


def over_time(name: str, outcome: Outcome) -> Table:
    table = Table(title=f"{name}: replicas over time", title_justify="left")
    for heading in ("minute", "wanted", "asked for", "ready", "held", "burst nodes", "running", "waiting"):
        table.add_column(heading, justify="right")
    every = max(1, math.ceil(len(outcome.moments) / _ROWS))
    for one in outcome.moments[::every]:
        row = (one.active, one.ready, one.held, one.nodes, one.running, one.waiting)
        table.add_row(f"{one.time / 60:.0f}", f"{one.wanted:.2f}", *map(str, row))
    return table


def front(title: str, points: Mapping[str, Sequence[tuple[float, Outcome]]], knobs: Mapping[str, str]) -> Table:
    """Every point of the sweeps; those that no other point of any policy beats are marked."""
    table = Table(title=title, title_justify="left")
    for heading in ("policy", "knob", "value", "attained", "replica-hours", ""):
        table.add_column(heading, justify="left" if heading in ("policy", "knob") else "right")
    everything = [(one.attained(), one.total_replica_hours) for many in points.values() for _, one in many]
    for name, many in points.items():
        for value, one in many:
            best = not any(a >= one.attained() and h < one.total_replica_hours for a, h in everything)
            table.add_row(name, knobs[name], f"{value:g}", f"{one.attained():.2%}", f"{one.total_replica_hours:.2f}", "*" if best else "")
    return table


def _seconds(value: float) -> str:
    return "-" if math.isinf(value) else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _milliseconds(value: float) -> str:
    return "-" if math.isinf(value) else f"{value * 1000:.0f}"
