"""Recording rules result in the numbers that the series behind them add up to: Prometheus' own evaluation says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.alert_series import EVER, MODEL, SYSTEM_NODE, Series, engine, node, replica, requests
from tests.unit.test_alerts import evaluated, needed, scenario

_NODES = node() | node("s", "spot") | SYSTEM_NODE
_TTFT = "vllm:time_to_first_token_seconds_bucket"
_BUSY = (
    engine("vllm:request_success_total", f"0+60{EVER}", finished_reason="stop")
    | engine("vllm:generation_tokens_total", f"0+60000{EVER}")
    | engine("vllm:prompt_tokens_total", f"0+180000{EVER}")
    | engine("vllm:prefix_cache_queries_total", f"0+180000{EVER}")
    | engine("vllm:prefix_cache_hits_total", f"0+45000{EVER}")
    | engine(_TTFT, f"0+30{EVER}", le="0.5")
    | engine(_TTFT, f"0+60{EVER}", le="1.0")
    | engine(_TTFT, f"0+60{EVER}", le="+Inf")
)
_TOKENS = f'envoy_gateway_completion_tokens_total{{namespace="gateway",pod="g",client="team-a",model="{MODEL}",colour="blue"}}'
# An hour's cost is 100 $ on demand and 40 $ spot (tests/unit/alert_series.py), and 0.10 $ for the cluster itself.
_HOUR = 140.1

# name: (series, step, when, expression, value)
VALUES: dict[str, tuple[Series, str, str, str, float]] = {
    "requests a second": (_BUSY, "1m", "30m", "model:requests:rate5m", 1),
    "tokens a second": (_BUSY, "1m", "30m", "model:generation_tokens:rate5m", 1000),
    "share of the prompts that the cache had": (_BUSY, "1m", "30m", "model:prefix_cache_hits:ratio_rate5m", 0.25),
    "median between two edges": (_BUSY, "1m", "30m", 'model:time_to_first_token_seconds:quantile5m{quantile="0.5"}', 0.5),
    "nothing failed": (requests("200", f"0+60{EVER}"), "1m", "30m", "model:failed_requests:ratio_rate5m", 0),
    "tokens a second of a client": (
        {_TOKENS: f"0+600{EVER}"}, "1m", "30m", 'client:completion_tokens:rate5m{client="team-a"}', 10,
    ),
    "what a replica costs": (_NODES | replica(), "1m", "30m", "sum(model:cost:usd_per_hour)", 100),
    "what nobody uses": (_NODES | replica(), "1m", "30m", "sum(pool:idle_cost:usd_per_hour)", 40),
    "dollars an hour": (_NODES, "1m", "30m", "cluster:cost:usd_per_hour", _HOUR),
    "dollars an hour, by the name of others": (_NODES, "1m", "30m", 'cloud_provider_cost_per_hour{capacity="spot"}', 40),
    # 100 $ for 3.6 million tokens.
    "dollars per million tokens": (_NODES | replica() | _BUSY, "1m", "2h", "model:cost_per_million_output_tokens:usd1h", 100 / 3.6),
    "share of spot nodes": (_NODES, "1m", "30m", "pool:spot_nodes:ratio", 0.5),
    "the month so far": (_NODES, "1h", "10h", "cluster:cost_month_to_date:usd", 10 * _HOUR),
    "the month so far, Prometheus away for four hours": (
        node(values=f"1x2 _x3 1{EVER}") | node("s", "spot", f"1x2 _x3 1{EVER}") | node("s1", values=f"1x2 _x3 1{EVER}", pool=""),
        "1h", "10h", "cluster:cost_month_to_date:usd", 10 * _HOUR,
    ),
    # January has 744 hours.
    "a month begins at nothing": (_NODES, "1h", "750h", "cluster:cost_month_to_date:usd", 7 * _HOUR),
    "the whole month": (_NODES, "1h", "100h", "cluster:cost_month_forecast:usd", 744 * _HOUR),
    "a tenth of the budget is left": (
        requests("200", f"0+991{EVER}") | requests("503", f"0+9{EVER}"),
        "1m", "3h", 'model:slo_budget_left:ratio30d{slo="availability"}', 0.1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_rule_records_what_the_series_add_up_to(name, tmp_path):
    series, step, when, expression, value = VALUES[name]
    rounded: dict[str, Any] = {"expr": f"round(sum({expression}), 0.0001)", "eval_time": when}
    rounded["exp_samples"] = [{"labels": "{}", "value": round(value, 4)}]
    evaluated(tmp_path, needed(expression), step, scenario(name, step, series, rounded))
