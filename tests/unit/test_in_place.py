"""Pods that have clients' requests are not replaced in place under blue-green: the hook of their Deployments refuses."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components.serving import in_place
from components.serving.in_place import changed_pods, refuse_changed_pods
from planning.plan import ModelPlan, make_plan
from tests.stacks import settings, stack
from tests.unit.wrong_rollouts import ROLLOUT, candidate
from tools.preview import offline

FLOOR = "qwen3-8b-floor"
BLUE_GREEN = {ROLLOUT: {"strategy": "blue-green"}}


def inputs(changes: dict[str, Any], name: str = FLOOR) -> dict[str, Any]:
    recording = offline.run(stack(changes), "test", known=True)
    return next(one.inputs for one in recording.resources if one.name == name and one.type.endswith(":Deployment"))


def planned(changes: dict[str, Any]) -> ModelPlan:
    return make_plan(settings(changes)).models["qwen3-8b"]


def test_a_changed_setting_of_live_pods_is_refused_with_what_changes_and_what_to_do():
    refusal = changed_pods(
        planned(BLUE_GREEN), FLOOR, inputs(BLUE_GREEN), inputs(BLUE_GREEN | {"models.qwen3-8b.engine.maxModelLen": 4096})
    )
    assert refusal is not None
    assert refusal.startswith("models.qwen3-8b.rollout: the pods of Deployment qwen3-8b-floor answer clients")
    assert "spec.containers.args" in refusal
    assert "put the change into rollout.candidate.model, or set rollout.strategy to rolling" in refusal


def test_a_changed_setting_of_a_canary_is_refused_and_names_its_weight():
    before, after = (candidate({"engine": {"maxModelLen": length}}, weight=10) for length in (4096, 2048))
    plan = make_plan(settings(after)).candidates["qwen3-8b"]
    refusal = changed_pods(plan, "qwen3-8b-green-floor", inputs(before, "qwen3-8b-green-floor"), inputs(after, "qwen3-8b-green-floor"))
    assert refusal is not None
    assert "set rollout.candidate.weight to 0 first" in refusal


UNCHANGED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "more replicas": {"models.qwen3-8b.scaling": {"floor": 2, "ceiling": 3}},
    "a candidate beside them": candidate({"engine": {"maxModelLen": 4096}}, weight=50),
    "rolling updates from now on": {ROLLOUT: {"strategy": "rolling"}},
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_leaves_the_pods_as_they_are_passes(name):
    assert changed_pods(planned(BLUE_GREEN), FLOOR, inputs(BLUE_GREEN), inputs(BLUE_GREEN | UNCHANGED[name])) is None


def test_promotion_changes_no_pod_of_the_candidate():
    before = candidate({"engine": {"maxModelLen": 4096}}, weight=100)
    after = {"models.qwen3-8b.engine.maxModelLen": 4096, ROLLOUT: {"strategy": "blue-green", "live": "green"}}
    name = "qwen3-8b-green-floor"
    assert inputs(before, name) == inputs(after, name)


def test_a_hidden_value_is_no_change():
    old = inputs(BLUE_GREEN)
    new = copy.deepcopy(old)
    for one in (old, new):
        one["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = object()
    assert changed_pods(planned(BLUE_GREEN), FLOOR, old, new) is None


def test_under_the_engine_the_hook_is_called_before_updates_and_in_previews(monkeypatch):
    old, new = inputs(BLUE_GREEN), inputs(BLUE_GREEN | {"models.qwen3-8b.image": "ghcr.io/acme/vllm:1"})
    made = []
    monkeypatch.setattr(in_place, "SETTINGS", SimpleNamespace(root_directory="/program"))
    monkeypatch.setattr(pulumi, "ResourceHook", lambda *arguments: made.append(arguments))
    binding = refuse_changed_pods(planned(BLUE_GREEN), FLOOR)
    [(name, check, options)] = made
    assert binding is not None
    assert (name, options.on_dry_run, len(binding.before_update or [])) == ("qwen3-8b-floor-pods-stay", True, 1)
    check(SimpleNamespace(old_inputs=old, new_inputs=old))
    with pytest.raises(ValueError, match=r"spec\.containers\.image"):
        check(SimpleNamespace(old_inputs=old, new_inputs=new))
