"""A load test's results beside the plan's figures, and as a row that the plan prefers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rich.table import Table

from config.measured import MeasuredSpeed
from config.models import Parallelism
from planning.performance import Performance, Served
from planning.plan import ModelPlan
from tools.load.load_test import LoadTest
from tools.load.steps import MARK, ending


@dataclass(frozen=True)
class Step:
    """A result of `vllm bench serve`. Over all replicas; means, in seconds."""

    in_flight: int
    requests: int
    failed: int
    prompt_tokens: float
    output_tokens: float
    output_tokens_per_second: float
    ttft: float
    ttft_95: float
    tpot: float
    within_slo: float | None
    """Share of the requests that met every objective; None where there is none."""
    day: date
    ended: str
    """Why no step follows; empty where one does, or would."""


def read_step(result: Mapping[str, Any], slo: Mapping[str, float]) -> Step:
    completed = max(1, result["completed"])
    goodput = result.get("request_goodput")
    return Step(
        in_flight=result["max_concurrency"],
        requests=result["num_prompts"],
        failed=result["failed"],
        prompt_tokens=result["total_input_tokens"] / completed,
        output_tokens=result["total_output_tokens"] / completed,
        output_tokens_per_second=result["output_throughput"],
        ttft=result["mean_ttft_ms"] / 1000,
        ttft_95=result["p95_ttft_ms"] / 1000,
        tpot=result["mean_tpot_ms"] / 1000,
        within_slo=goodput * result["duration"] / result["num_prompts"] if goodput is not None else None,
        day=datetime.strptime(result["date"], "%Y%m%d-%H%M%S").date(),
        ended=ending(result, slo),
    )


def is_step(line: str) -> bool:
    return line.startswith(MARK)


def planned(performance: Performance | None, plan: ModelPlan, test: LoadTest, step: Step) -> Served | None:
    """The plan's figures for one replica under its share of a step."""
    if performance is None:
        return None
    return performance.serve(
        step.in_flight / test.replicas, step.prompt_tokens, step.output_tokens, running=plan.capacity.requests_in_flight
    )


def table(test: LoadTest, steps: Iterable[Step], plans: Iterable[Served | None]) -> Table:
    replicas = f"{test.replicas} replica{'s' if test.replicas > 1 else ''}"
    title = f"{test.model}: {replicas}, prompts of {test.prompt_tokens} tokens, answers of {test.output_tokens}; beside it, the plan's"
    found = Table(title=title, title_justify="left")
    for heading in ("in flight", "requests", "tokens/s", "plan", "to first token", "95%", "plan", "per token", "plan", "within slo"):
        found.add_column(heading, justify="right")
    for step, plan in zip(steps, plans, strict=True):
        found.add_row(
            str(step.in_flight),
            f"{step.requests}" if not step.failed else f"{step.requests}, {step.failed} failed",
            f"{step.output_tokens_per_second:,.0f}",
            f"{plan.output_tokens_per_second * test.replicas:,.0f}" if plan else "-",
            f"{step.ttft:.2f} s",
            f"{step.ttft_95:.2f} s",
            f"{plan.ttft:.2f} s" if plan else "-",
            f"{step.tpot * 1000:.1f} ms",
            f"{plan.tpot * 1000:.1f} ms" if plan else "-",
            f"{step.within_slo:.0%}" if step.within_slo is not None else "-",
        )
    return found


def verdict(test: LoadTest, steps: Sequence[Step]) -> str:
    good = [step for step in steps if not step.ended]
    best = f"{good[-1].in_flight} in flight hold" if good else "not one step holds"
    if steps[-1].ended:
        return f"{best}; at {steps[-1].in_flight}: {steps[-1].ended}. The plan aims for {test.steps[-1]}."
    return f"{best}, which is what the plan aims for."


def measured_speed(test: LoadTest, plan: ModelPlan, parallelism: Parallelism, version: str, steps: Sequence[Step]) -> MeasuredSpeed | None:
    """Of one replica at the last step that went well, for the plan to prefer; None where there is none, or no GPU."""
    good = [step for step in steps if not step.failed]
    machine = plan.pool.machine
    if not good or machine.accelerator_type is None:
        return None
    best = next((step for step in reversed(good) if not step.ended), good[0])
    return MeasuredSpeed.model_validate(
        {
            "gpu": machine.accelerator_type,
            "tensorParallelSize": parallelism.tensor,
            "pipelineParallelSize": parallelism.pipeline,
            "dataParallelSize": parallelism.data,
            "requestsInFlight": best.in_flight / test.replicas,
            "promptTokens": round(best.prompt_tokens, 1),
            "outputTokens": round(best.output_tokens, 1),
            "outputTokensPerSecond": round(best.output_tokens_per_second / test.replicas, 1),
            "ttftSeconds": round(best.ttft, 4),
            "tpotSeconds": round(best.tpot, 5),
            "vllm": version,
            "date": best.day.isoformat(),
        }
    )
