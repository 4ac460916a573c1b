"""The gate asks Prometheus whether a candidate does as well as the live colour; and the gateway's pods what they have taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from components.serving.checks import jobs
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.checks import run, serving
from tests.unit.wrong_rollouts import candidate

GOOD = {"requests": 500, "errors": 0.004, "ttft": 0.5, "live_ttft": 0.45}


def judged(answers: Mapping[str, float | None], **changes: Any) -> tuple[int, str]:
    """The gate of a candidate with half of the requests, and a Prometheus that answers its queries so."""
    stack = settings(candidate(weight=50))
    asked = stack.models["qwen3-8b"].rollout.candidate
    assert asked
    given: dict[str, Any] = jobs.gate_argument(asked, make_plan(stack).candidates["qwen3-8b"]) | {"time_limit_seconds": 0} | changes
    queries: dict[str, str] = given["queries"]
    names = {query: name for name, query in queries.items()}

    def answered(path: str, _: bytes) -> tuple[int, str]:
        value = answers[names[parse_qs(urlsplit(path).query)["query"][0]]]
        result = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})

    with serving(answered) as port:
        return run("gate", given | {"prometheus": f"http://127.0.0.1:{port}"})


def test_a_candidate_that_does_as_well_passes():
    assert judged(GOOD)[0] == 0


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nobody has asked it": ({"requests": None}, "0 requests are too few to judge it by: gate.minRequests is 100"),
    "too few have asked it": ({"requests": 99}, "99 requests are too few"),
    "too many failed": ({"errors": 0.011}, "1.10% of its requests failed: 1.00% may"),
    "nobody knows how many failed": ({"errors": None}, "an unknown share of its requests failed"),
    "it is slower": ({"ttft": 0.6}, "95 % of its first tokens come within 0.60 s, more than 1.25 times the live colour's 0.45 s"),
    "its time was not measured": ({"ttft": float("nan")}, "no time to first token of the candidate"),
    "the live colour's was not": ({"live_ttft": None}, "no time to first token of the live colour"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_candidate_that_does_worse_is_stopped_with_the_reason(name):
    changes, expected = BAD[name]
    status, said = judged(GOOD | changes)
    assert status == 1
    assert f"the candidate gets no more requests: {expected}" in said


def test_all_that_speaks_against_it_is_said():
    _, said = judged(GOOD | {"errors": 0.5, "ttft": 9})
    assert "50.00%" in said
    assert "9.00 s" in said


def test_a_prometheus_that_is_away_stops_it():
    stack = settings(candidate(weight=50))
    given = {"prometheus": "http://127.0.0.1:9", "queries": {"requests": "x"}, "min_requests": 1, "time_limit_seconds": 0}
    status, said = run("gate", given)
    assert stack.candidates
    assert status == 1
    assert "Prometheus does not answer" in said


STATS = """# TYPE envoy_cluster_membership_healthy gauge
envoy_cluster_membership_healthy{envoy_cluster_name="qwen3-8b/blue"} 2
envoy_cluster_membership_healthy{envoy_cluster_name="qwen3-8b/green"} 1
envoy_vhost_vcluster_upstream_rq_total{envoy_virtual_host="models",envoy_virtual_cluster="routes-0123456789ab"} 0
"""


@pytest.mark.parametrize(
    ("stats", "passes"),
    [(STATS, True), (STATS.replace('green"} 1', 'green"} 0'), False), (STATS.replace("/green", "/red"), False), ("", False)],
    ids=["a healthy replica", "none is healthy", "the colour is not known", "no statistics"],
)
def test_the_gateway_must_see_a_healthy_replica_of_the_candidate(stats, passes):
    plan = make_plan(settings(candidate())).candidates["qwen3-8b"]
    with serving(lambda *_: (200, stats)) as port:
        given = jobs.seen_argument(plan) | {"host": "127.0.0.1", "port": port, "time_limit_seconds": 0}
        status, said = run("seen", given)
    assert status == (0 if passes else 1), said
    assert "a healthy replica of qwen3-8b/green" in said


@pytest.mark.parametrize(("version", "passes"), [("routes-0123456789ab", True), ("routes-ba9876543210", False)])
def test_the_gateway_must_have_the_routes(version, passes):
    with serving(lambda *_: (200, STATS)) as port:
        given = jobs.routes_argument(version) | {"host": "127.0.0.1", "port": port, "time_limit_seconds": 0}
        assert run("seen", given)[0] == (0 if passes else 1)


def test_a_gateway_without_pods_holds_nothing_back():
    given = jobs.routes_argument("routes-0") | {"host": "nobody.invalid", "time_limit_seconds": 0}
    assert run("seen", given)[0] == 0
