"""How many requests a replica is planned for: what memory holds, what the objectives allow, what the engine must not refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planning.capacity import LEAST_MOST_IN_FLIGHT
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_models import H100
from tools.preview.manifests import plan_as_json

MODEL = "models.qwen3-8b"
ON_H100 = H100 | {"nodePools.l4.onDemand": {"max": 2}}
# No alert watches, so an objective may lie between the edges of vLLM's buckets.
UNWATCHED = {"platform.monitoring.enabled": False}
CPU = {
    "nodePools.cpu": {"machineType": "n4-standard-16", "onDemand": {"max": 2}},
    f"{MODEL}.nodePool": "cpu",
    f"{MODEL}.scaling": {"floor": 1, "ceiling": 1},
    f"{MODEL}.source": "Qwen/Qwen3-0.6B",
    f"{MODEL}.engine": {"maxModelLen": 2048},
}


def capacity(changes=None):
    return make_plan(settings(changes)).models["qwen3-8b"].capacity


def warnings(changes) -> list[str]:
    return [warning.path for warning in make_plan(settings(changes)).warnings]


def test_without_objectives_memory_decides():
    found = capacity(ON_H100)
    assert found.target_in_flight == int(found.requests_in_flight * 0.75)
    assert found.speed is not None
    assert found.speed.limited_by == "memory"


@pytest.mark.parametrize(("objective", "value"), [("tpotSeconds", 0.02), ("ttftSeconds", 0.2)])
def test_an_objective_lowers_the_target_to_what_meets_it(objective, value):
    free, held = capacity(ON_H100), capacity(ON_H100 | UNWATCHED | {f"{MODEL}.slo.{objective}": value})
    assert 1 < held.target_in_flight < free.target_in_flight
    assert held.requests_in_flight == free.requests_in_flight
    assert held.speed is not None
    assert held.speed.limited_by == f"slo.{objective}"
    served = held.speed.served
    assert (served.ttft if objective == "ttftSeconds" else served.tpot) <= value


@given(st.floats(0.009, 0.1), st.floats(0.0, 0.1))
def test_a_softer_objective_never_lowers_the_target(tpot, more):
    strict, soft = (capacity(ON_H100 | UNWATCHED | {f"{MODEL}.slo.tpotSeconds": value}).target_in_flight for value in (tpot, tpot + more))
    assert strict <= soft


def test_a_request_of_many_prompts_is_not_refused_by_an_idle_replica():
    """vLLM counts every prompt of a request against --max-num-queued-reqs: 55 prompts are 503 for ever where it is 54."""
    assert capacity().requests_in_flight < 20
    assert capacity().most_in_flight == LEAST_MOST_IN_FLIGHT >= 128
    assert capacity({f"{MODEL}.engine.maxQueuedRequests": 10}).most_in_flight == 10


def test_an_objective_that_nothing_is_planned_for_is_doubted():
    assert capacity(CPU).speed is None
    assert f"{MODEL}.slo.ttftSeconds" in warnings(CPU | {f"{MODEL}.slo.ttftSeconds": 1})


def test_an_objective_that_may_just_be_missed_is_doubted_and_one_request_aimed_for():
    speed = capacity().speed
    assert speed is not None
    changes = UNWATCHED | {f"{MODEL}.slo.tpotSeconds": round(speed.alone.tpot * 0.9, 4)}
    assert f"{MODEL}.slo.tpotSeconds" in warnings(changes)
    assert capacity(changes).target_in_flight == 1


def test_who_shares_a_gpu_has_a_share_of_its_speed():
    alone = {f"{MODEL}.source": "Qwen/Qwen3-0.6B", f"{MODEL}.engine": {"maxModelLen": 4096, "gpuMemoryUtilization": 0.45}}
    shared = alone | {"nodePools.l4.gpuSharing": {"strategy": "TIME_SHARING", "maxClientsPerGpu": 2}}
    whole, half = capacity(alone).speed, capacity(shared).speed
    assert whole is not None
    assert half is not None
    assert half.served.output_tokens_per_second < 0.75 * whole.served.output_tokens_per_second


def test_a_plan_as_json_says_the_error_of_its_speed():
    written = plan_as_json(make_plan(settings()))["models"]["qwen3-8b"]
    assert written["capacity"]["speed"]["error"] == {"share": 0.33, "extrapolated": True}
    assert set(written["cost"]["usd_per_million_output_tokens"]) == {"least", "most"}
