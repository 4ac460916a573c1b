"""Who is measured how often: all targets in turn, round after round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tools.bench.gateway import load
from tools.bench.gateway.load import Load, Measured
from tools.bench.gateway.targets import Target, cpu_seconds

KINDS = ("plain", "stream")
# Requests a second of all clients together: far from what two cores can do, so that latency is the way and not the queue.
RATES = {"plain": 500, "stream": 150}
FLAT_OUT_CLIENTS = 128
IDLE_SECONDS = 3


@dataclass(frozen=True)
class Extent:
    """How much to measure. A run is `seconds` long."""

    rounds: int
    flat_out_rounds: int
    clients: tuple[int, ...]
    seconds: int = 1

    @property
    def paced(self) -> list[Load]:
        return [Load(kind, clients, RATES[kind]) for kind in KINDS for clients in self.clients]


FULL, QUICK = Extent(5, 3, (1, 16, 128)), Extent(1, 1, (16,))
FLAT_OUT = [Load(kind, FLAT_OUT_CLIENTS, None) for kind in KINDS]


@dataclass
class Results:
    """Runs by load and target, one a round; CPU seconds of the target's process beside each."""

    runs: dict[tuple[Load, str], list[Measured]] = field(default_factory=dict)
    cpu: dict[tuple[Load, str], list[float]] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    """Share of a CPU that a target takes without requests."""

    def p(self, percent: int, each: Load, target: str) -> float:
        """Latency in ms: the median of the rounds."""
        return statistics.median(self._latencies(percent, each, target))

    def added(self, percent: int, each: Load, target: str, base: str) -> float:
        """Latency in ms beyond that of `base` in the same round: the median of the rounds."""
        pairs = zip(self._latencies(percent, each, target), self._latencies(percent, each, base), strict=True)
        return statistics.median(mine - other for mine, other in pairs)

    def _latencies(self, percent: int, each: Load, target: str) -> list[float]:
        return [run.p50_ms if percent == 50 else run.p99_ms for run in self.runs[each, target]]

    def requests_per_second(self, each: Load, target: str) -> float:
        return statistics.median(run.requests / run.seconds for run in self.runs[each, target])

    def cpu_per_request(self, each: Load, target: str) -> float:
        """Seconds: the median of the rounds."""
        return statistics.median(cpu / run.requests for cpu, run in zip(self.cpu[each, target], self.runs[each, target], strict=True))


def measure(targets: Sequence[Target], extent: Extent, said: Callable[[str], None]) -> Results:
    """`said`: told of the progress.

    Raises:
        RuntimeError: a request failed.
    """
    results = Results(idle=_idle(targets))
    for name, loads, rounds in (("flat out", FLAT_OUT, extent.flat_out_rounds), ("paced", extent.paced, extent.rounds)):
        for index in range(rounds):
            said(f"{name}: round {index + 1} of {rounds}")
            for each in loads:
                turn = index % len(targets)
                for target in [*targets[turn:], *targets[:turn]]:
                    _run(results, target, each, extent.seconds)
    return results


def _run(results: Results, target: Target, each: Load, seconds: int) -> None:
    before = cpu_seconds(target.pid)
    measured = load.run(target.port, each, seconds, key=target.key, asked=target.asked)
    results.cpu.setdefault((each, target.name), []).append(cpu_seconds(target.pid) - before)
    results.runs.setdefault((each, target.name), []).append(measured)


def _idle(targets: Sequence[Target]) -> dict[str, float]:
    before = [cpu_seconds(target.pid) for target in targets]
    time.sleep(IDLE_SECONDS)
    return {target.name: (cpu_seconds(target.pid) - then) / IDLE_SECONDS for target, then in zip(targets, before, strict=True)}
