"""One hour's budget among several bursts, and why what nodes cost is no reason to scale: Prometheus' own evaluation says so."""

from __future__ import annotations

import math
from typing import Any

import pytest

from components.observability.metrics import catalogue
from components.observability.rules import Recording
from components.observability.spending import burst_budgets
from components.observability.stack import model_groups, shared_groups
from components.serving.scaling import scaled_object_spec
from planning.burst_budget import most_gpus
from planning.plan import Plan, make_plan
from tests.promql import selected
from tests.stacks import REVISION, settings
from tests.unit.alert_series import EVER, Series
from tests.unit.test_alerts import evaluated, scenario


def model(priority: int, floor: int = 1, ceiling: int = 5) -> dict[str, Any]:
    scaling = {"floor": floor, "ceiling": ceiling, "priority": priority}
    return {"source": "Qwen/Qwen3-0.6B", "revision": REVISION, "nodePool": "l4", "engine": {"maxModelLen": 2048}, "scaling": scaling}


# Three floors at 1 $ and 0.10 $ for the cluster always run; 2 $ are left, for bursts at 0.50 $ each.
STACK: dict[str, Any] = {
    "vllm-platform:models": {"low": model(1), "high": model(200), "middle": model(100)},
    "nodePools.l4": {"machineType": "g2-standard-12", "onDemand": {"max": 4}, "spot": {"max": 20}},
    "budget": {
        "hourlyUsd": 5.1,
        "prices": {"g2-standard-12": {"onDemandUsdPerHour": 1, "spotUsdPerHour": 0.5}, "e2-standard-4": {"onDemandUsdPerHour": 0}},
    },
}


def planned() -> tuple[Any, Plan]:
    stack = settings(STACK)
    return stack, make_plan(stack)


def test_a_month_at_the_ceiling_costs_no_more_than_the_hours_that_are_paid():
    _, plan = planned()
    assert plan.cost.total.ceiling == pytest.approx(5.1 * 730)
    assert plan.cost.models["high"].monthly.ceiling == pytest.approx((1 + 4 * 0.5) * 730)
    by_hand = make_plan(settings(STACK | {"platform.autoscaler": {"enabled": False}}))
    assert by_hand.cost.total.ceiling == pytest.approx((3.1 + 12 * 0.5) * 730), "nothing shares the budget among the bursts"


def test_a_ceiling_that_is_cut_costs_what_is_left_of_it():
    plan = make_plan(settings(STACK | {"budget.hourlyUsd": 4.1, "budget.onExceed": "warn"}))
    assert {name: one.burst for name, one in plan.models.items()} == dict.fromkeys(("low", "high", "middle"), 2)
    assert plan.cost.models["high"].monthly.ceiling == pytest.approx((1 + 2 * 0.5) * 730)
    assert plan.cost.models["high"].monthly.expected == pytest.approx((1 + 2 * 0.5 * 0.25) * 730)
    assert plan.cost.total.ceiling == pytest.approx(4.1 * 730)
    assert plan.cost.total.expected == pytest.approx((3.1 + 6 * 0.5 * 0.25) * 730)


def wanted(**bursts: int) -> Series:
    return {f'model:burst_replicas:wanted{{model="{name}"}}': f"{count}{EVER}" for name, count in bursts.items()}


# Burst replicas that are wanted, and those that are paid for: high, middle, low.
SHARED: dict[str, tuple[Series, tuple[int, int, int]]] = {
    "enough for all": (wanted(high=1, middle=1, low=1), (4, 3, 2)),
    "the first takes all": (wanted(high=4, middle=4, low=4), (4, 0, 0)),
    "the first leaves some": (wanted(high=1, middle=4, low=4), (4, 3, 0)),
    "the first wants nothing": (wanted(high=0, middle=2, low=4), (4, 4, 2)),
    "what is not known takes nothing": (wanted(middle=1), (4, 4, 3)),
}


@pytest.mark.parametrize("name", SHARED)
def test_an_hours_budget_goes_to_the_models_by_their_priority(name, tmp_path):
    series, expected = SHARED[name]
    checks = [
        {"expr": f'max(model:burst_replicas:budget{{model="{one}"}})', "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": paid}]}
        for one, paid in zip(("high", "middle", "low"), expected, strict=True)
    ]
    evaluated(tmp_path, burst_budgets(*planned()), "15s", scenario(name, "15s", series, *checks))


def test_what_is_paid_for_never_costs_more_than_is_left(tmp_path):
    spent = "0.5 * sum(model:burst_replicas:budget < model:burst_replicas:wanted or model:burst_replicas:wanted)"
    series = wanted(high=3, middle=3, low=3)
    check = {"expr": f"{spent} <= bool 2", "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": 1}]}
    evaluated(tmp_path, burst_budgets(*planned()), "15s", scenario("spent", "15s", series, check))


def test_no_floor_has_a_part_in_it():
    stack, plan = planned()
    assert [one.floor for one in plan.models.values()] == [1, 1, 1]
    groups = [*shared_groups(stack, plan), *(group for name in plan.models for group in model_groups(stack, plan, name))]
    readers = [
        rule.record for group in groups for rule in group.rules if isinstance(rule, Recording) and "burst_replicas:budget" in rule.expr
    ]
    assert {one for one in readers if not one.startswith("model:budget_left")} == {"model:burst_replicas:desired"}


def test_a_limit_that_pays_a_ceiling_in_part_cuts_it_where_it_only_warns():
    changes = STACK | {"budget": STACK["budget"] | {"hourlyUsd": 4.2, "onExceed": "warn"}}
    plan = make_plan(settings(changes))
    assert {one.burst for one in plan.models.values()} == {2}
    assert [one.path for one in plan.warnings if "hourlyUsd" in one.message] == [
        f"models.{name}.scaling.ceiling" for name in sorted(plan.models)
    ]


def hpa(metric: float, target: float, least: int, most: int) -> int:
    """Replicas of an External metric of type AverageValue (pkg/controller/podautoscaler/replica_calculator.go)."""
    return min(most, max(least, math.ceil(metric / target)))


@pytest.mark.parametrize(("target", "ends"), [(0.8, 20), (2.5, 1)])
def test_a_cost_per_replica_as_a_signal_would_run_to_the_ceiling_or_to_the_floor(target, ends):
    """Its value is the replicas times their price: they only ask for themselves, whatever the load."""
    price, replicas = 1.0, 6
    for _ in range(50):
        replicas = hpa(replicas * price, target, 1, 20)
    assert replicas == ends


def test_what_nodes_cost_is_recorded_and_no_scaler_reads_it():
    stack, plan = planned()
    rules = [rule for group in [*shared_groups(stack, plan), *model_groups(stack, plan, "low")] for rule in group.rules]
    made = {rule.record: rule.expr for rule in rules if isinstance(rule, Recording)}
    assert "cloud_provider_cost_per_hour" in made
    queries = [one["metadata"]["query"] for one in scaled_object_spec(stack.models["low"], plan.models["low"], "burst")["triggers"]]
    reached = {name for query in queries for name in selected(query)}
    assert reached <= set(catalogue([rule for rule in rules if isinstance(rule, Recording)], (), ()))
    new = reached
    while new := {name for one in new for name in selected(made[one]) if one in made} - reached:
        reached |= new
        new = {one for one in new if one in made}
    # The hourly budget makes fewer of them, and reads the plan's prices, not what runs.
    assert not [name for name in reached if "cost" in name]


@pytest.mark.parametrize(
    ("floor", "burst", "gpus", "stand_ins", "most"),
    [(1, 0, 1, False, 2), (2, 4, 1, False, 8), (1, 1, 4, False, 16), (2, 4, 1, True, 13), (0, 2, 2, False, 6)],
)
def test_a_models_namespace_has_gpus_for_its_replicas_and_for_those_that_change(floor, burst, gpus, stand_ins, most):
    assert most_gpus(floor, burst, gpus, stand_ins=stand_ins) == most
