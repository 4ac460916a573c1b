"""A model changes its colour under load, with the routes and the waiting of the program itself, and no request fails."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from components.gateway.backends import backends
from components.gateway.envoy import clusters, routes
from components.gateway.envoy.routes import ModelRoute
from components.serving.checks import jobs
from planning.gateway import OtherColour
from tests.dataplane.callers import Ask, call_all
from tests.dataplane.gateway_under_test import Served, addresses, running
from tests.unit.checks import run
from tools.demo.model_server import Faults

MODEL = "qwen3-8b"
REQUESTS, STEP = 600, 150
_STEP_BY_STEP = threading.Lock()


@pytest.fixture
def platform(monkeypatch):
    """The first replica is blue, the second green. Answers take some time, so that some are always in flight."""
    monkeypatch.setattr(clusters, "HEALTH_INTERVAL_SECONDS", 1)
    with running({MODEL: Served(replicas=2)}, {"team-a": {}}, cpu=2) as platform:
        for server in platform.fleet:
            server.faults = Faults(seconds_per_token=0.003)
        yield platform


def give(platform, *, live="blue", weight=0, colours=True):
    """Routes of the blue-green model, as the program makes them, and their version."""
    model = platform.gateway.plan.models[MODEL]
    other = OtherColour("green" if live == "blue" else "blue", weight, model.max_requests) if colours else None
    model = replace(model, colour=live, other=other)
    servers = dict(zip(("blue", "green"), addresses(platform.replicas[MODEL]), strict=True))
    found = [replace(one, addresses=[servers[one.colour]]) for one in backends(model)]
    platform.gateway.configure(routes=[ModelRoute(model, found)])
    return routes.version(json.loads((platform.gateway.folder / routes.FILE).read_text()))


def awaited(platform, argument):
    """As the Job waits that asks every gateway pod."""
    here = {"host": "127.0.0.1", "port": platform.gateway.operations_port, "time_limit_seconds": 30}
    status, said = run("seen", argument | here)
    assert status == 0, said


def routed(platform, **changes):
    """One after the other: routes that the next ones replace at once are never seen."""
    with _STEP_BY_STEP:
        awaited(platform, jobs.routes_argument(give(platform, **changes)))


def answered(platform, during):
    """Which replica answered each request; every one is answered."""
    asks = [Ask("team-a", MODEL, streamed=n % 2 == 0) for n in range(REQUESTS)]
    outcomes = call_all(platform, asks, during=during)
    assert [one for one in outcomes if not one.succeeded] == []
    return [one.replica.removeprefix(f"{MODEL}/") for one in outcomes]


def test_canary_flip_promotion_and_the_end_of_the_old_colour_fail_no_request(platform):
    def promote():
        routed(platform, live="green")
        platform.stop(MODEL, 0)  # as Pulumi deletes it: when the Job has succeeded

    routed(platform)
    steps = {STEP: lambda: routed(platform, weight=10), 2 * STEP: lambda: routed(platform, weight=100), 3 * STEP: promote}
    replicas = answered(platform, steps)
    assert set(replicas[: STEP - 32]) == {"0"}
    assert "1" in replicas[STEP : 2 * STEP]
    assert set(replicas[-32:]) == {"1"}


def test_a_canary_gets_its_share(platform):
    routed(platform, weight=10)
    share = answered(platform, {}).count("1") / REQUESTS
    assert 0.05 < share < 0.16  # 10 % of 600, four standard deviations


def test_a_roll_back_and_the_end_of_the_candidate_fail_no_request(platform):
    def abort():
        routed(platform)
        platform.stop(MODEL, 1)

    routed(platform, weight=50)
    replicas = answered(platform, {STEP: lambda: routed(platform, weight=0), 2 * STEP: abort})
    assert "1" in replicas[:STEP]
    assert set(replicas[-64:]) == {"0"}


def test_a_colour_without_replicas_is_known_and_gets_no_request(platform):
    platform.stop(MODEL, 1)
    routed(platform)
    assert set(answered(platform, {})) == {"0"}


def test_the_version_of_the_routes_is_that_of_their_content(platform):
    first = give(platform)
    assert give(platform, weight=10) != first
    assert give(platform) == first
    awaited(platform, jobs.routes_argument(first))
    later = jobs.routes_argument("routes-000000000000") | {"time_limit_seconds": 1}
    assert run("seen", later | {"host": "127.0.0.1", "port": platform.gateway.operations_port})[0] == 1
