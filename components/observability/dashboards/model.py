"""One model: its users' experience, its engines, its replicas of either tier and colour, and what it costs."""

from __future__ import annotations

from typing import Any

from components.observability.dashboards.panels import MODEL_DASHBOARD, Panel, Query, choice, figure, framed, graph, heat
from components.observability.dashboards.parts import Parts

OF_MODEL = 'model="$model"'
_NAMESPACE = 'namespace="model-$model"'
_QUANTILES = {"0.5": "half", "0.95": "95%", "0.99": "99%"}


def one_model(parts: Parts) -> dict[str, Any]:
    rows: dict[str, list[Panel]] = {
        "Now": _now(parts),
        "What users see": _latency(parts),
        "Objectives": _objectives(),
        "Requests": _requests(parts),
        "Engines": _engines(),
        "Replicas: floor, burst and colours": _replicas(parts),
    }
    rows["The plan"] = _plan()
    if parts.gpus:
        rows["GPUs"] = _gpus()
    if parts.prices:
        rows["Cost"] = _cost()
    answers = "Everything about one model. What the plan says stands beside what is measured, dashed."
    return framed(
        MODEL_DASHBOARD,
        "vLLM: model",
        answers,
        [choice("model", "Model", "model:floor_replicas:plan", several=False)],
        rows,
        parts.runbooks,
    )


def _series(record: str, more: str = "") -> str:
    return f"{record}{{{OF_MODEL}{more}}}"


def _of_pods(metric: str, legend: str = "{{pod}}", more: str = "") -> Query:
    return Query(f"sum by (pod) ({_series(metric, more)})", legend)


def _now(parts: Parts) -> list[Panel]:
    firing = f'count(ALERTS{{alertstate="firing",severity=~"critical|warning",{OF_MODEL}}}) or vector(0)'
    panels = [
        figure("Alerts firing", firing, "none", "Critical and warning, of this model.", limits=(1, 5)),
        figure(
            "Replicas ready",
            _series("model:replicas_ready:count"),
            "none",
            "Pods that answer, of both tiers.",
            limits=(1, 0.5),
            alerts=["ModelDown"],
        ),
        figure("Requests", _series("model:requests:rate5m"), "reqps", "Finished by its engines, a second."),
        figure(
            "Failed",
            _series("model:failed_requests:ratio_rate5m"),
            "percentunit",
            "Share with a status of 500 and above.",
            limits=(0.01, 0.05),
            alerts=["ErrorRatioHigh"],
        ),
        figure(
            "First token, 95%",
            _series("model:time_to_first_token_seconds:quantile5m", ',quantile="0.95"'),
            "s",
            "95 of 100 requests had it by then.",
        ),
    ]
    if parts.prices:
        answers = "Its share of the nodes that it runs on, at the plan's prices."
        panels.append(figure("Cost an hour", f"sum({_series('model:cost:usd_per_hour')})", "currencyUSD", answers))
    return panels


def _latency(parts: Parts) -> list[Panel]:
    plan = {"time_to_first_token": "time_to_first_token", "request_time_per_output_token": "time_per_output_token"} if parts.speed else {}
    titles = {
        "time_to_first_token": ("Time to first token", "Waiting in the queue and reading the prompt."),
        "request_time_per_output_token": ("Time a token", "Of a request, after its first token: what a reader feels."),
        "inter_token_latency": (
            "Between two tokens",
            "Every single pause; a long one is a prompt of another request that is read meanwhile.",
        ),
        "e2e_request_latency": ("Whole request", "From its arrival at the engine to its last token."),
        "request_queue_time": ("Waiting in the queue", "Before the engine takes it up. The lowest bucket ends at 0.3 s."),
    }
    panels = []
    for latency, (title, answers) in titles.items():
        record = f"model:{latency}_seconds:quantile5m"
        queries = [Query(_series(record, f',quantile="{quantile}"'), legend) for quantile, legend in _QUANTILES.items()]
        if latency in plan:
            queries.append(Query(_series(f"model:{plan[latency]}_seconds:plan"), "plan", dashed=True))
        panels.append(graph(title, queries, "s", answers))
    finished = Query(f"sum by (finished_reason) (rate({_series('vllm:request_success_total')}[5m]))", "{{finished_reason}}")
    answers = "stop: the model was done. length: cut off at max_tokens or the context. abort: the client left."
    panels.append(graph("How requests end", finished, "reqps", answers, stacked=True))
    return panels


def _objectives() -> list[Panel]:
    left = Query(_series("model:slo_budget_left:ratio30d"), "{{slo}}")
    missed = [
        Query(_series("model:slo_failures:ratio1h"), "{{slo}}, of the last hour"),
        Query(f"1 - {_series('model:slo_objective:plan')}", "{{slo}}, allowed", dashed=True),
    ]
    burns = ["ErrorBudgetBurnsFast", "ErrorBudgetBurnsSlowly"]
    answers = "Of 30 days. At 0 as many requests have missed the objective as may miss it; below, more have."
    return [
        graph("Error budget left", left, "percentunit", answers, alerts=burns, width=12, least=None, most=1),
        graph(
            "Requests that miss an objective", missed, "percentunit", "Beside the share that the objective allows.", alerts=burns, width=12
        ),
    ]


def _requests(parts: Parts) -> list[Panel]:
    buckets = {kind: f"sum by (le) (rate({_series(f'vllm:request_{kind}_tokens_bucket')}[5m]))" for kind in ("prompt", "generation")}
    tokens = [
        Query(_series("model:prompt_tokens:rate5m"), "read"),
        Query(_series("model:generation_tokens:rate5m"), "written"),
    ]
    if parts.speed:
        ready, each = _series("model:replicas_ready:count"), _series("model:generation_tokens_per_replica:plan")
        tokens.append(Query(f"{ready} * on (model) {each}", "plan, written by these replicas", dashed=True))
    panels = [
        graph(
            "Tokens",
            tokens,
            "suffix:tok/s",
            "Read and written, beside what the plan says that these replicas can write.",
            alerts=["EngineStuck"],
        ),
        heat("Length of prompts", buckets["prompt"], "none", "In tokens. Compare it with engine.maxModelLen.", width=8),
        heat("Length of answers", buckets["generation"], "none", "In tokens.", width=8),
    ]
    if parts.gateway:
        by_client = Query(f"sum by (client) ({_series('client:requests:rate5m')})", "{{client}}")
        panels.append(graph("Requests by client", by_client, "reqps", "As the gateway counts them.", width=12, stacked=True))
        by_status = Query(f"sum by (status) (rate({_series('envoy_gateway_requests_total')}[5m]))", "{{status}}")
        panels.append(graph("Answers by status", by_status, "reqps", "What clients of this model were told.", width=12, stacked=True))
    return panels


def _engines() -> list[Panel]:
    target = Query(_series("model:requests_in_flight:plan"), "plan, a replica", dashed=True)
    return [
        graph(
            "Running",
            [_of_pods("vllm:num_requests_running"), target],
            "none",
            "Requests in each engine's batch, beside what scaling aims for.",
        ),
        graph("Waiting", _of_pods("vllm:num_requests_waiting"), "none", "Requests in each engine's queue.", alerts=["QueueBacklog"]),
        graph(
            "KV cache",
            _of_pods("vllm:kv_cache_usage_perc"),
            "percentunit",
            "Of each replica. Full: requests wait, or are taken out and computed again.",
            limits=(0.9, 0.97),
            alerts=["KvCacheSaturated"],
            most=1,
        ),
        graph(
            "Prefix cache hits",
            Query(_series("model:prefix_cache_hits:ratio_rate5m"), "of all prompt tokens"),
            "percentunit",
            "Share of prompt tokens that no engine had to compute. It falls when requests of one conversation go to different replicas.",
            most=1,
        ),
        graph(
            "Computed again",
            Query(_series("model:preemptions:rate5m"), "preemptions"),
            "suffix:/s",
            "Requests that lost their KV cache to others and start anew. Should be 0.",
            alerts=["PreemptionsHigh"],
        ),
        graph(
            "Refused by full engines",
            Query(_series("model:admission_rejections:rate5m"), "rejections"),
            "reqps",
            "Requests that found the queue at its limit.",
            alerts=["AdmissionRejections"],
        ),
    ]


def _replicas(parts: Parts) -> list[Panel]:
    count = _series("model:replicas:count")
    replicas = [
        Query(f"sum by (tier, capacity) ({count})", "{{tier}} on {{capacity}}"),
        Query(_series("model:floor_replicas:plan"), "floor", dashed=True),
        Query(_series("model:ceiling_replicas:plan"), "ceiling", dashed=True),
    ]
    tiers = Query(f"sum by (tier) (rate({_series('vllm:generation_tokens_total')}[5m]))", "{{tier}}")
    restarts = Query(f"sum by (pod) (kube_pod_container_status_restarts_total{{{_NAMESPACE}}})", "{{pod}}")
    pending = Query(f'sum(kube_pod_status_phase{{{_NAMESPACE},phase="Pending"}})', "pods")
    width = 6 if parts.gateway else 12
    panels = [
        graph(
            "Replicas",
            replicas,
            "none",
            "The floor on nodes that stay, the burst on those that may be taken away.",
            alerts=["ModelBelowFloor", "ModelAtMaxReplicas"],
        ),
        graph(
            "Pending",
            pending,
            "none",
            "Pods that wait for a node, for an image or for weights.",
            alerts=["PodPendingTooLong", "StartupOverBudget"],
        ),
        graph(
            "Restarts",
            restarts,
            "none",
            "Of containers, since the pod exists. A step is a crash or a full memory.",
            alerts=["PodCrashLooping", "PodOutOfMemory"],
        ),
        graph("Tokens written by tier", tiers, "suffix:tok/s", "How much of the work the burst does.", width=width, stacked=True),
        graph(
            "On spot nodes",
            Query(_series("model:spot_replicas:ratio"), "of the replicas"),
            "percentunit",
            "Replicas that disappear when spot capacity is reclaimed.",
            width=width,
            most=1,
        ),
    ]
    return [*panels, *(_at_the_gateway(width) if parts.gateway else [])]


def _at_the_gateway(width: int) -> list[Panel]:
    colours = Query(f"sum by (colour) (rate({_series('envoy_gateway_requests_total')}[5m]))", "{{colour}}")
    healthy = [
        Query(_series("model:gateway_healthy_replicas:max"), "healthy to the gateway"),
        Query(_series("model:replicas_ready:count"), "ready to Kubernetes"),
    ]
    answers = "Where the gateway sends them while weights change from blue to green."
    same, alerts = "Both should be the same, but for some seconds.", ["ModelMetricsMissing"]
    return [
        graph("Requests by colour", colours, "reqps", answers, width=width, stacked=True),
        graph("Healthy replicas", healthy, "none", same, alerts=alerts, width=width),
    ]


def _plan() -> list[Panel]:
    ratio = Query(_series("model:estimate:ratio"), "{{figure}}")
    short = Query(_series("model:replicas_with_less_kv_cache:count"), "replicas")
    answers = "1: as planned. Speed only while the load is like the planned one."
    return [
        graph("Measured over planned", ratio, "none", answers, alerts=["EstimateOff"], width=12),
        graph("Less KV cache than planned", short, "none", "Should be 0.", alerts=["KvCacheBelowPlan"], width=12),
    ]


def _gpus() -> list[Panel]:
    def of_gpus(metric: str, scale: str = "") -> Query:
        return Query(f"max by (pod, gpu) ({metric}{{{_NAMESPACE}}}){scale}", "{{pod}} GPU {{gpu}}")

    used = f"max by (pod, gpu) (DCGM_FI_DEV_FB_USED{{{_NAMESPACE}}})"
    free = f"max by (pod, gpu) (DCGM_FI_DEV_FB_FREE{{{_NAMESPACE}}})"
    return [
        graph("Busy", of_gpus("DCGM_FI_DEV_GPU_UTIL", " / 100"), "percentunit", "Time in which a kernel ran.", most=1),
        graph("Tensor cores", of_gpus("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"), "percentunit", "High while prompts are read.", most=1),
        graph(
            "Memory used",
            Query(f"{used} / ({used} + {free})", "{{pod}} GPU {{gpu}}"),
            "percentunit",
            "vLLM takes its share at the start.",
            most=1,
        ),
    ]


def _cost() -> list[Panel]:
    hourly = Query(f"sum by (capacity) ({_series('model:cost:usd_per_hour')})", "{{capacity}}")
    per_million = [
        Query(_series("model:cost_per_million_output_tokens:usd1h"), "output tokens"),
        Query(_series("model:cost_per_million_tokens:usd1h"), "input and output tokens"),
    ]
    return [
        graph("Cost an hour", hourly, "currencyUSD", "Its share of the nodes that it runs on.", width=12, stacked=True),
        graph("Cost of a million tokens", per_million, "currencyUSD", "Of the last hour. Dear where replicas have little to do.", width=12),
    ]
