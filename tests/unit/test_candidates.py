"""A candidate is the model with some keys changed, and is planned beside it."""

from __future__ import annotations

import pytest

from config.errors import StackError
from config.rollout import candidate_of
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_models import MODEL
from tests.unit.wrong_rollouts import CANDIDATE, OTHER, candidate

LIVE = {"source": "a/b", "revision": "r", "measured": [1], "engine": {"dtype": "bfloat16", "extraArgs": ["--x"]}, "scaling": {"floor": 2}}

# name: (changes, what becomes of LIVE)
MERGED = {
    "nothing": ({}, LIVE),
    "a key below": ({"engine": {"maxModelLen": 1}}, LIVE | {"engine": LIVE["engine"] | {"maxModelLen": 1}}),
    "a list replaces a list": ({"engine": {"extraArgs": ["--y"]}}, LIVE | {"engine": {"dtype": "bfloat16", "extraArgs": ["--y"]}}),
    "null takes a key away": ({"scaling": None}, {key: LIVE[key] for key in LIVE if key != "scaling"}),
    "a mapping where there was none": ({"resources": {"cpu": 2}}, LIVE | {"resources": {"cpu": 2}}),
    "another source": ({"source": "c/d"}, {"source": "c/d", "engine": LIVE["engine"], "scaling": LIVE["scaling"]}),
    "the same source, said again": ({"source": "a/b"}, LIVE),
}


@pytest.mark.parametrize("name", MERGED)
def test_changes_are_merged_into_the_model(name):
    changes, expected = MERGED[name]
    assert candidate_of(LIVE, changes) == expected | {"rollout": {"strategy": "blue-green"}}
    assert LIVE["engine"] == {"dtype": "bfloat16", "extraArgs": ["--x"]}, "the model's own is changed"


def test_both_colours_are_planned_and_paid_for():
    alone, both = make_plan(settings()), make_plan(settings(candidate(OTHER)))
    assert list(both.deployed) == ["qwen3-8b", "qwen3-8b-candidate"]
    one, other = both.deployed.values()
    assert (one.colour, one.replicas_name, other.colour, other.replicas_name) == ("blue", "qwen3-8b", "green", "qwen3-8b-green")
    assert other.memory.weights < one.memory.weights / 5
    assert both.pools["l4"].floor_nodes == 2
    assert both.cost.total.floor > alone.cost.total.floor
    assert other.served_names == one.served_names == ("qwen3-8b",)


def test_promotion_plans_the_candidate_as_the_model():
    before = make_plan(settings(candidate(OTHER, weight=100))).candidates["qwen3-8b"]
    live = {f"{MODEL}.{key}": value for key, value in OTHER.items()} | {f"{MODEL}.rollout": {"strategy": "blue-green", "live": "green"}}
    after = make_plan(settings(live)).models["qwen3-8b"]
    assert (after.colour, after.replicas_name, after.memory, after.rollout) == ("green", "qwen3-8b-green", before.memory, before.rollout)


def test_the_gateway_tells_the_length_that_either_colour_takes():
    for weight, length in ((0, 8192), (10, 4096)):
        plan = make_plan(settings(candidate({"engine": {"maxModelLen": 4096}}, weight=weight)))
        assert plan.gateway
        assert plan.gateway.models["qwen3-8b"].max_model_len == length


def test_a_problem_of_the_model_is_not_said_twice_and_the_candidates_own_is_said_beside_it():
    with pytest.raises(StackError) as caught:
        make_plan(settings({f"{MODEL}.engine": {"dtypo": "x"}} | candidate({"engine": {"maxModelLenn": 1}})))
    assert [problem.path for problem in caught.value.problems] == [
        f"{MODEL}.engine.dtypo", f"{CANDIDATE}.model.engine.maxModelLenn",
    ]  # fmt: skip


def test_a_candidate_may_mend_what_is_wrong_with_the_model():
    with pytest.raises(StackError) as caught:
        make_plan(settings({f"{MODEL}.engine.maxModelLen": 40960} | candidate({"engine": {"maxModelLen": 4096}})))
    assert [problem.path for problem in caught.value.problems] == [f"{MODEL}.engine.maxModelLen"]
