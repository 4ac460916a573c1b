"""The plan's figures beside what runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from config.measured import MeasuredSpeed
from config.models import Parallelism
from planning.cost import HOURS_PER_MONTH
from planning.memory import ESTIMATE_ERROR
from planning.performance import Performance
from planning.plan import ModelPlan
from planning.startup import SAFETY
from tools.reconcile.running import Interval, Running


@dataclass(frozen=True)
class Figure:
    """One figure of a model."""

    model: str
    name: str
    unit: str
    planned: float
    measured: float | None
    """None: Prometheus says nothing of it."""
    least: float
    most: float
    """What the plan claims: measured values between these."""

    @property
    def ratio(self) -> float | None:
        return self.measured / self.planned if self.measured is not None and self.planned else None

    @property
    def is_off(self) -> bool:
        return self.measured is not None and not self.least <= self.measured <= self.most


def figures(plan: ModelPlan, performance: Performance | None, running: Running) -> Iterator[Figure]:
    memory, startup, usd = plan.memory, plan.startup, plan.cost.monthly
    if memory.kv_tokens:
        yield _within(plan, "KV cache", "tokens", memory.kv_tokens, running.kv_cache_tokens, ESTIMATE_ERROR)
    expected = startup.image + startup.download + startup.engine
    yield Figure(plan.name, "start-up", "s", expected, running.startup_seconds, 0, SAFETY * expected)
    if performance and plan.capacity.speed:
        yield from _speed(plan, performance, plan.capacity.speed.error.share, running.busiest)
    floor, per_hour, ceiling = (value / HOURS_PER_MONTH for value in (usd.floor, usd.expected, usd.ceiling))
    if ceiling:
        yield Figure(plan.name, "cost", "$ an hour", per_hour, running.usd_per_hour, floor, ceiling)


def _speed(plan: ModelPlan, performance: Performance, error: float, busiest: Interval | None) -> Iterator[Figure]:
    """Under the load that there was: a replica is not slow that is asked for little."""
    if busiest is None:
        served, at = plan.capacity.speed.served if plan.capacity.speed else None, plan.capacity.target_in_flight
    else:
        served = performance.serve(
            busiest.in_flight, busiest.prompt_tokens, busiest.output_tokens, running=plan.capacity.requests_in_flight
        )
        at = busiest.in_flight
    if served is None:
        return
    load = f" at {at:.3g} in flight"
    yield _within(
        plan, f"tokens/s{load}", "", served.output_tokens_per_second, busiest.output_tokens_per_second if busiest else None, error
    )
    yield _within(plan, f"time to first token{load}", "s", served.ttft, busiest.ttft if busiest else None, error)
    yield _within(plan, f"time per token{load}", "s", served.tpot, busiest.tpot if busiest else None, error)


def _within(plan: ModelPlan, name: str, unit: str, planned: float, measured: float | None, error: float) -> Figure:
    return Figure(plan.name, name, unit, planned, measured, planned * (1 - error), planned * (1 + error))


def measured_speed(plan: ModelPlan, parallelism: Parallelism, version: str, busiest: Interval | None) -> MeasuredSpeed | None:
    """The row that the plan prefers; None without load or without a GPU."""
    gpu = plan.pool.machine.accelerator_type
    if busiest is None or gpu is None:
        return None
    return MeasuredSpeed.model_validate(
        {
            "gpu": gpu,
            "tensorParallelSize": parallelism.tensor,
            "pipelineParallelSize": parallelism.pipeline,
            "dataParallelSize": parallelism.data,
            "requestsInFlight": round(busiest.in_flight, 2),
            "promptTokens": round(busiest.prompt_tokens, 1),
            "outputTokens": round(busiest.output_tokens, 1),
            "outputTokensPerSecond": round(busiest.output_tokens_per_second, 1),
            "ttftSeconds": round(busiest.ttft, 4),
            "tpotSeconds": round(busiest.tpot, 5),
            "vllm": version,
            "date": datetime.fromtimestamp(busiest.end, UTC).date().isoformat(),
        }
    )
