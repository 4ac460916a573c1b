"""Traces: read from CSV files (TIMESTAMP,ContextTokens,GeneratedTokens), changed, generated."""

from __future__ import annotations

import csv
import math
import random
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

DAY = 86_400.0


@dataclass(frozen=True)
class Trace:
    """Arrivals in seconds from the start, sorted, with their tokens."""

    name: str
    times: array[float]
    prompts: array[int]
    outputs: array[int]
    seconds: float

    @property
    def requests_per_second(self) -> float:
        return len(self.times) / self.seconds if self.seconds else 0.0


def made(name: str, rows: Iterator[tuple[float, int, int]] | list[tuple[float, int, int]], seconds: float | None = None) -> Trace:
    """From rows in any order."""
    ordered = sorted(rows)
    times = array("d", (one[0] for one in ordered))
    return Trace(
        name,
        times,
        array("l", (max(1, one[1]) for one in ordered)),
        array("l", (max(1, one[2]) for one in ordered)),
        seconds if seconds is not None else (times[-1] if times else 0.0),
    )


def read(path: Path) -> Trace:
    """A file of Azure's form. Rows without generated tokens are left out: they were never answered."""
    with path.open(newline="") as file:
        rows = [(_seconds(row["TIMESTAMP"]), int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(file)]
    start = min((one[0] for one in rows), default=0.0)
    return made(path.stem, [(at - start, prompt, output) for at, prompt, output in rows if output > 0])


def _seconds(timestamp: str) -> float:
    """A date with up to seven digits behind the seconds, or seconds."""
    try:
        return float(timestamp)
    except ValueError:
        whole, _, fraction = timestamp.partition("+")[0].partition(".")
        return datetime.fromisoformat(whole).timestamp() + float(f"0.{fraction or 0}")


def multiplied(trace: Trace, times: float, jitter: float = 30.0, seed: int = 0) -> Trace:
    """`times` as many requests: whole copies and a random share of one, each request moved by up to `jitter` seconds."""
    if times == 1:
        return trace
    draw = random.Random(seed)  # noqa: S311 - a simulation
    rows = []
    for copy in range(math.ceil(times)):
        share = min(1.0, times - copy)
        for at, prompt, output in zip(trace.times, trace.prompts, trace.outputs, strict=True):
            if share == 1.0 or draw.random() < share:
                rows.append((min(trace.seconds, at + (draw.random() * jitter if copy else 0.0)), prompt, output))
    return made(f"{trace.name} x{times:g}", rows, trace.seconds)


Rate = Callable[[float], float]
# Prompt and output tokens where no trace gives them: lognormal with the means of Azure's conversation trace of 2023 and about its spread.
_PROMPT, _OUTPUT, _SIGMA = 1155, 211, 1.0


def poisson(name: str, rate: Rate, seconds: float, seed: int = 0, lengths: list[tuple[int, int]] | None = None) -> Trace:
    """Arrivals at a rate that changes; lengths are drawn from `lengths`."""
    draw = random.Random(seed)  # noqa: S311 - a simulation
    most = max(rate(second) for second in range(0, int(seconds) + 1, 5)) * 1.01
    rows, now = [], 0.0
    while True:
        now += draw.expovariate(most)
        if now >= seconds:
            return made(name, rows, seconds)
        if draw.random() * most < rate(now):
            rows.append((now, *(draw.choice(lengths) if lengths else _lengths(draw))))


def _lengths(draw: random.Random, prompt: float = _PROMPT, output: float = _OUTPUT) -> tuple[int, int]:
    centre = _SIGMA * _SIGMA / 2
    prompt, output = (draw.lognormvariate(math.log(mean) - centre, _SIGMA) for mean in (prompt, output))
    return min(6000, max(8, int(prompt))), min(1500, max(2, int(output)))


def lognormal(prompt: float, output: float, seed: int = 0, number: int = 5000) -> list[tuple[int, int]]:
    """Lengths with about these means."""
    draw = random.Random(seed)  # noqa: S311 - a simulation
    return [_lengths(draw, prompt, output) for _ in range(number)]


def lengths_of(trace: Trace) -> list[tuple[int, int]]:
    return list(zip(trace.prompts, trace.outputs, strict=True))


def day(mean: float, seed: int = 0, hours: float = 24.0, lengths: list[tuple[int, int]] | None = None) -> Trace:
    """Three times as much by day as by night, with noise of 10 % that lasts minutes."""
    return poisson(f"day of {mean:g}/s", noisy(daily(mean, hours * 3600), hours * 3600, seed), hours * 3600, seed, lengths)


def week(mean: float, seed: int = 0, lengths: list[tuple[int, int]] | None = None) -> Trace:
    """Days as above, of which the last two have half the load."""
    by_day = daily(mean * 7 / 6)

    def rate(now: float) -> float:
        return by_day(now) * (0.5 if now >= 5 * DAY else 1.0)

    return poisson(f"week of {mean:g}/s", noisy(rate, 7 * DAY, seed), 7 * DAY, seed, lengths)


def bursts(
    mean: float,
    seed: int = 0,
    hours: float = 24.0,
    *,
    times: float = 5.0,
    length: float = 180.0,
    number: int = 3,
    lengths: list[tuple[int, int]] | None = None,
) -> Trace:
    """A day with sudden bursts."""
    base = noisy(daily(mean, hours * 3600), hours * 3600, seed)
    starts = burst_starts(hours, number)

    def rate(now: float) -> float:
        return base(now) * (times if any(start <= now < start + length for start in starts) else 1.0)

    return poisson(f"day of {mean:g}/s with bursts x{times:g}", rate, hours * 3600, seed, lengths)


def burst_starts(hours: float = 24.0, number: int = 3) -> list[float]:
    return [hours * 3600 * (index + 0.7) / (number + 0.4) for index in range(number)]


def daily(mean: float, length: float = DAY) -> Rate:
    """Least at the start and at the end, three times as much at noon. `length`: of a day, which may be a short one."""
    return lambda now: mean * (1 - 0.5 * math.cos(2 * math.pi * now / length))


def noisy(rate: Rate, seconds: float, seed: int, share: float = 0.1, step: float = 60.0) -> Rate:
    """Times an autoregressive noise by minute, of this standard deviation."""
    draw, kept = random.Random(seed + 7919), 0.9  # noqa: S311 - a simulation
    values, value = [], 0.0
    for _ in range(int(seconds / step) + 2):
        value = kept * value + draw.gauss(0, share * math.sqrt(1 - kept * kept))
        values.append(max(0.0, 1 + value))
    return lambda now: rate(now) * values[int(now / step)]
