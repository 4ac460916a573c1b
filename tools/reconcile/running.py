"""What models really do, as Prometheus has recorded it: KV cache, start-up, cost now, and the busiest five minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from components.naming import model_namespace
from tools.reconcile.prometheus import Prometheus, Series

INTERVAL_SECONDS = 300
# Requests in flight at a replica below which an interval says nothing of its speed.
_LEAST_IN_FLIGHT = 0.5


@dataclass(frozen=True)
class Interval:
    """Some minutes of a model. Of one replica; means, in seconds."""

    end: float
    replicas: float
    in_flight: float
    prompt_tokens: float
    output_tokens: float
    output_tokens_per_second: float
    ttft: float
    tpot: float


@dataclass(frozen=True)
class Running:
    """What is known of a model; None where Prometheus says nothing."""

    kv_cache_tokens: float | None
    """Of a replica's data parallel rank: the least there is."""
    startup_seconds: float | None
    """From being given a node to being ready; the median of its replicas."""
    usd_per_hour: float | None
    busiest: Interval | None


def read_running(prometheus: Prometheus, models: Iterable[str], hours: float, interval: int = INTERVAL_SECONDS) -> dict[str, Running]:
    """By model. `hours`: how far back the busiest interval is looked for; `interval`: how long one is, in seconds.

    Raises:
        Unanswered: Prometheus cannot be asked.
    """
    names = list(models)
    kv_cache = _kv_cache(prometheus.now("vllm:cache_config_info"))
    startups = _startups(prometheus, names)
    costs = {one.labels.get("model", ""): one.value for one in prometheus.now("sum by (model) (model:cost:usd_per_hour)")}
    intervals = _intervals(prometheus, hours, interval)
    return {
        name: Running(
            kv_cache_tokens=kv_cache.get(name),
            startup_seconds=startups.get(name),
            usd_per_hour=costs.get(name),
            busiest=max(intervals.get(name, []), key=lambda one: one.in_flight, default=None),
        )
        for name in names
    }


def _kv_cache(series: Iterable[Series]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in series:
        size = one.labels.get("kv_cache_size_tokens", "")
        if size.replace(".", "", 1).isdigit():
            name = one.labels.get("model", "")
            found[name] = min(found.get(name, math.inf), float(size))
    return found


def _startups(prometheus: Prometheus, models: Iterable[str]) -> dict[str, float]:
    expr = "kube_pod_status_ready_time - on (namespace, pod) kube_pod_status_scheduled_time"
    by_namespace: dict[str, list[float]] = {}
    for one in prometheus.now(expr):
        by_namespace.setdefault(one.labels.get("namespace", ""), []).append(one.value)
    return {name: median(found) for name in models if (found := by_namespace.get(model_namespace(name)))}


def _intervals(prometheus: Prometheus, hours: float, seconds: int) -> dict[str, list[Interval]]:
    over, end = f"{seconds}s", time.time()
    in_flight = f"avg_over_time(vllm:num_requests_running[{over}]) + avg_over_time(vllm:num_requests_waiting[{over}])"
    queries = {
        "replicas": "count by (model) (count by (model, pod) (vllm:num_requests_running))",
        "in_flight": f"sum by (model) ({in_flight})",
        "output_tokens_per_second": f"sum by (model) (rate(vllm:generation_tokens_total[{over}]))",
        "prompt_tokens": _mean("vllm:request_prompt_tokens", over),
        "output_tokens": _mean("vllm:request_generation_tokens", over),
        "ttft": _mean("vllm:time_to_first_token_seconds", over),
        "tpot": _mean("vllm:request_time_per_output_token_seconds", over),
    }
    answers = {name: prometheus.between(expr, end - int(hours * 3600 / seconds) * seconds, end, seconds) for name, expr in queries.items()}
    values: dict[tuple[str, float], dict[str, float]] = {}
    for name, series in answers.items():
        for one in series:
            for at, value in one.points.items():
                values.setdefault((one.labels.get("model", ""), at), {})[name] = value
    found: dict[str, list[Interval]] = {}
    for (model, at), of in values.items():
        if interval := _interval(at, of, queries.keys()):
            found.setdefault(model, []).append(interval)
    return found


def _interval(at: float, values: dict[str, float], wanted: Iterable[str]) -> Interval | None:
    """None where a figure is missing, or where hardly anything ran."""
    if any(not values.get(name, 0) > 0 for name in wanted):
        return None
    replicas = values["replicas"]
    if values["in_flight"] / replicas < _LEAST_IN_FLIGHT:
        return None
    share = {name: values[name] / replicas for name in ("in_flight", "output_tokens_per_second")}
    return Interval(at, **(values | share))


def _mean(histogram: str, over: str) -> str:
    return f"sum by (model) (rate({histogram}_sum[{over}])) / sum by (model) (rate({histogram}_count[{over}]))"
