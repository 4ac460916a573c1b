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
    """What the plan estimates of a model beside `plan_figures`, and by how much of it each estimate may be off."""
    speed, startup, usd = plan.capacity.speed, plan.startup, plan.cost.monthly
    figures = {
        "model:startup_on_node_seconds:plan": startup.image + startup.download + startup.engine,
        "model:prompt_tokens:plan": model.traffic.prompt_tokens,
        "model:output_tokens:plan": model.traffic.output_tokens,
        **({"model:cost:usd_per_hour:plan": usd.expected / HOURS_PER_MONTH} if usd.expected else {}),
    }
    errors: dict[str, float] = {"startup": SAFETY - 1}
    if usd.expected:
        errors["cost"] = max(usd.ceiling / usd.expected - 1, 1 - usd.floor / usd.expected)
    if speed:
        errors |= dict.fromkeys(("output_tokens", "ttft", "tpot"), speed.error.share)
    return Group(
        f"estimates-{plan.key}",
        [
            *(Recording(record, f"vector({value:.6g})", ("model",), {"model": plan.key}) for record, value in figures.items()),
            *(
                Recording("model:estimate_error:plan", f"vector({error:.6g})", _ESTIMATE, {"model": plan.key, "figure": figure})
                for figure, error in errors.items()
            ),
            *_smaller_kv_cache(plan),
        ],
    )


def _smaller_kv_cache(plan: ModelPlan) -> Iterator[Recording]:
    """Replicas whose KV cache is smaller than the plan claims."""
    least = int(plan.memory.kv_tokens * (1 - ESTIMATE_ERROR))
    if least > 0:
        size = f'kv_cache_size_tokens=~"{numbers_below(least)}"'
        of_model = f'vllm:cache_config_info{{model="{plan.key}"'
        expr = f"count({of_model},{size}}}) or 0 * count({of_model}}})"
        yield Recording("model:replicas_with_less_kv_cache:count", expr, ("model",), {"model": plan.key})


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


def reconciliation(*, priced: bool, timed: bool) -> Group:
    """`priced`: what nodes cost is recorded. `timed`: a model's speed is planned."""
    replicas = "on (model) model:targets_up:sum"
    load = [
        _ratio("load", "in_flight", f"(model:requests_running:sum + model:requests_waiting:sum) / {replicas}", "model:requests_in_flight"),
        _ratio("load", "prompt", _mean("vllm:request_prompt_tokens"), "model:prompt_tokens"),
        _ratio("load", "output", _mean("vllm:request_generation_tokens"), "model:output_tokens"),
    ]
    speed = {
        # A rate of five minutes over the replicas of those minutes: one that has just come has written little yet.
        "output_tokens": (
            "model:generation_tokens:rate5m / on (model) avg_over_time(model:targets_up:sum[5m])",
            "model:generation_tokens_per_replica",
        ),
        "ttft": (_mean("vllm:time_to_first_token_seconds"), "model:time_to_first_token_seconds"),
        "tpot": (_mean("vllm:request_time_per_output_token_seconds"), "model:time_per_output_token_seconds"),
    }
    seconds = 'kube_pod_status_ready_time{namespace=~"model-.+"} - on (namespace, pod) kube_pod_status_scheduled_time'
    started = f'quantile by (model) (0.5, label_replace({seconds}, "model", "$1", "namespace", "model-(.+)"))'
    cost = _ratio("estimate", "cost", "sum by (model) (model:cost:usd_per_hour)", "model:cost:usd_per_hour")
    same_load = (
        f"(min by (model) (model:load:ratio) > bool {_LEAST_LOAD}) * on (model) (max by (model) (model:load:ratio) < bool {_MOST_LOAD})"
    )
    speeds = [
        *load,
        Recording("model:load_as_planned:bool", same_load, ("model",)),
        *(
            _ratio("estimate", figure, expr, plan, "and on (model) model:load_as_planned:bool == 1")
            for figure, (expr, plan) in speed.items()
        ),
    ]
    return Group(
        "reconciliation",
        [
            *(speeds if timed else []),
            _ratio("estimate", "startup", started, "model:startup_on_node_seconds"),
            *([cost] if priced else []),
        ],
    )


def _ratio(what: str, figure: str, measured: str, plan: str, only: str = "") -> Recording:
    """Measured over planned. `plan`: the level and metric of the plan's figure."""
    expr = joined(f"({measured})", f"/ on (model) {plan}:plan", *([only] if only else []))
    return Recording(f"model:{what}:ratio", expr, _ESTIMATE, {"figure": figure})


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
