"""The plan's estimates against what runs: ratios, measured over planned, and the alert on one that is off by more than the plan claims.

Speed is compared only under the load that the plan speaks of: as many requests in flight as it aims for, prompts and answers of the
typical length. `make reconcile` compares it under any load. vLLM tells the size of its KV cache as a label, which no rule can divide.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.observability.rules import Alert, Group, Recording, joined
from config.models import Model
from planning.cost import HOURS_PER_MONTH
from planning.memory import ESTIMATE_ERROR
from planning.plan import ModelPlan
from planning.startup import SAFETY

# Of the planned load: what is about the same.
_LEAST_LOAD, _MOST_LOAD = 0.8, 1.25
_ESTIMATE = ("model", "figure")


def model_claims(model: Model, plan: ModelPlan) -> Group:
    """What the plan estimates of a model, and by how much it may be off."""
    return Group(f"estimates-{plan.name}", [*_claims(model, plan), *_smaller_kv_cache(plan)])


def _claims(model: Model, plan: ModelPlan) -> Iterator[Recording]:
    speed, startup, usd = plan.capacity.speed, plan.startup, plan.cost.monthly
    estimates: dict[str, tuple[float, float]] = {"startup": (startup.image + startup.download + startup.engine, SAFETY - 1)}
    if usd.expected:
        estimates["cost"] = (usd.expected / HOURS_PER_MONTH, max(usd.ceiling / usd.expected - 1, 1 - usd.floor / usd.expected))
    if speed:
        served = speed.served
        for figure, value in (("output_tokens", served.output_tokens_per_second), ("ttft", served.ttft), ("tpot", served.tpot)):
            estimates[figure] = (value, speed.error.share)
        load = {"in_flight": plan.capacity.target_in_flight, "prompt": model.traffic.prompt_tokens, "output": model.traffic.output_tokens}
        yield from (_figure("model:load:plan", plan.name, name, value) for name, value in load.items())
    for name, (value, error) in estimates.items():
        yield _figure("model:estimate:plan", plan.name, name, value)
        yield _figure("model:estimate_error:plan", plan.name, name, error)


def _figure(record: str, model: str, figure: str, value: float) -> Recording:
    return Recording(record, f"vector({value:.6g})", _ESTIMATE, {"model": model, "figure": figure})


def _smaller_kv_cache(plan: ModelPlan) -> Iterator[Recording]:
    """Replicas whose KV cache is smaller than the plan claims."""
    least = int(plan.memory.kv_tokens * (1 - ESTIMATE_ERROR))
    if least > 0:
        size = f'kv_cache_size_tokens=~"{numbers_below(least)}"'
        expr = f'count by (model) (vllm:cache_config_info{{model="{plan.name}",{size}}})'
        yield Recording("model:replicas_with_less_kv_cache:count", expr, ("model",))


def numbers_below(limit: int) -> str:
    """A regular expression of the whole numbers below `limit`, as they are written without a leading zero."""
    digits = str(limit)
    parts = [f"[0-9]{{1,{len(digits) - 1}}}"] if len(digits) > 1 else []
    for index, digit in enumerate(digits):
        least = 1 if index == 0 and len(digits) > 1 else 0
        if int(digit) > least:
            rest = len(digits) - index - 1
            parts.append(f"{digits[:index]}[{least}-{int(digit) - 1}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join(parts)


def reconciliation() -> Group:
    replicas = "on (model) model:targets_up:sum"
    load = {
        "in_flight": f"(model:requests_running:sum + model:requests_waiting:sum) / {replicas}",
        "prompt": _mean("vllm:request_prompt_tokens"),
        "output": _mean("vllm:request_generation_tokens"),
    }
    speed = {
        "output_tokens": f"model:generation_tokens:rate5m / {replicas}",
        "ttft": _mean("vllm:time_to_first_token_seconds"),
        "tpot": _mean("vllm:request_time_per_output_token_seconds"),
    }
    started = "quantile by (model) (0.5, {})".format(
        'label_replace(kube_pod_status_ready_time{namespace=~"model-.+"} - on (namespace, pod) kube_pod_status_scheduled_time, '
        '"model", "$1", "namespace", "model-(.+)")'
    )
    same_load = f"min by (model) (model:load:ratio) > {_LEAST_LOAD} and max by (model) (model:load:ratio) < {_MOST_LOAD}"
    return Group(
        "reconciliation",
        [
            *(_ratio("model:load", name, expr) for name, expr in load.items()),
            Recording("model:planned_load:min", same_load, ("model",)),
            *(_ratio("model:estimate", name, expr, "and on (model) model:planned_load:min") for name, expr in speed.items()),
            _ratio("model:estimate", "startup", started),
            _ratio("model:estimate", "cost", "sum by (model) (model:cost:usd_per_hour)"),
        ],
    )


def _ratio(level: str, figure: str, expr: str, only: str = "") -> Recording:
    """Measured over planned."""
    lines = [f"({expr})", f'/ on (model) {level}:plan{{figure="{figure}"}}', *([only] if only else [])]
    return Recording(f"{level}:ratio", joined(*lines), _ESTIMATE, {"figure": figure})


def _mean(histogram: str) -> str:
    return f"sum by (model) (rate({histogram}_sum[5m])) / sum by (model) (rate({histogram}_count[5m]))"


def estimates() -> list[Alert]:
    return [
        Alert(
            "EstimateOff",
            "warning",
            "abs(model:estimate:ratio - 1) > on (model, figure) model:estimate_error:plan",
            "1h",
            "The plan is off for {{ $labels.model }}: {{ $labels.figure }}",
            "What runs of {{ $labels.model }} differs from the planned {{ $labels.figure }} by {{ $value | humanizePercentage }} of it, "
            "more than the plan claims.",
        ),
        Alert(
            "KvCacheBelowPlan",
            "warning",
            "model:replicas_with_less_kv_cache:count > 0",
            "10m",
            "{{ $labels.model }} has less KV cache than planned",
            "{{ $value }} replicas of {{ $labels.model }} have a KV cache that is smaller than the plan claims: they hold fewer requests "
            "at once than its target.",
        ),
    ]
