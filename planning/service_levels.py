"""Objectives that alerts watch: who was within one is counted by the buckets of vLLM's histograms, so only their edges can be asked for."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from config.engine_flags import parse
from config.errors import Problem
from config.models import Model

# vllm/v1/metrics/buckets.py 0.33.0, in seconds.
_TTFT_EDGES = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560)
_TPOT_EDGES = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_BUCKETS_FLAG = "--custom-histogram-buckets"


@dataclass(frozen=True)
class LatencyObjective:
    """A share of the requests is to be answered within some seconds."""

    slo: Literal["ttft", "tpot"]
    key: str
    """Where it is said, below `slo`."""
    seconds: float
    edges: Sequence[float]
    """Of the histogram that counts it."""


def latency_objectives(model: Model) -> list[LatencyObjective]:
    buckets = _custom_buckets(model)
    wanted: list[tuple[Literal["ttft", "tpot"], str, float | None, Sequence[float]]] = [
        ("ttft", "ttftSeconds", model.slo.ttft_seconds, buckets.get("time_to_first_token", _TTFT_EDGES)),
        ("tpot", "tpotSeconds", model.slo.tpot_seconds, buckets.get("inter_token_latency", _TPOT_EDGES)),
    ]
    return [LatencyObjective(slo, key, seconds, edges) for slo, key, seconds, edges in wanted if seconds is not None]


def _custom_buckets(model: Model) -> dict[str, Sequence[float]]:
    """Of families whose edges the stack sets itself."""
    flags = [flag for flag in map(parse, model.engine.extra_args) if flag.name == _BUCKETS_FLAG]
    return {
        family: edges
        for flag in flags
        if isinstance(flag.value, dict)
        for family, edges in flag.value.items()
        if isinstance(edges, list) and edges
    }


def service_level_problems(path: str, model: Model) -> Iterator[Problem]:
    """Objectives between two edges: nobody could tell how many requests were within them."""
    for one in latency_objectives(model):
        if one.seconds not in one.edges:
            index = bisect(one.edges, one.seconds)
            nearest = " or ".join(f"{edge:g}" for edge in one.edges[max(0, index - 1) : index + 1])
            yield Problem(
                f"{path}.slo.{one.key}",
                f"{one.seconds:g} s is no edge of a bucket of vLLM's histogram, so no alert can tell which requests were within it",
                f"set it to {nearest}",
            )
