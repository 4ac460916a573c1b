"""What a candidate is judged by before it gets more requests: queries of Prometheus that each have one element."""

from __future__ import annotations

from components.observability.traffic import FAILED
from planning.plan import ModelPlan

_QUANTILE = 0.95


def queries(candidate: ModelPlan, window_minutes: int) -> dict[str, str]:
    """By what they ask for. Requests and failures as the gateway counts them, times to the first token as the engines do."""
    window = f"{window_minutes}m"
    own = f'model="{candidate.name}", colour="{candidate.colour}"'
    total = f"sum(increase(envoy_gateway_requests_total{{{own}}}[{window}]))"
    failed = f"sum(increase(envoy_gateway_requests_total{{{own}, {FAILED}}}[{window}]))"
    return {
        "requests": total,
        "errors": f"({failed} or 0 * {total}) / ({total} > 0)",
        "ttft": _first_token(candidate.key, window),
        "live_ttft": _first_token(candidate.name, window),
    }


def _first_token(model: str, window: str) -> str:
    return f'histogram_quantile({_QUANTILE}, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{{model="{model}"}}[{window}])))'
