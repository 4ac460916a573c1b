"""Replicas end under constant load, as Kubernetes ends them: rolling update, scale-down, a reclaimed spot node.

A terminated pod leaves its Service at once and the gateway at the next resolution of its name; its server gets SIGTERM after the preStop
sleep, fails new requests from then on, and is killed when the grace period is over, or has left before.
"""

import time

import pytest

from components.gateway.envoy.clusters import DNS_REFRESH_SECONDS, Backend
from components.gateway.envoy.routes import ModelRoute
from planning.drain import GKE_SPOT, ON_DEMAND, OTHER_SPOT
from tests.dataplane.callers import Ask, call_all
from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, addresses, running
from tools.demo.model_server import Faults

MODEL, REPLICAS = "qwen3-8b", 4
AT_ONCE, BEGIN = 12, 40
SECONDS_PER_TOKEN = 0.02
SERVING = Faults(seconds_per_token=SECONDS_PER_TOKEN)
LEAVING = Faults(seconds_per_token=SECONDS_PER_TOKEN, draining=True)


@pytest.fixture
def platform():
    with running({MODEL: Served(replicas=REPLICAS)}, {"team-a": {}}, cpu=2) as platform:
        for server in platform.fleet:
            server.faults = SERVING
        yield platform


def serve(platform, *indices):
    """The model's replicas in DNS."""
    plan, replicas = platform.gateway.plan, platform.replicas[MODEL]
    backend = Backend("blue", addresses([replicas[index] for index in indices]))
    platform.gateway.configure(plan, [ModelRoute(plan.models[MODEL], [backend])])


def terminate(platform, drain, leaving, staying, *, scale=1.0):
    """Ends the replicas `leaving`; returns what each had unfinished when it was killed. `scale`: of all times."""
    servers, began = [platform.replicas[MODEL][index] for index in leaving], time.monotonic()

    def wait_until(seconds):
        time.sleep(max(0.0, began + seconds * scale - time.monotonic()))

    def end():
        for server in servers:
            server.faults = LEAVING

    for seconds, step in sorted([(DNS_REFRESH_SECONDS, lambda: serve(platform, *staying)), (drain.pre_stop, end)], key=lambda one: one[0]):
        wait_until(seconds)
        step()
    while any(server.engine.unfinished for server in servers) and time.monotonic() < began + drain.grace_period * scale:
        time.sleep(0.05)
    unfinished = [server.engine.unfinished for server in servers]
    platform.stop(MODEL, *leaving)
    return unfinished


def asks(count, *, long=0, tokens=0):
    """`count` requests, half of them streamed, after `long` streams of `tokens`."""
    return [Ask("team-a", MODEL, streamed=True, tokens=tokens) for _ in range(long)] + [
        Ask("team-a", MODEL, streamed=number % 2 == 0) for number in range(count)
    ]


def failed(outcomes):
    return [one for one in outcomes if not one.succeeded]


@pytest.mark.parametrize("drain", [ON_DEMAND, GKE_SPOT, OTHER_SPOT], ids=["on demand", "GKE spot", "other spot"])
def test_a_leaving_replica_serves_until_the_gateway_knows_that_it_leaves(drain):
    assert drain.pre_stop > DNS_REFRESH_SECONDS


def test_a_rolling_update_fails_no_request(platform):
    """With a surge replica: one more is ready before each one leaves. A tenth of the times."""
    serve(platform, 0, 1, 2)
    unfinished = []

    def roll():
        serving = [0, 1, 2]
        for old in (0, 1, 2):
            new = (old + 3) % REPLICAS
            if new != 3:  # the place of the one that has left last
                platform.start(MODEL, new)
                platform.replicas[MODEL][new].faults = SERVING
            serve(platform, *serving, new)
            serving = [index for index in serving if index != old] + [new]
            unfinished.extend(terminate(platform, ON_DEMAND, [old], serving, scale=0.1))

    outcomes = call_all(platform, asks(300), at_once=AT_ONCE, during={BEGIN: roll})
    assert failed(outcomes) == []
    assert unfinished == [0, 0, 0]
    assert {one.replica for one in outcomes} == {f"{MODEL}/{index}" for index in range(REPLICAS)}


def test_a_scale_down_cuts_no_stream_that_is_shorter_than_the_drain(platform):
    """Three of four leave at once, each with streams of five seconds, where a tenth of the drain is ten."""
    outcomes = call_all(
        platform,
        asks(250, long=8, tokens=250),
        at_once=AT_ONCE + 8,
        during={BEGIN: lambda: terminate(platform, ON_DEMAND, [1, 2, 3], [0], scale=0.1)},
    )
    assert failed(outcomes) == []
    assert {one.replica for one in outcomes[-50:]} == {f"{MODEL}/0"}


def test_a_reclaimed_spot_node_breaks_off_the_streams_that_outlast_its_notice_and_no_other_request(platform):
    """SIGTERM after the preStop sleep, SIGKILL 15 seconds after the notice; each broken stream has its line in the audit log."""
    unfinished, before = [], []

    def reclaim():
        unfinished.extend(terminate(platform, OTHER_SPOT, [0], [1, 2, 3]))
        before.append(platform.total_received())

    outcomes = call_all(platform, asks(420, long=8, tokens=1000), at_once=AT_ONCE + 8, during={BEGIN: reclaim})
    broken = failed(outcomes)
    assert [len(broken)] == unfinished
    assert broken, "a stream of 20 seconds outlasts the notice"
    assert all(one.ask.tokens and one.status == 200 and one.replica == f"{MODEL}/0" for one in broken), broken
    assert sum(1 for one in outcomes if one.ask.tokens and one.succeeded) == 8 - len(broken)
    lines = platform.gateway.wait_until(
        lambda: [line for line in platform.gateway.audit_log if line["flags"] in {"UC", "UPE"}], WAIT_SECONDS, "no line"
    )
    assert {line["request_id"] for line in lines} == {one.request_id for one in broken}
