"""Capacity of one replica: requests in flight that fit in memory, those that meet the model's `slo`, and their speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from config.architecture import Architecture
from config.catalog import Accelerator
from config.errors import Problem
from config.models import Model, Slo
from planning.batches import EngineLimits
from planning.kv_cache import KvCache
from planning.machines import Machine
from planning.memory import GIB, MemoryPlan
from planning.performance import Performance, Served
from planning.performance_error import SpeedError, speed_error
from planning.work import plan_work

# Share of the requests in flight that fit; the rest is room for requests longer than the mean.
TARGET_UTILIZATION = 0.75
# Requests that may wait, as a share of the running ones: a request that would wait longer is better sent to another replica.
QUEUE_SHARE = 1.0
# vLLM counts every prompt and every choice (`n`) of a request against --max-num-queued-reqs and refuses the whole request above it: a
# request with this many prompts is always accepted, however few fit in memory at once.
LEAST_MOST_IN_FLIGHT = 128


@dataclass(frozen=True)
class Speed:
    """Speed of a replica at its target of requests in flight, with the error of the estimate."""

    served: Served
    alone: Served
    """Speed with one request in flight: the best that a client can get."""
    error: SpeedError
    limited_by: Literal["memory", "slo.ttftSeconds", "slo.tpotSeconds"]
    """Which limit sets the target."""
    prompt_share: float
    """Share of the replica's time that prompts take."""

    @property
    def least_tokens_per_second(self) -> float:
        return self.served.output_tokens_per_second * (1 - self.error.share)

    @property
    def most_tokens_per_second(self) -> float:
        return self.served.output_tokens_per_second * (1 + self.error.share)


@dataclass(frozen=True)
class CapacityPlan:
    """Capacity of one replica, all its data parallel ranks together."""

    requests_in_flight: int
    """Typical requests whose KV cache fits, at most max_num_seqs."""
    most_in_flight: int
    """Running and waiting requests above which the replica refuses more."""
    target_in_flight: int
    """Requests in flight per replica that autoscaling should aim for: the most that meet the model's `slo`, with room in memory."""
    speed: Speed | None
    """None where speed is not planned: on CPU nodes, and for encoders, which generate no tokens."""


def plan_capacity(
    model: Model, architecture: Architecture, memory: MemoryPlan, cache: KvCache, limits: EngineLimits, machine: Machine
) -> CapacityPlan:
    traffic = model.traffic
    typical = min(memory.max_model_len, traffic.prompt_tokens + traffic.output_tokens)
    sequence = cache.bytes_per_sequence(typical) / GIB
    each = min(limits.max_num_seqs, int(max(0.0, memory.kv_cache) / sequence)) if sequence else limits.max_num_seqs
    in_flight = model.parallelism.data * each  # every rank has a scheduler and a KV cache of its own
    most = model.engine.max_queued_requests or max(LEAST_MOST_IN_FLIGHT, int(in_flight * (1 + QUEUE_SHARE)))
    room = max(1, int(in_flight * TARGET_UTILIZATION))
    performance = plan_performance(model, architecture, cache, machine, in_flight)
    if performance is None:
        return CapacityPlan(in_flight, most, room, None)
    target, limited_by = _target(performance, model, room)
    speed = Speed(
        served=_served(performance, model, target),
        alone=_served(performance, model, 1),
        error=speed_error(performance.work, performance.accelerator, measured=performance.scale != 1),
        limited_by=limited_by,
        prompt_share=performance.prompt_share(target, model.traffic.prompt_tokens, model.traffic.output_tokens),
    )
    return CapacityPlan(in_flight, most, target, speed)


def plan_performance(model: Model, architecture: Architecture, cache: KvCache, machine: Machine, running: int) -> Performance | None:
    """Of one replica that has `running` requests at once at most; None where it is not planned."""
    if machine.accelerator is None or architecture.is_encoder:
        return None
    work = plan_work(architecture, model.parallelism, cache.dtype_bytes, model.engine.dtype)
    performance = Performance(work, _slot(machine.accelerator, machine.gpus / machine.slots))
    return replace(performance, scale=_measured_scale(performance, model, machine, running))


def _measured_scale(performance: Performance, model: Model, machine: Machine, running: int) -> float:
    """By the newest measurement on this GPU with these parallel sizes, of several of one day the one under most load."""
    sizes = (machine.accelerator_type, model.parallelism.tensor, model.parallelism.pipeline, model.parallelism.data)
    same = [
        one
        for one in model.measured_speed
        if (one.gpu, one.tensor_parallel_size, one.pipeline_parallel_size, one.data_parallel_size) == sizes
    ]
    if not same:
        return 1.0
    newest = max(same, key=lambda one: (one.date, one.requests_in_flight))
    planned = performance.serve(newest.requests_in_flight, newest.prompt_tokens, newest.output_tokens, running)
    return newest.output_tokens_per_second / planned.output_tokens_per_second


def _slot(gpu: Accelerator, share: float) -> Accelerator:
    """The GPU's figures scaled to one MIG partition, or to one client of a shared GPU while all others are busy."""
    if share == 1:
        return gpu
    figures = ("memory_bandwidth_gb_per_second", "bf16_tflops", "fp8_tflops", "fp4_tflops")
    return gpu.model_copy(update={name: getattr(gpu, name) * share for name in figures if getattr(gpu, name)})


def _served(performance: Performance, model: Model, in_flight: int) -> Served:
    return performance.serve(in_flight, model.traffic.prompt_tokens, model.traffic.output_tokens)


def _target(performance: Performance, model: Model, room: int) -> tuple[int, Literal["memory", "slo.ttftSeconds", "slo.tpotSeconds"]]:
    """The most requests in flight, up to `room`, that meet the objectives (by bisection: times grow with them); 1 if none do."""
    limited_by = _missed(_served(performance, model, room), model.slo)
    if limited_by is None:
        return room, "memory"
    met, missed = 1, room
    while missed - met > 1:
        middle = (met + missed) // 2
        if found := _missed(_served(performance, model, middle), model.slo):
            missed, limited_by = middle, found
        else:
            met = middle
    return met, limited_by


def _missed(served: Served, slo: Slo) -> Literal["slo.ttftSeconds", "slo.tpotSeconds"] | None:
    if slo.ttft_seconds is not None and served.ttft > slo.ttft_seconds:
        return "slo.ttftSeconds"
    return "slo.tpotSeconds" if slo.tpot_seconds is not None and served.tpot > slo.tpot_seconds else None


def _objectives(path: str, slo: Slo, speed: Speed) -> Iterator[tuple[str, str, float, float]]:
    """Each objective: its path, its name, the wanted value, and the value with one request in flight."""
    if slo.ttft_seconds is not None:
        yield f"{path}.slo.ttftSeconds", "time to first token", slo.ttft_seconds, speed.alone.ttft
    if slo.tpot_seconds is not None:
        yield f"{path}.slo.tpotSeconds", "time per output token", slo.tpot_seconds, speed.alone.tpot


def slo_problems(path: str, model: Model, capacity: CapacityPlan) -> Iterator[Problem]:
    """Objectives that one request in flight misses by more than the error of the plan."""
    speed = capacity.speed
    if speed is None:
        return
    for where, name, wanted, best in _objectives(path, model.slo, speed):
        if best * (1 - speed.error.share) > wanted:
            yield _unmet(where, name, wanted, best, model, speed)


def slo_warnings(path: str, model: Model, capacity: CapacityPlan) -> Iterator[Problem]:
    """Objectives that the plan cannot check, or that one request in flight misses within the error of the plan."""
    speed, slo = capacity.speed, model.slo
    if speed is None:
        for key, value in (("ttftSeconds", slo.ttft_seconds), ("tpotSeconds", slo.tpot_seconds)):
            if value is not None:
                message = "the speed of this model on this machine is not planned, so the objective is not checked"
                yield Problem(f"{path}.slo.{key}", message, "measure it, and set engine.maxQueuedRequests by that")
        return
    for where, name, wanted, best in _objectives(path, slo, speed):
        if best > wanted >= best * (1 - speed.error.share):
            yield _unmet(where, name, wanted, best, model, speed)


def _unmet(where: str, name: str, wanted: float, best: float, model: Model, speed: Speed) -> Problem:
    shorter = ", shorten traffic.promptTokens" if where.endswith("ttftSeconds") else ""
    return Problem(
        where,
        f"the {name} is {_seconds(best)} (+-{speed.error.share:.0%}) with a single request in flight, a prompt of "
        f"{model.traffic.prompt_tokens} tokens, and {_seconds(wanted)} is asked for",
        f"raise it to at least {_seconds(best)}{shorter}, raise parallelism.tensor or choose a faster GPU",
    )


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 1 else f"{value:.1f} s"
