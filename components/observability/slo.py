"""Service levels: a model's objectives as error budgets, and the alerts on how fast they burn.

Each objective is a share of requests that must be good. Every model's group records, from the plan's objectives, its requests and those
that failed the objective; what is made of them is the same for all. Windows and factors are those of Google's SRE workbook, chapter 5.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.observability.rules import Alert, Group, Recording, Severity, joined
from components.observability.traffic import FAILED, WAKING
from config.models import Model
from planning.plan import ModelPlan
from planning.service_levels import LatencyObjective, latency_objectives

_SLO = ("model", "slo")
_HISTOGRAMS = {"ttft": "vllm:time_to_first_token_seconds", "tpot": "vllm:request_time_per_output_token_seconds"}
# (factor of the budget's even pace, long window, short window, severity).
_BURNS: tuple[tuple[float, str, str, Severity], ...] = (
    (14.4, "1h", "5m", "critical"),
    (6, "6h", "30m", "critical"),
    (3, "1d", "2h", "warning"),
    (1, "3d", "6h", "warning"),
)
_BUDGET_WINDOW = "30d"
# A wide budget is never burnt 14.4 times as fast: then so large a share of failures is always one.
_ALWAYS_TOO_MANY = 0.9
# Failures in the long window below which nobody is told: of a model that is hardly used, one failure would be most of it.
_FEWEST_FAILURES = 10
_SECONDS = {"1h": 3600, "6h": 6 * 3600, "1d": 86400, "3d": 3 * 86400}


def model_service_levels(
    name: str, model: Model, *, gateway: bool, waking_seconds: int | None, candidate: ModelPlan | None = None
) -> Group:
    """`waking_seconds`: of a model that sleeps, after which it must have woken. `candidate`: what clients get from it counts as its own."""
    engines = f'model=~"{name}|{candidate.key}"' if candidate else f'model="{name}"'
    return Group(
        f"slo-{name}",
        [
            *_availability(name, model.slo.availability, engines, gateway=gateway, waking_seconds=waking_seconds),
            *_latencies(name, engines, latency_objectives(model), model.slo.latency_share),
        ],
    )


def _availability(model: str, objective: float, engines: str, *, gateway: bool, waking_seconds: int | None) -> Iterator[Recording]:
    """Who wakes a model is not counted, unless it should have woken long ago: then that is a failure."""
    metric, failed = ("envoy_gateway_requests_total", FAILED) if gateway else ("http_requests_total", 'status="5xx"')

    def rate(*more: str) -> str:
        matchers = ",".join([f'model="{model}"' if gateway else engines, *more])
        return f"sum(rate({metric}{{{matchers}}}[5m]))"

    total, failures = rate(), f"({rate(failed)} or 0 * {rate()})"
    if waking_seconds is not None:
        wanted = f'max(min_over_time(model:burst_replicas:desired{{model="{model}"}}[{waking_seconds}s])) > 0'
        total = f"{total} - ({rate(WAKING)} unless {wanted} or 0 * {total})"
        failures = f"{failures} + ({rate(WAKING)} and {wanted} or 0 * {rate()})"
    yield from _recorded(model, "availability", objective, total, failures)


def _latencies(model: str, engines: str, objectives: list[LatencyObjective], share: float) -> Iterator[Recording]:
    for one in objectives:
        metric = _HISTOGRAMS[one.slo]
        total = f"sum(rate({metric}_count{{{engines}}}[5m]))"
        within = f'sum(rate({metric}_bucket{{{engines},le="{float(one.seconds)}"}}[5m]))'
        yield from _recorded(model, one.slo, share, total, f"{total} - {within}")


def _recorded(model: str, slo: str, objective: float, total: str, failures: str) -> Iterator[Recording]:
    labels = {"model": model, "slo": slo}
    yield Recording("model:slo_objective:plan", f"vector({objective:g})", _SLO, labels)
    yield Recording("model:slo_requests:rate5m", total, _SLO, labels)
    yield Recording("model:slo_failures:rate5m", failures, _SLO, labels)


def error_budgets() -> Group:
    """Windows are sums over the 5-minute rates: every request counts the same, whenever it came."""
    windows = ("30m", "1h", "2h", "6h", "1d", "3d", _BUDGET_WINDOW)
    return Group(
        "error-budgets",
        [
            Recording("model:slo_failures:ratio5m", "model:slo_failures:rate5m / (model:slo_requests:rate5m > 0)", _SLO),
            *(
                Recording(
                    f"model:slo_failures:ratio{window}",
                    f"sum_over_time(model:slo_failures:rate5m[{window}]) / (sum_over_time(model:slo_requests:rate5m[{window}]) > 0)",
                    _SLO,
                )
                for window in windows
            ),
            Recording(
                "model:slo_budget_left:ratio30d",
                f"1 - model:slo_failures:ratio{_BUDGET_WINDOW} / (1 - model:slo_objective:plan)",
                _SLO,
            ),
            *burn_alerts(),
        ],
    )


def burn_alerts() -> Iterator[Alert]:
    for severity, pace in (("critical", "Fast"), ("warning", "Slowly")):
        burns = [_burns(factor, long, short) for factor, long, short, of in _BURNS if of == severity]
        yield Alert(
            f"ErrorBudgetBurns{pace}",
            severity,
            "\nor\n".join(burns),
            "2m" if severity == "critical" else "15m",
            "{{ $labels.model }} misses its objective {{ $labels.slo }}",
            "{{ $value | humanizePercentage }} of the requests to {{ $labels.model }} miss the objective {{ $labels.slo }}: "
            + ("the budget of a month is gone within days." if severity == "critical" else "the month's budget will not last the month."),
        )


def _burns(factor: float, long: str, short: str) -> str:
    budget = f"clamp_max({factor:g} * (1 - model:slo_objective:plan), {_ALWAYS_TOO_MANY})"
    return joined(
        "(",
        f"  model:slo_failures:ratio{long} > {budget}",
        f"  and model:slo_failures:ratio{short} > {budget}",
        f"  and avg_over_time(model:slo_failures:rate5m[{long}]) * {_SECONDS[long]} > {_FEWEST_FAILURES}",
        ")",
    )
