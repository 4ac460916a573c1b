"""The loop of the simulated time: arrivals, engines' steps, scrapes, the scaler's polls, starts and ends of replicas."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from tools.simulate.engine import Engine, Request
from tools.simulate.fleet import Fleet, Site, Tier
from tools.simulate.hpa import SYNC_SECONDS, Hpa
from tools.simulate.laws import Law, Objective, Seen
from tools.simulate.prometheus import SCRAPE_SECONDS, Sample
from tools.simulate.traces import Trace

# KEDA and the HPA look this long after a scrape, on average.
_AGE = 7.5
# What is in flight at the end of the trace gets this long to finish.
_AFTER = 1800.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The fleet at a poll."""

    time: float
    wanted: float
    active: int
    ready: int
    held: int
    """Starting, ready and draining."""
    nodes: int
    running: int
    waiting: int


@dataclass
class Outcome:
    objective: Objective
    seconds: float
    arrival: array[float] = field(default_factory=lambda: array("d"))
    ttft: array[float] = field(default_factory=lambda: array("f"))
    tpot: array[float] = field(default_factory=lambda: array("f"))
    """Of answered requests in the order of their ends; infinite where one failed."""
    failed: int = 0
    moments: list[Moment] = field(default_factory=list)
    replica_hours: dict[Tier, float] = field(default_factory=dict)
    node_hours: float = 0.0
    """Of the burst's nodes, also while they start, drain and linger."""
    usd: dict[Tier, float] = field(default_factory=dict)
    preemptions: int = 0

    @property
    def total_replica_hours(self) -> float:
        return sum(self.replica_hours.values())

    @property
    def average_replicas(self) -> float:
        return self.total_replica_hours * 3600 / self.seconds

    def starved(self, ceiling: int) -> bool:
        return any(one.wanted > ceiling for one in self.moments)

    def attained(self, within: Callable[[float], bool] = lambda _: True) -> float:
        """Share of requests within both objectives. `within` selects by the time of arrival."""
        good = total = 0
        ttft, tpot = self.objective.ttft, self.objective.tpot
        for at, one, other in zip(self.arrival, self.ttft, self.tpot, strict=True):
            if within(at):
                total += 1
                good += one <= ttft and other <= tpot
        return good / total if total else 1.0


class Simulation:
    """One run. `trace` is sorted by time and begins at 0."""

    def __init__(
        self, site: Site, law: Law, trace: Trace, objective: Objective, *, begin: int | None = None, seed: int = 0, choices: int | None = 2
    ) -> None:
        self._events: list[tuple[float, int, Engine | Callable[[float], None]]] = []
        self._order = count()
        self._trace, self._law, self._site = trace, law, site
        self._fleet = Fleet(site, self._at, random.Random(seed), choices)  # noqa: S311 - a simulation
        self._seen = Seen(objective)
        self._hpa = Hpa(law.behaviour, site.floor, site.ceiling)
        self._begin = site.floor if begin is None else begin
        self._predicts: bool | None = getattr(law, "predicts", None)
        self._bias: float = getattr(law, "bias", 1.0)
        self._requests = self._prompts = self._pending = 0
        self.outcome = Outcome(objective, trace.seconds)

    def run(self) -> Outcome:
        fleet, events, trace = self._fleet, self._events, self._trace
        fleet.begin(0.0, self._begin)
        self._at(0.0, self._scrape)
        self._at(_AGE, self._poll)
        times, prompts, outputs, scale = trace.times, trace.prompts, trace.outputs, len(trace.times)
        index, last = 0, trace.seconds
        while True:
            at = times[index] if index < scale else math.inf
            if events and events[0][0] <= at:
                now, _, what = heappop(events)
                if isinstance(what, Engine):
                    if what.end == now:
                        what.advance()
                        if what.finished:
                            self._collect(now, what)
                        heappush(events, (what.end, next(self._order), what)) if what.end < math.inf else None
                    continue
                if now > last and (not self._pending or now > last + _AFTER):
                    break
                what(now)
            else:
                request = Request(at, prompts[index], outputs[index])
                index += 1
                self._requests += 1
                self._prompts += request.prompt
                self._pending += 1
                if self._predicts:
                    self._predict(at, request)
                fleet.arrive(at, request)
            self._look()
        return self._finished(last)

    def _at(self, time: float, what: Callable[[float], None]) -> None:
        heappush(self._events, (time, next(self._order), what))

    def _look(self) -> None:
        """Queues the ends of steps that have changed, and counts what failed."""
        fleet = self._fleet
        for engine in fleet.touched:
            if engine.end < math.inf:
                heappush(self._events, (engine.end, next(self._order), engine))
        fleet.touched.clear()
        for request in fleet.failed:
            self._answered(request, math.inf, math.inf)
            self.outcome.failed += 1
        fleet.failed.clear()

    def _collect(self, now: float, engine: Engine) -> None:
        for request in engine.finished:
            self._answered(request, request.ttft, request.tpot)
            if self._predicts is False:
                self._seen.ttft.observe(now, request.ttft)
                self._seen.tpot.observe(now, request.tpot)
        engine.finished.clear()

    def _answered(self, request: Request, ttft: float, tpot: float) -> None:
        self._pending -= 1
        self.outcome.arrival.append(request.arrival)
        self.outcome.ttft.append(ttft)
        self.outcome.tpot.append(tpot)

    def _predict(self, now: float, request: Request) -> None:
        """What llm-d's predictor would say of the replica with the fewest requests: exact on average but for its bias."""
        if not self._fleet.routable:
            return
        engine = min((one.engine for one in self._fleet.routable), key=lambda one: one.in_flight)
        times, running, last = self._site.times, engine.in_flight + 1, self._seen.samples.last
        output = last.finished_output_tokens / last.finished if last.finished else request.output
        step = times.decode(running) + running * times.context(request.prompt + output / 2)
        prompt = times.prompt_step + times.prompt(request.prompt) - times.prompt(0)
        queue = engine.uncached_tokens_waiting / max(1, request.prompt) * prompt
        self._seen.tpot.observe(now, self._bias * (step + running * prompt / output))
        self._seen.ttft.observe(now, self._bias * (step + prompt + queue))

    def _scrape(self, now: float) -> None:
        fleet = self._fleet
        engines = [one.engine for one in fleet.replicas]
        counters = [fleet.gone, *(one.counters for one in engines)]
        ready = [one.engine for one in fleet.routable]
        self._seen.samples.all.append(
            Sample(
                now,
                self._requests,
                self._prompts,
                sum(one.running for one in engines),
                sum(len(one.waiting) for one in engines) + len(fleet.held),
                len(ready),
                sum(one.kv_usage for one in ready),
                sum(one.uncached_tokens_waiting for one in ready),
                sum(one.prompt_tokens for one in counters),
                sum(one.generation_tokens for one in counters),
                sum(one.finished for one in counters),
                sum(one.finished_prompt_tokens for one in counters),
                sum(one.finished_output_tokens for one in counters),
                sum(one.steps for one in counters),
                sum(one.busy_seconds for one in counters),
            )
        )
        fleet.drained(now)
        self._at(now + SCRAPE_SECONDS, self._scrape)

    def _poll(self, now: float) -> None:
        fleet = self._fleet
        fleet.reclaim(now, SYNC_SECONDS)
        if now <= self._trace.seconds:
            current, last = fleet.active, self._seen.samples.last
            wanted = self._law.wanted(now, self._seen, current)
            fleet.scale(now, self._hpa.sync(now, current, wanted))
            self.outcome.moments.append(
                Moment(now, wanted, fleet.active, fleet.ready, len(fleet.replicas), len(fleet.nodes), last.running, last.waiting)
            )
            if now + SYNC_SECONDS > self._trace.seconds:
                self._bill(self._trace.seconds)
        self._at(now + SYNC_SECONDS, self._poll)

    def _bill(self, now: float) -> None:
        fleet, outcome, site = self._fleet, self.outcome, self._site
        fleet.account(now)
        outcome.replica_hours = {tier: seconds / 3600 for tier, seconds in fleet.replica_seconds.items()}
        outcome.node_hours = fleet.node_seconds / 3600
        outcome.usd = {"floor": outcome.replica_hours["floor"] * site.floor_usd, "burst": outcome.node_hours * site.burst_node_usd}

    def _finished(self, last: float) -> Outcome:
        """What has no answer by now has missed its objectives."""
        outcome = self.outcome
        engines = [one.engine for one in self._fleet.replicas]
        for request in [*self._fleet.held, *(one for engine in engines for one in engine.lose())]:
            self._answered(request, math.inf, math.inf)
            outcome.failed += 1
        outcome.preemptions = sum(one.counters.preemptions for one in engines) + self._fleet.gone.preemptions
        return outcome
