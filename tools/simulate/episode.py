"""The one published episode of a scaling law on real GPUs, to hold the simulator against: llm-d's slo-aware law on GKE.

Qwen3-32B on two H100 per replica, 4000 tokens in and 1000 out, 2 to 10 requests/s and back in stages, 3 to 8 replicas: 95.8 % of the
requests within 3 s and 100 ms at 5.93 replicas, over repeated runs; 8 replicas serve everything, and one takes 1.4 to 1.5 requests/s
(llm-d/llm-d guides/workload-autoscaling/slo-aware, BENCHMARK.md and scored-config.yml at d38c9f0c). Prompt speed and KV cache are from the
guide beside it (keda-epp-token-aware/README.md). The rest is not published, and not fitted: drawn from what is plausible.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from planning.scaling import KV_SHARE, ScalingTarget, replica
from tools.simulate.engine import EngineShape
from tools.simulate.fleet import Site
from tools.simulate.laws import Law, Objective, SloAware
from tools.simulate.simulation import Outcome, Simulation
from tools.simulate.times import linear_times
from tools.simulate.traces import Trace, made

PUBLISHED = (0.958, 5.93)
OBJECTIVE = Objective(3.0, 0.1)
LEAST, MOST = 3, 8
# What one replica takes, as published; draws of other capacities are no such replica. With room to both sides for their "around".
_CAPACITY = (1.38, 1.55)
# Of the KV cache, where vLLM begins to preempt.
_FULL = 0.95
# Requests/s and seconds.
_STAGES = ((2, 330), (4, 360), (6, 360), (8, 360), (10, 360), (4, 360), (1, 300))
# The pool is watched until it is back at its least.
_AFTER = 900.0
# A step reads 32 GB of weights a GPU at 80 % of 3.35 TB/s, and 256 KiB of KV cache a token from two GPUs.
CENTRE = ScalingTarget(
    step_seconds=0.015,
    sequence_seconds=0.00003,
    context_seconds=4.9e-8,
    prompt_seconds=0.0,
    prompt_token_seconds=1 / 15_928,
    kv_tokens=350_000,
    max_num_seqs=256,
    tpot_seconds=OBJECTIVE.tpot,
    busiest_for_ttft=1.0,
    startup_seconds=105.0,
    prompt_tokens=4000,
    output_tokens=1000,
)


@dataclass(frozen=True)
class Draw:
    replica: ScalingTarget
    law: SloAware
    gap: float
    """Seconds between two stages, in which the load generator is restarted."""
    slow_start: float
    seed: int


def draws(number: int, seed: int = 0) -> Iterator[Draw]:
    """Plausible constants, where a replica takes what the published one takes."""
    draw = random.Random(seed)  # noqa: S311 - a simulation
    while number:
        one = replace(
            CENTRE,
            step_seconds=draw.uniform(0.012, 0.017),
            sequence_seconds=draw.uniform(1e-5, 8e-5),
            context_seconds=draw.uniform(4e-8, 5.5e-8),
            prompt_token_seconds=CENTRE.prompt_token_seconds * draw.uniform(0.96, 1.04),
            kv_tokens=CENTRE.kv_tokens * draw.uniform(0.96, 1.04),
        )
        law = SloAware(predicts=draw.random() < 0.7, bias=draw.uniform(0.85, 1.1))
        found = Draw(one, law, draw.uniform(25, 60), draw.choice((0.0, 0.3)), draw.randrange(10_000))
        full = replace(one, kv_tokens=_FULL / KV_SHARE * one.kv_tokens)
        if _CAPACITY[0] <= replica(full, 4000, 1000).requests_per_second <= _CAPACITY[1]:
            number -= 1
            yield found


def profile(gap: float = 0.0, seed: int = 1) -> Trace:
    """Evenly spaced requests; lengths are normal and cut."""
    draw, rows, now = random.Random(seed), [], 0.0  # noqa: S311 - a simulation
    for rate, seconds in _STAGES:
        for index in range(rate * seconds):
            prompt, output = min(4500, max(3500, int(draw.gauss(4000, 300)))), min(1100, max(900, int(draw.gauss(1000, 80))))
            rows.append((now + index / rate, prompt, output))
        now += seconds + gap
    return made("episode", rows, now + _AFTER)


def site(one: ScalingTarget, slow_start: float = 0.0) -> Site:
    return Site(
        times=linear_times(one.step_seconds, one.sequence_seconds, one.context_seconds, one.prompt_token_seconds),
        shape=EngineShape(one.kv_tokens, 256, 8192),
        floor=LEAST,
        ceiling=MOST,
        node_seconds=0.0,
        start_seconds=one.startup_seconds,
        start_spread=slow_start,
    )


def play(law: Law, one: ScalingTarget = CENTRE, *, gap: float = 0.0, slow_start: float = 0.0, seed: int = 0, begin: int = LEAST) -> Outcome:
    return Simulation(site(one, slow_start), law, profile(gap, seed), OBJECTIVE, begin=begin, seed=seed, choices=None).run()


def average_until_back(outcome: Outcome) -> float:
    """Replicas from the start until they are the least again."""
    moments = outcome.moments
    last = max((index for index, one in enumerate(moments) if one.held > LEAST), default=len(moments) - 1)
    return sum(one.held for one in moments[: last + 1]) / (last + 1)


def ensemble(number: int, seed: int = 0) -> list[tuple[float, float]]:
    """Attainment and average replicas of each draw."""
    results = []
    for one in draws(number, seed):
        outcome = play(one.law, one.replica, gap=one.gap, slow_start=one.slow_start, seed=one.seed)
        results.append((outcome.attained(), average_until_back(outcome)))
    return results
