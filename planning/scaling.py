"""How many replicas a model needs: one formula, from the work that arrives and what the plan says that a replica can do.

Feed-forward: the count follows requests and prompt tokens as they arrive at the gateway, before any queue shows them. It is absolute, so
replicas that are starting need no credit. The recording rules that KEDA reads and the simulator use the same constants and steps:

    series of a model             in Prometheus
    requests, requests_before     sum(rate(<requests sent to the model's clusters>[1m])), and the same `offset 3m`
    prompts, prompts_before       prompt tokens arriving per second: sum(rate(<bytes sent to the model's clusters>[1m])) * tokens per byte
                                  over 10 m (vllm:prompt_tokens_total / bytes) * share that no prefix cache holds; the same `offset 3m`
    prompt_tokens, output_tokens  means over 10 m: _sum / _count of vllm:request_prompt_tokens and vllm:request_generation_tokens;
                                  the plan's `traffic` where no request has ended
    spread                        stddev_over_time(work over 45 s [5m]), `work` as below
    running, waiting, ready       sums of vllm:num_requests_running and _waiting, and ready replicas, both tiers
    kv_usage                      sum of the replicas' shares of the KV cache in use
    correction                    `correction()`, avg_over_time [10m], 1 where nothing is known

    per_output   = sequence_seconds + context_seconds * (prompt_tokens + output_tokens / 2)
    step         = correction * step_seconds
    each         = correction * (prompt_seconds + prompt_token_seconds * prompt_tokens + output_tokens * per_output)
    most_running = min(KV_SHARE * kv_tokens / (prompt_tokens + output_tokens / 2), max_num_seqs)
    busiest      = min(BUSIEST, busiest_for_ttft, 1 - step / tpot_seconds)                              at least LEAST_BUSY
    rate         = min(busiest / each, most_running / (output_tokens * step + most_running * each))     requests/s of a replica
    busy         = rate * each                                                                          its share of the time
    in_flight    = rate * output_tokens * step / (1 - busy)
    work         = correction * (prompt_token_seconds * prompts + requests * (prompt_seconds + output_tokens * per_output)) / busy
    ahead        = work + TREND * max(0, work - work_before) / 180 * (startup_seconds + REACTION_SECONDS)
    backlog      = max(0, waiting - WAITING_PER_REPLICA * ready) / (BACKLOG_SECONDS * rate)
    replicas     = max(HEADROOM * ahead + SPREAD * spread + backlog, (running + waiting) / in_flight, kv_usage / KV_SHARE)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from config.models import Model
from planning.batches import EngineLimits
from planning.capacity import TARGET_UTILIZATION, CapacityPlan
from planning.kv_cache import KvCache
from planning.memory import GIB, MemoryPlan
from planning.performance import Performance

# One setting for all models; `make bench-policy` shows what it was chosen on and judged on.
HEADROOM = 1.0
TREND = 0.15
SPREAD = 1.8
BACKLOG_SECONDS = 60
WAITING_PER_REPLICA = 2
# From a change of the load to the answer: scrape, rule and poll, and half the window of the rate.
REACTION_SECONDS = 30
TREND_SECONDS = 180
# Of the KV cache: long requests stay longest, so that those which run are longer than the mean. Of the time: queues grow without limit
# towards 1.
KV_SHARE = TARGET_UTILIZATION
BUSIEST = 0.9
LEAST_BUSY = 0.05
# Bounds of the on-line correction, and the share of the planned requests in flight from which a measured step says something.
LEAST_CORRECTION, MOST_CORRECTION = 0.7, 1.5
LEAST_RUNNING = 0.25


@dataclass(frozen=True)
class ScalingTarget:
    """What the plan says of one replica, in seconds. Steps are linear in their sequences around the planned number in flight."""

    step_seconds: float
    """Of a decoding step, whoever is in it: weights, launches."""
    sequence_seconds: float
    """More per sequence of a step."""
    context_seconds: float
    """More per sequence and token of its context."""
    prompt_seconds: float
    """Per prompt, whatever its length."""
    prompt_token_seconds: float
    kv_tokens: float
    """Tokens of context that the KV caches hold."""
    max_num_seqs: float
    tpot_seconds: float | None
    """The model's objective."""
    busiest_for_ttft: float
    """Share of the time at which the planned number in flight just meets the objective of the first token; 1 where none limits it."""
    startup_seconds: float
    """On a new node."""
    prompt_tokens: float
    output_tokens: float
    """Means of the plan's `traffic`."""
    engines: int = 1
    """Batches that a replica has at once: data parallel ranks times pipeline stages. Each makes steps of its own."""


@dataclass(frozen=True)
class Replica:
    """What a replica can do with requests of these lengths."""

    requests_per_second: float
    busy: float
    in_flight: float


@dataclass(frozen=True)
class Load:
    """What Prometheus measures; the series of the module's docstring."""

    requests: float
    requests_before: float
    prompts: float
    prompts_before: float
    prompt_tokens: float
    output_tokens: float
    spread: float
    running: float
    waiting: float
    ready: float
    correction: float = 1.0
    kv_usage: float = 0.0


@dataclass(frozen=True)
class Behaviour:
    """`behavior` of a HorizontalPodAutoscaler: pods or a share of them per period, the larger; windows in seconds."""

    up_window: int = 0
    up_pods: int = 8
    up_percent: int = 200
    up_period: int = 15
    down_window: int = 300
    down_pods: int = 0
    down_percent: int = 100
    down_period: int = 15
    tolerance: float = 0.0


BEHAVIOUR = Behaviour()


def plan_scaling(
    model: Model, cache: KvCache, memory: MemoryPlan, limits: EngineLimits, capacity: CapacityPlan, performance: Performance, startup: float
) -> ScalingTarget:
    """The constants of a model from its plan. `startup`: seconds until a replica on a new node is ready."""
    target = _linear(model, cache, memory, limits, performance, capacity.target_in_flight, startup)
    # Once more around the number that the formula aims for: without objectives the planned one is the most that memory holds.
    aimed = replica(target, target.prompt_tokens, target.output_tokens).in_flight
    target = _linear(model, cache, memory, limits, performance, min(aimed, capacity.target_in_flight), startup)
    if capacity.speed is None or capacity.speed.limited_by != "slo.ttftSeconds":
        return target
    seconds = capacity.target_in_flight * request_seconds(target, target.prompt_tokens, target.output_tokens)
    return replace(target, busiest_for_ttft=seconds / (target.output_tokens * target.step_seconds + seconds))


def _linear(
    model: Model, cache: KvCache, memory: MemoryPlan, limits: EngineLimits, performance: Performance, in_flight: float, startup: float
) -> ScalingTarget:
    """Steps as a line through those with about `in_flight` requests. A data parallel rank has its share of them, a pipeline stage its share
    of a rank's."""
    prompt_tokens, output_tokens = model.traffic.prompt_tokens, model.traffic.output_tokens
    ranks, scale = performance.work.data, performance.scale
    divided = ranks * performance.work.pipeline
    sequences, context = max(1.0, in_flight / divided), prompt_tokens + output_tokens / 2
    step = performance.step(sequences, context)
    per_context = (performance.step(sequences, context + 1) - step) / sequences
    per_sequence = performance.step(sequences + 1, context) - step - per_context * context
    prompt_base = performance.constants.prompt_layer * performance.work.layers
    prompt = performance.prompt(prompt_tokens, sequences) - prompt_base
    held = memory.kv_cache * GIB / max(1, cache.bytes_per_sequence(int(context)))  # windows and states do not grow with the context
    return ScalingTarget(
        step_seconds=max(0.0, step - sequences * (per_sequence + per_context * context)) / scale,
        sequence_seconds=per_sequence / scale / divided,
        context_seconds=per_context / scale / divided,
        prompt_seconds=prompt_base / scale / divided,
        prompt_token_seconds=prompt / prompt_tokens / scale / divided,
        kv_tokens=held * context * ranks,
        max_num_seqs=limits.max_num_seqs * ranks,
        tpot_seconds=model.slo.tpot_seconds,
        busiest_for_ttft=1.0,
        startup_seconds=startup,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        engines=divided,
    )


def _per_output(target: ScalingTarget, prompt_tokens: float, output_tokens: float) -> float:
    return target.sequence_seconds + target.context_seconds * (prompt_tokens + output_tokens / 2)


def request_seconds(target: ScalingTarget, prompt_tokens: float, output_tokens: float) -> float:
    """Seconds that one request adds to the steps of a replica."""
    per_output = _per_output(target, prompt_tokens, output_tokens)
    return target.prompt_seconds + target.prompt_token_seconds * prompt_tokens + output_tokens * per_output


def replica(target: ScalingTarget, prompt_tokens: float, output_tokens: float, correction: float = 1.0) -> Replica:
    step = correction * target.step_seconds
    each = correction * request_seconds(target, prompt_tokens, output_tokens)
    most_running = min(KV_SHARE * target.kv_tokens / (prompt_tokens + output_tokens / 2), target.max_num_seqs)
    busiest = min(BUSIEST, target.busiest_for_ttft, 1 - step / target.tpot_seconds if target.tpot_seconds else 1.0)
    rate = min(max(LEAST_BUSY, busiest) / each, most_running / (output_tokens * step + most_running * each))
    busy = rate * each
    return Replica(rate, busy, rate * output_tokens * step / (1 - busy))


def work(target: ScalingTarget, load: Load, requests: float, prompts: float) -> float:
    """Replicas that this rate of requests and prompt tokens keeps as busy as a replica may be."""
    per_output = _per_output(target, load.prompt_tokens, load.output_tokens)
    seconds = target.prompt_token_seconds * prompts + requests * (target.prompt_seconds + load.output_tokens * per_output)
    return load.correction * seconds / replica(target, load.prompt_tokens, load.output_tokens, load.correction).busy


def wanted_replicas(
    target: ScalingTarget, load: Load, *, headroom: float = HEADROOM, trend: float = TREND, spread: float = SPREAD
) -> float:
    """Of both tiers, before rounding up and before floor and ceiling."""
    can = replica(target, load.prompt_tokens, load.output_tokens, load.correction)
    now, before = work(target, load, load.requests, load.prompts), work(target, load, load.requests_before, load.prompts_before)
    ahead = now + trend * max(0.0, now - before) / TREND_SECONDS * (target.startup_seconds + REACTION_SECONDS)
    backlog = max(0.0, load.waiting - WAITING_PER_REPLICA * load.ready) / (BACKLOG_SECONDS * can.requests_per_second)
    return max(headroom * ahead + spread * load.spread + backlog, (load.running + load.waiting) / can.in_flight, load.kv_usage / KV_SHARE)


@dataclass(frozen=True)
class Served:
    """What a model's ready replicas did over 5 m, one replica on average: rates of vLLM's counters and the mean number of running
    requests. Steps are vllm:iteration_tokens_total_count."""

    steps_per_second: float
    prompt_tokens_per_second: float
    requests_per_second: float
    generation_tokens_per_second: float
    running: float
    prompt_tokens: float
    output_tokens: float


def correction(target: ScalingTarget, served: Served) -> float | None:
    """How many times longer the work takes than the plan says; None where too little runs to tell.

        in_flight  = that of `replica()` without a correction, for the plan's `traffic`
        planned    = seconds of steps and of work done per second, by the plan
        correction = 1 / planned      within LEAST_CORRECTION and MOST_CORRECTION

    A replica with several requests has no second without a step. So what it did in a second should have taken a second. Latencies would
    say less: their means weigh steps by their tokens, and a load that changes makes them too long.
    """
    most = replica(target, target.prompt_tokens, target.output_tokens).in_flight
    if served.running < LEAST_RUNNING * most:
        return None
    planned = (
        target.step_seconds / target.engines * served.steps_per_second
        + target.prompt_token_seconds * served.prompt_tokens_per_second
        + target.prompt_seconds * served.requests_per_second
        + _per_output(target, served.prompt_tokens, served.output_tokens) * served.generation_tokens_per_second
    )
    return min(MOST_CORRECTION, max(LEAST_CORRECTION, 1 / planned if planned else MOST_CORRECTION))
