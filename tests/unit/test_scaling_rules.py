"""What KEDA reads is what planning/scaling.py says, whatever was scraped of it: Prometheus' own evaluation says so."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest

from components.observability.rules import Group
from components.observability.stack import model_groups, shared_groups
from planning import scaling as law
from planning.plan import ModelPlan, make_plan
from tests.stacks import settings
from tests.unit.alert_series import EVER, MODEL, Series, engine
from tests.unit.scaling_series import Load, burst, cluster, counter, stops, without
from tests.unit.test_alerts import evaluated, scenario

STACK: dict[str, Any] = {
    "nodePools.l4": {"machineType": "g2-standard-12", "onDemand": {"min": 2, "max": 4}, "spot": {"max": 40}},
    "models.qwen3-8b.scaling": {"floor": 2, "ceiling": 40, "burst": "spot-preferred"},
}
FLOOR, CEILING = 2, 40
DESIRED, STAND_INS = f'max(model:burst_replicas:desired{{model="{MODEL}"}})', f'max(model:stand_ins:desired{{model="{MODEL}"}})'
ENVOY, VLLM, STATE = "envoy_", "vllm:", "kube_"
LOAD = Load(requests=4, running=40)
WELL = cluster("a", "b")


@cache
def planned() -> tuple[ModelPlan, tuple[Group, ...]]:
    stack = settings(STACK)
    plan = make_plan(stack)
    wanted = ("scaling-", "model-replicas")
    groups = [*shared_groups(stack, plan), *model_groups(stack, plan, MODEL)]
    return plan.models[MODEL], tuple(group for group in groups if group.name.startswith(wanted))


def by_formula(load: Load, *, correction: float = 1, waiting: float = 0) -> int:
    """Replicas of both tiers for a steady load."""
    target = planned()[0].scaling
    assert target
    tokens = load.requests * load.prompt
    seen = law.Load(
        load.requests, load.requests, tokens, tokens, load.prompt, load.answer, 0, load.running, waiting, len(load.pods), correction
    )
    return min(CEILING, max(FLOOR, math.ceil(round(law.wanted_replicas(target, seen), 6))))


def value(expression: str, at: str, expected: float | None) -> dict[str, Any]:
    samples = [] if expected is None else [{"labels": "{}", "value": expected}]
    return {"expr": expression, "eval_time": at, "exp_samples": samples}


# name: (series, when, burst replicas)
STEADY: dict[str, tuple[Series, str, int]] = {
    "two gateways, two colours, two replicas": (WELL | LOAD.series(), "20m", by_formula(LOAD) - FLOOR),
    "long prompts": (
        WELL | Load(1, prompt=8000, answer=20).series(), "20m", by_formula(Load(1, prompt=8000, answer=20)) - FLOOR,
    ),
    "long answers": (WELL | Load(1, answer=1500).series(), "20m", by_formula(Load(1, answer=1500)) - FLOOR),
    "nobody asks": (WELL | Load(0).series(), "20m", 0),
    "one colour, one gateway": (
        WELL | Load(4, colours=["blue"], gateways=["g1"], running=40).series(), "20m", by_formula(LOAD) - FLOOR,
    ),
    "more than the ceiling": (WELL | Load(400).series(), "20m", CEILING - FLOOR),
    "requests that are held count where hardly any come": (
        WELL | Load(0.01, running=300).series(), "20m", by_formula(Load(0.01, running=300)) - FLOOR,
    ),
    "a backlog is cleared": (
        WELL | Load(1, waiting=60).series(), "20m", by_formula(Load(1), waiting=60) - FLOOR,
    ),
    "full caches": (WELL | Load(0.1, kv_cache=1, pods=["a", "b", "c", "d"]).series(), "20m", math.ceil(4 / law.KV_SHARE) - FLOOR),
    "a floor replica is lost: the burst takes its place": (
        cluster("a", lost=["b"]) | LOAD.series(), "20m", by_formula(LOAD) - 1,
    ),
    "a floor replica that is gone altogether": (cluster("a") | LOAD.series(), "20m", by_formula(LOAD) - 1),
    "a floor replica that blinks": (
        cluster("a", "b") | {one: values.replace(f"1{EVER}", f"1x78 0x2 1{EVER}") if 'pod="b"' in one and "ready" in one else values
                             for one, values in cluster("a", "b").items()} | LOAD.series(),
        "20m", by_formula(LOAD) - FLOOR,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STEADY)
def test_the_burst_has_what_the_formula_says_less_the_floor_that_is_ready(name, tmp_path):
    series, when, expected = STEADY[name]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario(name, "15s", series, value(DESIRED, when, expected)))


def test_the_loads_of_these_tests_need_more_than_the_floor_and_less_than_the_ceiling():
    """Else the tests above would compare bounds with bounds."""
    assert FLOOR + 2 < by_formula(LOAD) < CEILING
    assert by_formula(Load(1), waiting=60) > by_formula(Load(1))


STEPS = 60  # 15 minutes


MISSING: dict[str, Series] = {
    "the gateway is not scraped: the engines' word": WELL | stops(LOAD.series(), STEPS, ENVOY),
    "the engines are not scraped: the gateway's word": WELL | stops(LOAD.series(), STEPS, VLLM),
    "kube-state-metrics is not scraped: the floor that was ready": stops(WELL, STEPS, STATE) | LOAD.series(),
    "nobody is scraped": stops(WELL | LOAD.series(), STEPS, ENVOY, VLLM, STATE),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_scrape_that_breaks_takes_no_replica_away(name, tmp_path):
    """It is held for an hour where nothing else tells; then KEDA has no answer, and keeps what there is."""
    wanted = by_formula(LOAD) - FLOOR
    expectations = [value(DESIRED, at, wanted) for at in ("14m", "16m", "20m", "60m")]
    if name == "nobody is scraped":
        expectations.append(value(DESIRED, "80m", None))
    evaluated(tmp_path, [*planned()[1]], "15s", scenario(name, "15s", MISSING[name], *expectations))


def test_without_anything_scraped_ever_there_is_no_answer_and_not_zero(tmp_path):
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("nothing", "15s", {"up": f"1{EVER}"}, value(DESIRED, "5m", None)))


def test_replicas_that_restart_change_nothing(tmp_path):
    """Their counters begin at nothing again."""
    at_once = {one: values.replace(EVER, "x50 " + values.replace(EVER, "x100")) if values.startswith("0+") else values
               for one, values in LOAD.engines().items()}  # fmt: skip
    wanted = by_formula(LOAD) - FLOOR
    checks = [value(DESIRED, at, wanted) for at in ("12m", "13m", "14m", "20m")]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("restart", "15s", WELL | LOAD.gateway() | at_once, *checks))


def test_replicas_that_start_change_nothing(tmp_path):
    """The count is absolute: what is asked for is not asked for again."""
    new = {one.replace('pod="b"', 'pod="c"'): f"_x60 {values}" for one, values in Load(0, pods=["b"]).engines().items()}
    wanted = by_formula(LOAD) - FLOOR
    checks = [value(DESIRED, at, wanted) for at in ("14m", "16m", "20m")]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("start", "15s", WELL | LOAD.series() | new, *checks))


def test_it_grows_with_the_load_at_once_and_ahead_of_it(tmp_path):
    """Twice the load after ten minutes: within a minute and a half at least what the new load needs."""
    double = {one: f"{values.replace(EVER, 'x40')} {grown(values)}" for one, values in LOAD.gateway().items()}
    target = by_formula(Load(8, running=40)) - FLOOR
    expr = f"{DESIRED} >= bool {target}"
    series = WELL | LOAD.engines() | double
    checks = [value(expr, "9m", 0), value(expr, "11m30s", 1), value(f"{DESIRED} > bool {3 * target}", "11m30s", 0)]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("growth", "15s", series, *checks))


def grown(values: str) -> str:
    step = float(values.removeprefix("0+").removesuffix(EVER))
    return f"{step * 40 + 2 * step:g}+{2 * step:g}{EVER}"


def steps(load: Load, slower: float = 1) -> Series:
    """Replicas are busy all the time, with fewer or more steps than planned."""
    target = planned()[0].scaling
    assert target
    per_output = target.sequence_seconds + target.context_seconds * (load.prompt + load.answer / 2)
    each = slower * (target.prompt_seconds + target.prompt_token_seconds * load.prompt + load.answer * per_output)
    per_second = (1 - load.requests / len(load.pods) * each) / (slower * target.step_seconds)
    found: Series = {}
    for pod in load.pods:
        found |= engine("vllm:iteration_tokens_total_count", counter(per_second), pod=pod)
    return found


def test_replicas_that_come_and_go_correct_nothing(tmp_path):
    """A counter that is new, or has ended, is a part of its window's rate only."""
    few = Load(3, running=50)
    many = Load(3 * 4, running=50 * 4, pods=("c", "d", "e", "f", "g", "h", "i", "j"))
    later = {one: f"_x80 {values.replace(EVER, 'x60')} stale" for one, values in (many.engines() | steps(many)).items()}
    correction = f'round(max(model:step_correction:avg{{model="{MODEL}"}}), 0.1)'
    checks = [value(correction, at, 1) for at in ("19m", "21m", "22m", "24m", "30m", "36m", "37m", "39m", "45m")]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("come and go", "15s", WELL | few.series() | steps(few) | later, *checks))


@pytest.mark.parametrize("slower", [1.25, 0.8])
def test_replicas_that_are_slower_or_faster_than_planned_correct_the_plan(slower, tmp_path):
    load = Load(3, running=50)
    measured = steps(load, slower)
    correction = f'round(max(model:step_correction:avg{{model="{MODEL}"}}), 0.001)'
    checks = [value(correction, "25m", slower), value(DESIRED, "25m", by_formula(load, correction=slower) - FLOOR)]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("correction", "15s", WELL | load.series() | measured, *checks))


def test_what_a_prefix_cache_holds_is_no_work(tmp_path):
    cached = Load(4, running=10)
    hits = {}
    for pod in cached.pods:
        hits |= engine("vllm:prefix_cache_queries_total", counter(2310), pod=pod) | engine(
            "vllm:prefix_cache_hits_total", counter(1155), pod=pod
        )
    less = f'max(model:prompt_tokens_arriving:rate{{model="{MODEL}", span="long"}})'
    checks = [value(f"round({less})", "20m", 4 * 1155 / 2)]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("cache", "15s", WELL | cached.series() | hits, *checks))


def test_on_demand_replicas_stand_in_for_spot_replicas_that_find_no_node_until_those_are_ready(tmp_path):
    """Three are wanted; two wait for nodes from the start until the 30th minute, and are ready in the 38th."""
    pods = burst("x", scheduled=f"0{EVER}", ready=f"1{EVER}")
    for pod in ("y", "z"):
        pods |= burst(pod, scheduled=f"1x120 0{EVER}", ready=f"0x152 1{EVER}")
    wanted = by_formula(LOAD) - FLOOR
    for pod in range(wanted - 3):
        pods |= burst(f"w{pod}", scheduled=f"0{EVER}", ready=f"1{EVER}")
    checks = [value(STAND_INS, at, count) for at, count in (("2m", 2), ("20m", 2), ("29m", 2), ("34m", 2), ("37m", 2), ("40m", 0))]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("starved", "15s", WELL | LOAD.series() | pods, *checks))


def test_a_spot_replica_that_starts_in_time_has_no_stand_in(tmp_path):
    pods: Series = {}
    for pod in range(by_formula(LOAD) - FLOOR):
        pods |= burst(f"w{pod}", scheduled=f"0x60 1x12 0{EVER}", ready=f"0x100 1{EVER}")
    checks = [value(STAND_INS, at, 0) for at in ("14m", "16m", "18m", "20m", "30m")]
    evaluated(tmp_path, [*planned()[1]], "15s", scenario("in time", "15s", WELL | LOAD.series() | pods, *checks))


def test_what_these_tests_leave_out_is_left_out():
    assert not any(one.startswith(VLLM) for one in without(LOAD.series(), VLLM))
