"""Two colours of a model: what is registered, what waits for what, and when a Job runs again."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import combinations
from typing import Any

import kubernetes_validate
import pytest

from components.naming import CHECK_LABELS
from tests.program.pod_security import violations
from tests.program.test_manifests import KUBERNETES
from tests.stacks import stack
from tests.unit.wrong_rollouts import ROLLOUT, candidate
from tools.preview import offline
from tools.preview.manifests import manifests

NEW = {"engine": {"maxModelLen": 4096}}
TEMPLATES = {"models.qwen3-8b.engine.chatTemplate": "{{ messages }}"}
HALF = candidate(NEW, weight=50)
GREEN = "qwen3-8b-green"


@cache
def _run(changes: str) -> offline.Recording:
    return offline.run(stack(json.loads(changes)), "test", known=True)


def recorded(changes: dict[str, Any]) -> offline.Recording:
    return _run(json.dumps(changes))


def find(recording: offline.Recording, kind: str, name: str) -> offline.Resource:
    return next(one for one in recording.resources if one.name == name and one.type.endswith(f":{kind}"))


def job_name(changes: dict[str, Any], job: str) -> str:
    return find(recorded(changes), "Job", f"{GREEN}-{job}").inputs["metadata"]["name"]


def test_every_object_is_strictly_valid_and_has_a_name_of_its_own():
    found = manifests(recorded(HALF | TEMPLATES))
    for one in found:
        if "." not in one["apiVersion"].partition("/")[0] or one["apiVersion"].startswith(("networking", "batch", "policy")):
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
    keys = Counter((one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in found)
    assert max(keys.values()) == 1
    assert len({one.urn for one in recorded(HALF | TEMPLATES).resources}) == len(recorded(HALF | TEMPLATES).resources)


def test_no_selector_of_one_colour_selects_pods_of_the_other():
    found = [one for one in manifests(recorded(HALF)) if one["metadata"].get("namespace") == "model-qwen3-8b"]
    pods = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in found if one["kind"] == "Deployment"}
    assert len(pods) == 4
    for one in found:
        selector = one.get("spec", {}).get("selector", {})
        labels = selector.get("matchLabels", selector) if one["kind"] != "NetworkPolicy" else None
        if labels:
            selected = {name.startswith(GREEN) for name, has in pods.items() if labels.items() <= has.items()}
            assert selected == {one["metadata"]["name"].startswith(GREEN)}, one["metadata"]["name"]
    budgets = [one["spec"]["selector"]["matchLabels"] for one in found if one["kind"] == "PodDisruptionBudget"]
    for first, second in combinations(budgets, 2):
        assert not [name for name, has in pods.items() if first.items() <= has.items() and second.items() <= has.items()]


def test_the_jobs_are_restricted_and_ask_for_nothing_on_a_full_node():
    jobs = [one for one in manifests(recorded(HALF)) if one["kind"] == "Job"]
    assert len(jobs) == 5
    for job in jobs:
        spec = job["spec"]["template"]["spec"]
        assert violations(spec) == []
        (container,) = spec["containers"]
        assert container["resources"]["requests"] == {"cpu": "0", "memory": "0"}
        assert spec["nodeSelector"]["vllm-platform/node-pool"] == "l4"
        assert job["spec"]["template"]["metadata"]["labels"].items() >= CHECK_LABELS.items()
        assert job["spec"]["backoffLimit"] == 0
        assert len(job["metadata"]["name"]) <= 57, "a pod's name has six characters more, and a label 63"


def test_the_routes_wait_for_every_check_and_nothing_that_serves_waits_for_the_routes():
    recording = recorded(HALF)
    by_urn = {one.urn: one for one in recording.resources}

    def before(name: str) -> set[str]:
        found, left = set(), [find(recording, "Secret", name).urn]
        while left:
            for urn in by_urn[left.pop()].depends_on:
                if urn in by_urn and urn not in found:
                    found.add(urn)
                    left.append(urn)
        return {by_urn[urn].name for urn in found}

    assert {f"{GREEN}-floor", f"{GREEN}-smoke", f"{GREEN}-seen", f"{GREEN}-gate", "qwen3-8b-floor", "qwen3-8b-seen"} <= before(
        "gateway-models"
    )
    assert not {f"{GREEN}-floor", f"{GREEN}-smoke"} & before("gateway-clusters"), "the colour is known before it is tested"
    routed = find(recording, "Job", "qwen3-8b-routed")
    assert find(recording, "Secret", "gateway-models").urn in routed.depends_on


AGAIN: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "other pods": (HALF, candidate({"engine": {"maxModelLen": 2048}}, weight=50), {"smoke", "seen", "gate"}),
    "another weight": (HALF, candidate(NEW, weight=90), {"gate"}),
    "another golden prompt": (HALF, candidate(NEW, weight=50, smokeTest={"goldenPrompts": [{"prompt": "a", "contains": "b"}]}), {"smoke"}),
    "another limit of the gate": (HALF, candidate(NEW, weight=50, gate={"minRequests": 7}), {"gate"}),
    "more replicas": (HALF, candidate(NEW | {"scaling": {"floor": 1, "ceiling": 2}}, weight=50), set()),
    "a change of another model": (
        HALF, HALF | {"models.other": {"source": "Qwen/Qwen3-0.6B", "revision": "0" * 40, "nodePool": "l4"}}, set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AGAIN)
def test_a_job_runs_again_exactly_when_what_it_judges_has_changed(name):
    before, after, expected = AGAIN[name]
    assert {job for job in ("smoke", "seen", "gate") if job_name(before, job) != job_name(after, job)} == expected


def test_a_model_without_colours_has_none_of_it():
    rolling = recorded({})
    assert not [one.name for one in rolling.resources if one.type.endswith(":Job")]
    names = {one.name for one in rolling.resources}
    assert not {name for name in names if "check" in name}
    assert names <= {one.name for one in recorded({ROLLOUT: {"strategy": "blue-green"}}).resources}


def test_changing_to_colours_and_promoting_replace_no_pod_that_stays():
    def floor(changes, name):
        return find(recorded(changes), "Deployment", name).inputs["spec"]

    blue = {ROLLOUT: {"strategy": "blue-green"}}
    assert floor({}, "qwen3-8b-floor")["template"] == floor(blue, "qwen3-8b-floor")["template"]
    assert floor({}, "qwen3-8b-floor")["selector"] == floor(blue, "qwen3-8b-floor")["selector"]
    assert floor(blue, "qwen3-8b-floor") == floor(HALF, "qwen3-8b-floor")
    promoted = {"models.qwen3-8b.engine.maxModelLen": 4096, ROLLOUT: {"strategy": "blue-green", "live": "green"}}
    assert floor(HALF, f"{GREEN}-floor") == floor(promoted, f"{GREEN}-floor")
    assert recorded(promoted).outputs["models"]["qwen3-8b"]["portForward"].endswith("service/qwen3-8b-green 8000")
