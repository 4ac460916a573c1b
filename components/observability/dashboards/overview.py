"""All models on one page: is anything wrong, and with which model?"""

from __future__ import annotations

from typing import Any

from components.observability.dashboards.panels import MODEL_DASHBOARD, Column, Panel, Query, choice, figure, framed, graph, rows_by
from components.observability.dashboards.parts import Parts

UID = "vllm-overview"
OF_MODEL = 'model=~"$model"'
P95 = f'{{{OF_MODEL},quantile="0.95"}}'


def overview(parts: Parts) -> dict[str, Any]:
    rows: dict[str, list[Panel]] = {
        "Now": [*_now(parts), _models(parts)],
        "Traffic": _traffic(),
        "Latency": _latency(),
        "Errors": _errors(parts),
        "Saturation": _saturation(parts),
    }
    if parts.prices:
        rows["Cost"] = _cost(parts)
    answers = (
        "Traffic, latency, errors, saturation and cost of every model. From a model's name to its own dashboard: a click in the table."
    )
    return framed(UID, "vLLM: overview", answers, [choice("model", "Model", "model:floor_replicas:plan")], rows, parts.runbooks)


def _now(parts: Parts) -> list[Panel]:
    firing = 'count(ALERTS{alertstate="firing",severity=~"critical|warning"}) or vector(0)'
    serving = "count(model:targets_up:sum > 0) or vector(0)"
    failed = "gateway:failed_requests:ratio_rate5m" if parts.gateway else "max(model:failed_requests:ratio_rate5m)"
    return [
        figure("Alerts firing", firing, "none", "Critical and warning. Each alert links to what to do.", limits=(1, 5)),
        figure(
            "Models that answer",
            serving,
            "none",
            "Models of which Prometheus reaches a replica.",
            alerts=["ModelDown", "ModelMetricsMissing"],
        ),
        figure("Requests", "sum(model:requests:rate5m)", "reqps", "Finished by the engines, a second, over five minutes."),
        figure("Tokens written", "sum(model:generation_tokens:rate5m)", "suffix:tok/s", "By all models, over five minutes."),
        figure("Failed", failed, "percentunit", "Share of the requests with a status of 500 and above.", limits=(0.01, 0.05)),
        _worst(
            "Slowest first token",
            "time_to_first_token",
            "Of the model that is slowest: 95 of 100 of its requests had the first token by then.",
        ),
    ]


def _worst(title: str, latency: str, answers: str) -> Panel:
    return figure(title, f'max(model:{latency}_seconds:quantile5m{{quantile="0.95"}})', "s", answers)


def _models(parts: Parts) -> Panel:
    by_model = f"sum by (model) (model:cost:usd_per_hour{{{OF_MODEL}}})"
    columns = [
        Column("replicas ready", f"max by (model) (model:replicas_ready:count{{{OF_MODEL}}})", "none", (1, 0.5)),
        Column("requests/s", f"max by (model) (model:requests:rate5m{{{OF_MODEL}}})", "reqps"),
        Column("waiting", f"max by (model) (model:requests_waiting:sum{{{OF_MODEL}}})", "none"),
        Column("KV cache used", f"max by (model) (model:kv_cache_usage:max{{{OF_MODEL}}})", "percentunit", (0.9, 0.97)),
        Column("first token, 95%", f"max by (model) (model:time_to_first_token_seconds:quantile5m{P95})", "s"),
        Column("between tokens, 95%", f"max by (model) (model:inter_token_latency_seconds:quantile5m{P95})", "s"),
        Column("error budget left", f"min by (model) (model:slo_budget_left:ratio30d{{{OF_MODEL}}})", "percentunit", (0.25, 0)),
        Column("failed", f"max by (model) (model:failed_requests:ratio_rate5m{{{OF_MODEL}}})", "percentunit", (0.01, 0.05)),
        *([Column("$ an hour", by_model, "currencyUSD")] if parts.prices else []),
    ]
    return rows_by("model", "Models", columns, "One row a model; its name leads to its dashboard.", drill_down=MODEL_DASHBOARD)


def _traffic() -> list[Panel]:
    return [
        graph("Requests", Query(f"model:requests:rate5m{{{OF_MODEL}}}", "{{model}}"), "reqps", "Requests that an engine has finished."),
        graph("Tokens written", Query(f"model:generation_tokens:rate5m{{{OF_MODEL}}}", "{{model}}"), "suffix:tok/s", "Output tokens."),
        graph(
            "Tokens read",
            Query(f"model:prompt_tokens:rate5m{{{OF_MODEL}}}", "{{model}}"),
            "suffix:tok/s",
            "Prompt tokens, cached ones too.",
        ),
    ]


def _latency() -> list[Panel]:
    why = "95 of 100 requests took no longer. From the sum of all replicas' histograms, so it is exact to a bucket."
    return [
        graph("Time to first token, 95%", Query(f"model:time_to_first_token_seconds:quantile5m{P95}", "{{model}}"), "s", why),
        graph("Between two tokens, 95%", Query(f"model:inter_token_latency_seconds:quantile5m{P95}", "{{model}}"), "s", why),
        graph("Whole request, 95%", Query(f"model:e2e_request_latency_seconds:quantile5m{P95}", "{{model}}"), "s", why),
    ]


def _errors(parts: Parts) -> list[Panel]:
    failed, rejected = f"model:failed_requests:ratio_rate5m{{{OF_MODEL}}}", f"model:admission_rejections:rate5m{{{OF_MODEL}}}"
    panels = [
        graph(
            "Failed requests",
            Query(failed, "{{model}}"),
            "percentunit",
            "Share with a status of 500 and above. Clients that leave early do not count.",
            limits=(0.01, 0.05),
            alerts=["ErrorRatioHigh"],
        ),
        graph(
            "Refused by full engines",
            Query(rejected, "{{model}}"),
            "reqps",
            "Requests that found a queue at its limit, and were sent to another.",
            alerts=["AdmissionRejections"],
        ),
    ]
    if parts.gateway:
        answers = "What clients were told, by status. 429: over a client's limits; 503: no replica has room."
        panels.append(graph("Answers by status", Query("gateway:requests:rate5m", "{{status}}"), "reqps", answers, stacked=True))
    return panels


def _saturation(parts: Parts) -> list[Panel]:
    share = (
        f"model:requests_running:sum{{{OF_MODEL}}} / on (model) "
        f"(model:replicas_ready:count{{{OF_MODEL}}} * on (model) model:requests_in_flight:plan > 0)"
    )
    width = 6 if parts.gpus else 8
    panels = [
        graph(
            "Load",
            Query(share, "{{model}}"),
            "percentunit",
            "Requests that run, of those that the plan lets run at once.",
            limits=(0.9, 1.0),
            width=width,
        ),
        graph(
            "Requests waiting",
            Query(f"model:requests_waiting:sum{{{OF_MODEL}}}", "{{model}}"),
            "none",
            "In the engines' queues.",
            alerts=["QueueBacklog"],
            width=width,
        ),
        graph(
            "KV cache",
            Query(f"model:kv_cache_usage:max{{{OF_MODEL}}}", "{{model}}"),
            "percentunit",
            "Of the fullest replica. A full cache makes requests wait or be computed twice.",
            limits=(0.9, 0.97),
            alerts=["KvCacheSaturated"],
            most=1,
            width=width,
        ),
    ]
    if parts.gpus:
        used = f"model:gpu_utilization:avg{{{OF_MODEL}}}"
        panels.append(
            graph(
                "GPUs busy", Query(used, "{{model}}"), "percentunit", "Time in which a kernel ran on the model's GPUs.", most=1, width=width
            )
        )
    return panels


def _cost(parts: Parts) -> list[Panel]:
    forecast = [Query("cluster:cost_month_to_date:usd", "so far"), Query("cluster:cost_month_forecast:usd", "forecast of the whole month")]
    if parts.budget:
        forecast.append(Query("cluster:budget_usd_per_month:plan", "budget", dashed=True))
    per_hour = Query("sum by (pool) (pool:cost:usd_per_hour)", "{{pool}}")
    per_million = Query(f"model:cost_per_million_output_tokens:usd1h{{{OF_MODEL}}}", "{{model}}")
    return [
        graph("Cost of nodes an hour", per_hour, "currencyUSD", "Nodes that are there now, at the plan's prices.", stacked=True),
        graph(
            "Cost of a million output tokens",
            per_million,
            "currencyUSD",
            "Of the last hour: what the model's nodes cost, over what it wrote.",
        ),
        graph(
            "This month",
            forecast,
            "currencyUSD",
            "Nodes, management fee and system pool, in UTC. Not in it: egress, disks, load balancers.",
        ),
    ]
