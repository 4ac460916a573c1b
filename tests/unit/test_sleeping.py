"""A model that sleeps has no replica while nobody asks, and one from the request on that wakes it: Prometheus' own evaluation says so."""

from __future__ import annotations

from functools import cache

import pytest
from rich.console import Console

from components.observability.rules import Group
from components.observability.stack import model_groups, shared_groups
from components.serving.scaling import scaled_object_spec
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.alert_series import EVER, MODEL, Series
from tests.unit.scaling_series import cluster
from tests.unit.test_alerts import evaluated, scenario
from tests.unit.test_scaling_rules import DESIRED, value
from tools.preview.tables import sleep_table

STACK = {"models.qwen3-8b.scaling": {"floor": 0, "ceiling": 3, "scaleToZero": True, "sleepAfterSeconds": 600}}
CLUSTER = f'namespace="gateway",pod="g",envoy_cluster_name="{MODEL}/blue"'
ALIVE = {'envoy_server_live{namespace="gateway",pod="g"}': f"1{EVER}"} | cluster()


@cache
def groups() -> list[Group]:
    stack = settings(STACK)
    plan = make_plan(stack)
    found = [*shared_groups(stack, plan), *model_groups(stack, plan, MODEL)]
    return [group for group in found if group.name.startswith(("scaling-", "model-replicas", "model-errors", "slo-"))]


def refused(values: str) -> Series:
    return {f"envoy_cluster_upstream_cx_none_healthy{{{CLUSTER}}}": values}


def served(values: str) -> Series:
    return {f"envoy_cluster_upstream_rq_total{{{CLUSTER}}}": values}


# name: (series, burst replicas by time)
CASES: dict[str, tuple[Series, dict[str, int]]] = {
    "nobody has ever asked": ({}, {"5m": 0, "60m": 0}),
    # Envoy shows no counter before its first event: 20 minutes of nothing, then 1.
    "the first request of all wakes it, and it sleeps again": (refused(f"_x80 1{EVER}"), {"19m": 0, "21m": 1, "29m": 1, "32m": 0}),
    "a later request wakes it again": (refused(f"5x80 6{EVER}"), {"19m": 0, "21m": 1, "32m": 0}),
    "who is served keeps it awake": (served("0x40 1x100 2x100 3x30"), {"9m": 0, "12m": 1, "30m": 0, "37m": 1}),
    "an answer that takes long keeps it awake": (
        served(f"1{EVER}") | {f"envoy_cluster_upstream_rq_active{{{CLUSTER}}}": "1x200 0x60"}, {"40m": 1, "55m": 0},
    ),
    # A gateway pod that is replaced counts from 0 again.
    "a gateway pod that restarts wakes nobody": (refused("9x80 _x8 stale"), {"19m": 0, "25m": 0}),
    "a scrape that breaks takes no replica away": (
        served("0+1x100 stale") | {'envoy_server_live{namespace="gateway",pod="g"}': "1x100 stale"}, {"20m": 1, "45m": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_has_a_replica_only_while_somebody_asks(name, tmp_path):
    series, expected = CASES[name]
    evaluated(
        tmp_path, groups(), "15s", scenario(name, "15s", ALIVE | series, *(value(DESIRED, at, count) for at, count in expected.items()))
    )


def answers(status: str, values: str) -> Series:
    who = f'namespace="gateway",pod="g",client="team-a",model="{MODEL}",colour="blue"'
    return {f'envoy_gateway_requests_total{{{who},status="{status}"}}': values}


# name: (series, (requests, failures) a second of slo.availability by time). It has 1010 s to start on a new node.
COUNTED: dict[str, tuple[Series, dict[str, tuple[float, float]]]] = {
    "nobody has ever asked": ({}, {}),
    "who wakes it is not counted, who is served then is": (
        refused(f"_x40 1+1x40 41{EVER}") | answers("waking", f"_x40 1+1x40 41{EVER}") | answers("200", f"0x80 0+3{EVER}"),
        {"15m": (0, 0), "19m": (0, 0), "30m": (0.2, 0)},
    ),
    "a failure is one": (
        refused(f"_x40 1+1x40 41{EVER}") | answers("waking", f"_x40 1+1x40 41{EVER}") | answers("503", f"0x80 0+3{EVER}"),
        {"15m": (0, 0), "30m": (0.2, 0.2)},
    ),
    "what should have woken long ago has failed": (
        refused(f"_x40 1+3{EVER}") | answers("waking", f"_x40 1+3{EVER}"), {"25m": (0, 0), "35m": (0.2, 0.2)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_an_answer_that_wakes_it_is_no_failure_unless_it_does_not_wake(name, tmp_path):
    series, expected = COUNTED[name]
    samples = [
        value(f'sum(model:slo_{record}:rate5m{{slo="availability"}})', at, count)
        for at, counts in expected.items()
        for record, count in zip(("requests", "failures"), counts, strict=True)
    ]
    evaluated(tmp_path, groups(), "15s", scenario(name, "15s", ALIVE | series, *samples))


def test_an_answer_that_wakes_it_is_in_no_share_of_failures(tmp_path):
    ratio = f'model:failed_requests:ratio_rate5m{{model="{MODEL}"}}'
    series = answers("waking", f"0+9{EVER}") | answers("503", f"0+1{EVER}") | answers("200", f"0+3{EVER}")
    evaluated(tmp_path, groups(), "15s", scenario("", "15s", ALIVE | series, value(f"sum({ratio})", "10m", 0.25)))


def test_keda_may_take_its_last_replica_but_not_where_the_query_fails():
    stack = settings(STACK)
    spec = scaled_object_spec(stack.models[MODEL], make_plan(stack).models[MODEL], "burst")
    assert spec["minReplicaCount"] == 0
    assert spec["fallback"]["replicas"] == 1
    awake = settings({"models.qwen3-8b.scaling": {"floor": 0, "ceiling": 3}})
    assert scaled_object_spec(awake.models[MODEL], make_plan(awake).models[MODEL], "burst")["minReplicaCount"] == 1


def test_the_preview_says_what_the_first_request_waits_and_what_sleep_saves():
    plan = make_plan(settings(STACK | {"budget.prices": {"g2-standard-12": {"spotUsdPerHour": 0.4}}}))
    console = Console(width=160, record=True)
    console.print(sleep_table(plan, [MODEL]))
    text = console.export_text()
    assert f"{plan.models[MODEL].startup.expected:,.0f} s" in text
    assert "$292" in text, "730 hours of a spot node with one GPU at $0.40"
    assert "$0.40" in text
