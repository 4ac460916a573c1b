"""The policies that are compared, by name: each with the settings that it is known for, and a knob that makes its Pareto front."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planning.scaling import ScalingTarget, replica
from tools.simulate.fleet import Site
from tools.simulate.laws import (
    HourlyCost,
    InFlight,
    Known,
    Law,
    Ours,
    QueueSize,
    SloAware,
    Static,
    TokenAware,
    Utilization,
)
from tools.simulate.prometheus import SCRAPE_SECONDS
from tools.simulate.traces import Trace

# Half a minute to both sides of a moment: work that may be done a little later needs no replica of its own.
_KNOWN_WINDOW = 60.0
# Headroom of the perfect knowledge and of the static peak, from the tuning traces: the least that attains 99 %.
_KNOWN_HEADROOM = 1.1
# vLLM keeps about two cores busy, whatever it serves, and its memory never shrinks or grows. Assumed shares of what a pod requests.
_CPU_BUSY, _MEMORY = 0.25, 0.4


@dataclass(frozen=True)
class Setting:
    """What a policy is made from; `target` has the plan's or the trace's mean lengths."""

    site: Site
    target: ScalingTarget
    trace: Trace
    in_flight: float
    """The plan's target per replica."""


Make = Callable[[Setting, float], Law]


@dataclass(frozen=True)
class Policy:
    key: str
    make: Make
    usual: float
    knob: str
    sweep: Sequence[float]

    def law(self, setting: Setting, knob: float | None = None) -> Law:
        law = self.make(setting, self.usual if knob is None else knob)
        law.name = self.key
        return law


def _replica_usd(site: Site) -> float:
    return site.burst_node_usd / site.replicas_per_node or site.floor_usd


def _prompt_speed(setting: Setting) -> float:
    target = setting.target
    return 1 / (target.prompt_token_seconds + target.prompt_seconds / target.prompt_tokens)


POLICIES: dict[str, Policy] = {
    policy.key: policy
    for policy in (
        Policy("ours", lambda s, knob: Ours(s.target, knob), 1.0, "headroom", (0.8, 0.9, 1.0, 1.1, 1.2, 1.4)),
        Policy("static", lambda s, knob: Static(_peak(s, knob)), _KNOWN_HEADROOM, "of the peak", (0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.1)),
        Policy("known", lambda s, knob: Known(schedule(s, knob)), _KNOWN_HEADROOM, "headroom", (0.9, 1.0, 1.1, 1.2)),
        Policy("slo-aware", lambda s, knob: SloAware(0.55 * knob, 0.4 * knob), 1.0, "thresholds", (0.6, 0.8, 1.0, 1.2, 1.4)),
        Policy("token-aware", lambda s, knob: TokenAware(_prompt_speed(s), knob), 0.8, "KV usage", (0.1, 0.2, 0.3, 0.5, 0.8)),
        Policy("in-flight", lambda s, knob: InFlight(knob * s.in_flight), 1.0, "of the target", (0.4, 0.6, 0.8, 1.0, 1.2)),
        Policy("queue-size", lambda s, knob: QueueSize(knob), 5.0, "waiting", (1, 3, 5, 10)),
        Policy("cpu", lambda s, knob: Utilization("", knob, 0.01, _CPU_BUSY), 0.7, "utilization", (0.1, 0.2, 0.7)),
        Policy("memory", lambda s, knob: Utilization("", knob, _MEMORY, _MEMORY), 0.8, "utilization", (0.3, 0.8)),
        Policy("gpu", lambda s, knob: Utilization("", knob, 0.0, 1.0), 0.8, "utilization", (0.5, 0.8, 0.95)),
        Policy("cost", lambda s, knob: HourlyCost(_replica_usd(s.site), knob), 2.0, "$ an hour", (2.0,)),
    )
}


def schedule(setting: Setting, headroom: float, unforeseen: Sequence[tuple[float, float]] = ()) -> list[int]:
    """Replicas by scrape, if all that will arrive is known: those that the work of the next start-up time needs at most. `unforeseen`:
    spans of time of which nothing is known before they begin."""
    target, trace = setting.target, setting.trace
    number = int(trace.seconds / SCRAPE_SECONDS) + 1
    work = [0.0] * (number + 1)
    for at, prompt, output in zip(trace.times, trace.prompts, trace.outputs, strict=True):
        per_output = target.sequence_seconds + target.context_seconds * (prompt + output / 2)
        work[int(at / SCRAPE_SECONDS)] += target.prompt_seconds + target.prompt_token_seconds * prompt + output * per_output
    busy = replica(target, target.prompt_tokens, target.output_tokens).busy
    around, ahead = int(_KNOWN_WINDOW / SCRAPE_SECONDS / 2), math.ceil((_start_seconds(setting.site)) / SCRAPE_SECONDS) + 2
    needed = []
    for index in range(number):
        window = work[max(0, index - around) : index + around + 1]
        needed.append(math.ceil(headroom * sum(window) / (len(window) * SCRAPE_SECONDS) / busy))
    return [max(needed[index : index + _until(index, ahead, unforeseen)]) for index in range(number)]


def _until(index: int, ahead: int, unforeseen: Sequence[tuple[float, float]]) -> int:
    """How many scrapes can be foreseen."""
    next_start = min((start for start, _ in unforeseen if start > index * SCRAPE_SECONDS), default=math.inf)
    return max(1, min(ahead, math.floor(min(next_start / SCRAPE_SECONDS, 1e9)) - index))


def _start_seconds(site: Site) -> float:
    return site.node_seconds + site.start_seconds * (1 + site.start_spread)


def _peak(setting: Setting, headroom: float) -> int:
    return max(1, max(schedule(setting, headroom), default=1))
