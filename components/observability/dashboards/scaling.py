"""Scaling of one model: what arrives, how many replicas it asks for and why, and what came of it."""

from __future__ import annotations

from typing import Any

from components.observability.dashboards.panels import Panel, Query, choice, framed, graph
from components.observability.dashboards.parts import Parts

UID = "vllm-scaling"
_MODEL = 'model="$model"'


def scaling(parts: Parts) -> dict[str, Any]:
    rows = {"Replicas": _replicas(parts), "What arrives": _arrivals(), "The plan, corrected": _correction()}
    answers = "How many replicas the model should have, by the formula of the plan, and how many it has."
    variables = [choice("model", "Model", "model:replicas_wanted:law", several=False)]
    return framed(UID, "vLLM: scaling", answers, variables, rows, parts.runbooks)


def _of(record: str, *by: str) -> str:
    return f"max by ({', '.join(by)}) ({record}{{{_MODEL}}})" if by else f"max({record}{{{_MODEL}}})"


def _replicas(parts: Parts) -> list[Panel]:
    wanted = [
        Query(_of("model:replicas_wanted:law"), "wanted"),
        Query(_of("model:replicas_ready:count"), "ready"),
        Query(_of("model:floor_replicas:plan"), "floor", dashed=True),
        Query(_of("model:ceiling_replicas:plan"), "ceiling", dashed=True),
    ]
    burst = [
        Query(_of("model:burst_replicas:wanted"), "wanted beyond the ready floor"),
        Query(_of("model:burst_replicas:desired"), "what KEDA reads"),
    ]
    if parts.hourly_budget:
        burst.append(Query(_of("model:burst_replicas:budget"), "paid by the hourly budget", dashed=True))
    unscheduled = 'kube_pod_status_scheduled{condition="false"} == 1'
    waiting = f'count(pod:of_model:group{{{_MODEL}, tier="burst"}} and on (namespace, pod) ({unscheduled})) or 0 * count(kube_node_info)'
    spot = ["SpotStarved"] if parts.spot else []
    capped = ["BurstCappedByBudget"] if parts.hourly_budget else []
    errors = Query("sum by (scaledObject) (increase(keda_scaler_detail_errors_total[5m]))", "{{scaledObject}}")
    reasons = Query(_of("model:replicas_for:law", "reason"), "{{reason}}")
    return [
        graph(
            "Replicas", wanted, "none", "Wanted at once when load grows; fewer only after five minutes.", alerts=["ScalingFlaps"], width=12
        ),
        graph("Asked for by", reasons, "none", "The highest decides.", alerts=["ScalingMetricsMissing"], width=12),
        graph("Burst", burst, "none", "Held where it cannot be measured.", alerts=capped, width=12),
        graph(
            "Burst without a node", Query(waiting, "spot replicas"), "none", "Wanted, and no node has come for them.", alerts=spot, width=6
        ),
        graph("Queries without an answer", errors, "none", "Of KEDA, in 5 minutes.", alerts=["ScalerErrors"], width=6),
    ]


def _arrivals() -> list[Panel]:
    spans = ("model:arrivals:rate", "model:prompt_tokens_arriving:rate", "model:work:rate")
    requests, prompts, work = (Query(_of(record, "span"), "{{span}}") for record in spans)
    return [
        graph("Requests", requests, "reqps", "At the gateway; where it tells nothing, those that were answered."),
        graph("Prompt tokens", prompts, "suffix:tok/s", "Less those that a prefix cache holds."),
        graph("Replicas kept busy", work, "none", "Before headroom, trend and spread."),
    ]


def _correction() -> list[Panel]:
    correction = Query(_of("model:step_correction:avg"), "times as long as planned")
    each = [Query(_of("model:replica_requests:law"), "requests/s of one replica")]
    lengths = [Query(_of("model:prompt_tokens:mean"), "prompt"), Query(_of("model:answer_tokens:mean"), "answer")]
    return [
        graph("Work takes", correction, "none", "1: as planned. What replicas do corrects the plan's speed."),
        graph("One replica can do", each, "reqps", "Within the model's objectives, for requests as they are now."),
        graph("Tokens of a request", lengths, "none", "Of those that ended in the last 10 minutes."),
    ]
