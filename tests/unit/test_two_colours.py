"""Rules, alerts and dashboards with a candidate beside the live colour: each is seen and scaled by itself, and no query breaks."""

from __future__ import annotations

from functools import cache
from typing import Any

from components.observability.capacity import POD_LABELS, node_labels
from components.observability.dashboards.stack import dashboards
from components.observability.judgement import queries
from components.observability.metrics import catalogue
from components.observability.rules import Alert, Group, Recording
from components.observability.stack import model_groups, shared_groups
from planning.plan import Plan, make_plan
from tests.promql import labels_of
from tests.stacks import settings
from tests.unit.alert_series import EVER, MODEL, Series
from tests.unit.scaling_series import Load, cluster, counter
from tests.unit.test_alerts import evaluated, scenario
from tests.unit.test_scaling_rules import value
from tests.unit.wrong_rollouts import candidate

CANDIDATE = f"{MODEL}-candidate"
STACK: dict[str, Any] = {
    "nodePools.l4": {"machineType": "g2-standard-12", "onDemand": {"min": 2, "max": 6}, "spot": {"max": 40}},
    "models.qwen3-8b.scaling": {"floor": 1, "ceiling": 20},
    "models.qwen3-8b.slo": {"ttftSeconds": 2.5},
    "budget": {"hourlyUsd": 500, "onExceed": "warn"},
    **candidate({"engine": {"maxModelLen": 4096}}, weight=50),
}


@cache
def groups() -> tuple[Plan, tuple[Group, ...]]:
    stack = settings(STACK)
    plan = make_plan(stack)
    return plan, (*shared_groups(stack, plan), *model_groups(stack, plan, MODEL))


def known() -> dict[str, frozenset[str]]:
    plan, found = groups()
    recordings = [rule for group in found for rule in group.rules if isinstance(rule, Recording)]
    return catalogue(recordings, node_labels(plan.pools), POD_LABELS)


def test_rules_and_alerts_name_what_exists():
    series = known()
    for group in groups()[1]:
        for rule in group.rules:
            carried = labels_of(rule.expr, series) | set(rule.labels)
            assert isinstance(rule, Alert) or carried == frozenset(rule.carries), rule


def test_dashboards_ask_for_what_exists():
    plan, _ = groups()
    series = known()
    for board in dashboards(settings(STACK), plan).values():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                labels_of(target["expr"], series)


def of_candidate(series: Series) -> Series:
    """As its PodMonitor labels them, from pods of its own."""
    return {one.replace(f'model="{MODEL}"', f'model="{CANDIDATE}"').replace('pod="', f'pod="{MODEL}-green-floor-1-'): values
            for one, values in series.items()}  # fmt: skip


BUSY, IDLE = Load(requests=6, running=60, colours=["blue"], pods=["a"]), Load(requests=0, colours=["green"], pods=["a"])
LABEL = f'label_vllm_platform_model="{MODEL}"'


def both(live: Load, green: Load) -> Series:
    gateway = live.gateway() | green.gateway()
    pods = {one.replace('pod="a"', f'pod="{MODEL}-green-floor-1-a"').replace('uid="a"', 'uid="g"'): values
            for one, values in cluster("a").items() if 'pod="' in one and "up{" not in one}  # fmt: skip
    assert any(LABEL in one for one in pods), "kube-state-metrics knows the model's label alone"
    return cluster("a") | pods | gateway | live.engines() | of_candidate(green.engines())


def test_each_colour_scales_by_its_own_load_and_floor(tmp_path):
    busy, idle = MODEL, CANDIDATE
    needed = [group for group in groups()[1] if group.name.startswith(("scaling-", "model-replicas"))]
    expected = [
        value(f'max(model:burst_replicas:desired{{model="{idle}"}})', "20m", 0),
        value(f'max(model:burst_replicas:desired{{model="{busy}"}}) > bool 1', "20m", 1),
        *(value(f'sum(model:floor_ready:count{{model="{key}"}})', "20m", 1) for key in (busy, idle)),
        *(value(f'count({record}{{model="{key}"}})', "20m", 1) for key in (busy, idle)
          for record in ("model:burst_replicas:desired", "model:replicas_wanted:law", "model:replicas_ready:count")),
    ]  # fmt: skip
    evaluated(tmp_path, needed, "15s", scenario("two colours", "15s", both(BUSY, IDLE), *expected))


def test_a_busy_candidate_leaves_the_live_colour_alone(tmp_path):
    live = Load(requests=0, colours=["blue"], pods=["a"])
    green = Load(requests=6, running=60, colours=["green"], pods=["a"])
    needed = [group for group in groups()[1] if group.name.startswith(("scaling-", "model-replicas"))]
    expected = [
        value(f'max(model:burst_replicas:desired{{model="{MODEL}"}})', "20m", 0),
        value(f'max(model:burst_replicas:desired{{model="{CANDIDATE}"}}) > bool 1', "20m", 1),
    ]
    evaluated(tmp_path, needed, "15s", scenario("a busy candidate", "15s", both(live, green), *expected))


def test_the_gates_queries_have_one_element_each_and_count_the_candidates_own(tmp_path):
    asked = queries(groups()[0].candidates[MODEL], 15)
    series: Series = {}
    for pod in ("g1", "g2"):
        for colour, status, each in (("green", "200", 0.99), ("green", "503", 0.01), ("blue", "500", 5)):
            who = f'namespace="gateway",pod="{pod}",client="team-a",model="{MODEL}",colour="{colour}",status="{status}"'
            series[f"envoy_gateway_requests_total{{{who}}}"] = counter(each)
    for key, edge in ((MODEL, "0.5"), (CANDIDATE, "1.0")):
        for pod in ("a", "b"):
            for le, rate in (("0.25", 0), (edge, 1), ("+Inf", 1)):
                who = f'namespace="model-qwen3-8b",pod="{key}-{pod}",model="{key}",model_name="{MODEL}",engine="0",le="{le}"'
                series[f"vllm:time_to_first_token_seconds_bucket{{{who}}}"] = counter(rate) if rate else f"0{EVER}"
    expected = [
        value(f"round({asked['requests']})", "30m", 2 * 15 * 60),
        value(f"round({asked['errors']}, 0.001)", "30m", 0.01),
        value(f"round({asked['ttft']}, 0.01)", "30m", 0.96),  # 95 % of the way from 0.25 to 1
        value(f"round({asked['live_ttft']}, 0.01)", "30m", 0.49),
        value(f"count({asked['ttft']})", "30m", 1),
    ]
    evaluated(tmp_path, [], "15s", scenario("the gate", "15s", series, *expected))
