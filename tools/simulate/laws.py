"""Scaling laws: what a policy wants, from what Prometheus knows. Each is a metric and a `behavior`; the HPA's arithmetic is hpa.py."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from statistics import pstdev
from typing import Protocol

from components.observability.scaling import DEFAULT_PACE as PACE
from planning import scaling
from planning.scaling import Behaviour, Load, ScalingTarget, Served
from tools.simulate.prometheus import SCRAPE_SECONDS, TPOT_EDGES, TTFT_EDGES, Histogram, Samples

# What an HPA does whose `behavior` is left out, with its tolerance.
PLAIN = Behaviour(up_pods=4, up_percent=100, tolerance=0.1)
_AT_ONCE = Behaviour(up_pods=10_000, down_window=0)
# llm-d's guides under workload-autoscaling at d38c9f0c.
_SLO_AWARE = Behaviour(up_window=30, up_pods=4, up_percent=100, up_period=60, down_window=180, down_pods=1, down_percent=0, down_period=120)
_TOKEN_AWARE = Behaviour(up_pods=1, up_percent=0, up_period=180, down_window=300, down_pods=1, down_percent=0, down_period=300)


@dataclass(frozen=True)
class Objective:
    """What a request must meet to be attained."""

    ttft: float
    tpot: float


@dataclass
class Seen:
    """What a law may look at: samples, and the endpoint picker's latencies of the last minute."""

    objective: Objective
    samples: Samples = field(default_factory=Samples)
    ttft: Histogram = field(default_factory=lambda: Histogram(TTFT_EDGES))
    tpot: Histogram = field(default_factory=lambda: Histogram(TPOT_EDGES))


class Law(Protocol):
    name: str
    behaviour: Behaviour

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        """Replicas; fractions are rounded up by the HPA."""
        ...


@dataclass
class Static:
    replicas: int
    name: str = "static peak"
    behaviour: Behaviour = scaling.BEHAVIOUR

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        return self.replicas


@dataclass
class Known:
    """Perfect knowledge: replicas by quarter of a minute, each started as early as it must be. The lower bound that a policy aims for."""

    schedule: list[int]
    name: str = "perfect knowledge"
    behaviour: Behaviour = _AT_ONCE

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        return self.schedule[min(len(self.schedule) - 1, int(now / SCRAPE_SECONDS))]


@dataclass
class Ours:
    """planning/scaling.py, which the recording rules of the stack spell out, with their windows."""

    target: ScalingTarget
    headroom: float = scaling.HEADROOM
    trend: float = scaling.TREND
    spread: float = scaling.SPREAD
    corrected: bool = True
    name: str = "vllm-platform"
    behaviour: Behaviour = scaling.BEHAVIOUR
    correction: float = 1.0
    _work: deque[float] = field(default_factory=lambda: deque(maxlen=round(PACE.spread / SCRAPE_SECONDS)))
    _corrections: deque[float] = field(default_factory=lambda: deque(maxlen=round(PACE.means / SCRAPE_SECONDS)))

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        samples, target = seen.samples, self.target
        prompt = samples.ratio("finished_prompt_tokens", "finished", PACE.means, target.prompt_tokens)
        output = samples.ratio("finished_output_tokens", "finished", PACE.means, target.output_tokens)
        if self.corrected:
            self._learn(samples, prompt, output)
        back = PACE.trend if len(samples.all) * SCRAPE_SECONDS > PACE.trend + PACE.arrivals else 0
        load = Load(
            requests=samples.rate("requests", PACE.arrivals),
            requests_before=samples.rate("requests", PACE.arrivals, back),
            prompts=samples.rate("prompts", PACE.arrivals),
            prompts_before=samples.rate("prompts", PACE.arrivals, back),
            prompt_tokens=prompt,
            output_tokens=output,
            spread=0.0,
            running=samples.last.running,
            waiting=samples.last.waiting,
            ready=samples.last.ready,
            kv_usage=samples.last.kv_usage,
            correction=self.correction,
        )
        self._work.append(scaling.work(target, load, samples.rate("requests", PACE.short), samples.rate("prompts", PACE.short)))
        load = replace(load, spread=pstdev(self._work))
        return scaling.wanted_replicas(target, load, headroom=self.headroom, trend=self.trend, spread=self.spread)

    def _learn(self, samples: Samples, prompt: float, output: float) -> None:
        ready = max(1.0, samples.average("ready", PACE.served))
        served = Served(
            steps_per_second=samples.rate("steps", PACE.served) / ready,
            prompt_tokens_per_second=samples.rate("read", PACE.served) / ready,
            requests_per_second=samples.rate("finished", PACE.served) / ready,
            generation_tokens_per_second=samples.rate("made", PACE.served) / ready,
            running=samples.average("running", PACE.served) / ready,
            prompt_tokens=prompt,
            output_tokens=output,
        )
        found = scaling.correction(self.target, served)
        if found is not None:
            self._corrections.append(found)
            self.correction = sum(self._corrections) / len(self._corrections)


@dataclass
class InFlight:
    """Running and waiting requests over a planned number per replica."""

    per_replica: float
    name: str = "in flight / target"
    behaviour: Behaviour = PLAIN

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        return (seen.samples.last.running + seen.samples.last.waiting) / self.per_replica


@dataclass
class SloAware:
    """llm-d's guide workload-autoscaling/slo-aware at d38c9f0c."""

    up: float = 0.55
    down: float = 0.40
    name: str = "llm-d slo-aware"
    behaviour: Behaviour = _SLO_AWARE
    predicts: bool = True
    """The latencies that the endpoint picker predicts for arriving requests; else those of the ones that have ended."""
    bias: float = 1.0
    _signals: deque[float] = field(default_factory=lambda: deque(maxlen=3))  # 45 s

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        scraped = seen.samples.last.time
        ttft, tpot = seen.ttft.quantile(scraped, 0.9), seen.tpot.quantile(scraped, 0.9)
        latest = max((ttft or 0.0) / seen.objective.ttft, (tpot or 0.0) / seen.objective.tpot)
        self._signals.append(min(latest, 2.0))
        signal = sum(self._signals) / len(self._signals)
        ready = seen.samples.last.ready
        if signal > self.up:
            return current + max(0, math.ceil(current * (signal * ready / max(1, current) / self.up - 1)))
        if signal < self.down:
            return current - math.floor(current * (1 - signal / self.down))
        return current


@dataclass
class TokenAware:
    """llm-d's guide workload-autoscaling/keda-epp-token-aware at d38c9f0c."""

    prompt_tokens_per_second: float
    """Of a replica."""
    kv: float = 0.8
    seconds: float = 1.5
    name: str = "llm-d token-aware"
    behaviour: Behaviour = _TOKEN_AWARE

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        last = seen.samples.last
        queue = math.ceil(last.uncached_tokens_waiting / self.prompt_tokens_per_second / self.seconds)
        return max(queue, math.ceil(last.kv_usage / self.kv))


@dataclass
class QueueSize:
    """GKE's guide to autoscaling inference: vllm:num_requests_waiting by the plain HPA, 3 to 5 to begin with."""

    per_replica: float = 5.0
    name: str = "queue size (GKE)"
    behaviour: Behaviour = PLAIN

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        return seen.samples.last.waiting / self.per_replica


@dataclass
class Utilization:
    """CPU, memory or GPU utilization by the plain HPA, as a guide has it: ready replicas times usage over target."""

    name: str
    target: float
    idle: float
    busy: float
    """Usage of a replica that does nothing, and of one that always has a step to do."""
    behaviour: Behaviour = PLAIN

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        ready = seen.samples.last.ready
        share = seen.samples.rate("busy_seconds", 60) / max(1.0, seen.samples.average("ready", 60))
        return ready * (self.idle + (self.busy - self.idle) * min(1.0, share)) / self.target


@dataclass
class HourlyCost:
    """cloud_provider_cost_per_hour with averageValue 2.0: a sum over the replicas, so that each of them asks for more or for fewer."""

    usd: float
    """An hour of a replica."""
    target: float = 2.0
    name: str = "cost per hour"
    behaviour: Behaviour = PLAIN

    def wanted(self, now: float, seen: Seen, current: int) -> float:
        return current * self.usd / self.target
