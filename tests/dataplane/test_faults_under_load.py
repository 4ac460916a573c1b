"""Faults of replicas under load: only the expected requests fail, and never those of another model."""

import pytest

from components.gateway.envoy import clusters
from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from tests.dataplane.callers import Ask, call_all
from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, addresses, key_of, plan_of, running
from tests.dataplane.wire import request, send
from tools.demo.model_server import Faults

REQUESTS, BEGIN = 400, 100
VICTIM, BYSTANDER = "victim", "bystander"
MODELS = {VICTIM: Served(replicas=3), BYSTANDER: Served(replicas=1)}
CLIENTS = {"team-a": {}, "team-b": {}}
SLOW = Faults(seconds_per_token=0.003)


@pytest.fixture
def timeouts():
    """The default timeouts."""
    return {}


@pytest.fixture
def platform(monkeypatch, timeouts):
    """Answers take some time, so that some are always in flight; health checks are frequent."""
    monkeypatch.setattr(clusters, "HEALTH_INTERVAL_SECONDS", 1)
    monkeypatch.setattr(clusters, "HEALTH_TIMEOUT_SECONDS", 1)
    with running(MODELS, CLIENTS, cpu=2, timeouts=timeouts) as platform:
        for server in platform.fleet:
            server.faults = SLOW
        yield platform
        assert platform.gateway.process.poll() is None


def asks(count=REQUESTS, key=None):
    """Requests of two clients: half streamed, half for the model `bystander`."""
    return [Ask(f"team-{'ab'[n // 4 % 2]}", (VICTIM, BYSTANDER)[n % 2], streamed=n // 2 % 2 == 0, key=key) for n in range(count)]


def failed(outcomes):
    """Failed requests for the model `victim`; asserts that none for `bystander` failed."""
    assert not [outcome for outcome in outcomes if outcome.ask.model == BYSTANDER and not outcome.succeeded]
    assert {outcome.replica for outcome in outcomes if outcome.succeeded and outcome.ask.model == BYSTANDER} == {f"{BYSTANDER}/0"}
    assert all(outcome.replica.startswith(VICTIM) for outcome in outcomes if outcome.succeeded and outcome.ask.model == VICTIM)
    return [outcome for outcome in outcomes if not outcome.succeeded]


def assert_each_is_logged_once(platform, outcomes):
    gateway = platform.gateway
    ids = [outcome.request_id for outcome in outcomes if outcome.request_id]
    gateway.wait_until(lambda: set(ids) <= {line["request_id"] for line in gateway.audit_log}, WAIT_SECONDS, "lines are missing")
    logged = [line["request_id"] for line in gateway.audit_log]
    assert len(logged) == len(set(logged))


def test_of_a_replica_that_is_killed_only_streams_that_had_begun_break_off(platform):
    outcomes = call_all(platform, asks(), during={BEGIN: lambda: platform.stop(VICTIM, 0)})
    broken = failed(outcomes)
    assert all(one.ask.streamed and one.status == 200 and one.replica == f"{VICTIM}/0" for one in broken), broken
    assert len(broken) < 32
    late = [outcome for outcome in outcomes[REQUESTS // 2 :] if outcome.ask.model == VICTIM]
    assert {outcome.replica for outcome in late} == {f"{VICTIM}/1", f"{VICTIM}/2"}
    assert_each_is_logged_once(platform, outcomes)


def test_streams_that_a_replica_breaks_off_are_the_only_ones_that_fail(platform):
    platform.replicas[VICTIM][0].faults = Faults(die_after_tokens=3, seconds_per_token=0.003)
    outcomes = call_all(platform, asks())
    broken = failed(outcomes)
    assert broken
    assert not [one for one in broken if not one.ask.streamed or one.status != 200 or one.replica != f"{VICTIM}/0"]
    assert not [one for one in broken if b"[DONE]" in one.body]
    assert_each_is_logged_once(platform, outcomes)


@pytest.mark.parametrize("timeouts", [{"idleSeconds": 5}], ids=["silence ends soon"])
def test_of_a_replica_that_hangs_only_what_it_had_been_given_fails_and_in_time(platform):
    def hang():
        platform.replicas[VICTIM][0].faults = Faults(hang=True, on_health=True)

    outcomes = call_all(platform, asks(), during={BEGIN: hang})
    late = failed(outcomes)
    assert {(one.status, one.code) for one in late} <= {(504, "timeout")}
    assert len(late) < 32
    platform.wait_until_healthy(victim=2)
    assert not failed(call_all(platform, asks(100)))
    assert_each_is_logged_once(platform, outcomes)


def test_a_replica_that_answers_503_costs_nobody_an_answer(platform):
    def shed():
        platform.replicas[VICTIM][0].faults = Faults(busy=True)

    outcomes = call_all(platform, asks(), during={BEGIN: shed})
    assert failed(outcomes) == []
    assert_each_is_logged_once(platform, outcomes)


def test_malformed_streams_are_the_replicas_and_nobody_elses(platform):
    platform.replicas[VICTIM][0].faults = Faults(malformed_stream=True, seconds_per_token=0.003)
    outcomes = call_all(platform, asks())
    assert failed(outcomes) == []
    malformed = [outcome for outcome in outcomes if b"\xff\xfe" in outcome.body]
    assert malformed
    assert all(one.ask.streamed and one.replica == f"{VICTIM}/0" for one in malformed)
    assert_each_is_logged_once(platform, outcomes)


def test_with_all_replicas_gone_the_model_fails_and_comes_back(platform):
    outcomes = call_all(platform, asks(), during={BEGIN: lambda: platform.stop(VICTIM)})
    broken = failed(outcomes)
    before_its_answer = [one for one in broken if one.status != 200]
    assert {(one.status, one.code) for one in before_its_answer} <= {(503, "model_unavailable"), (503, "replica_failed")}
    assert len([one for one in before_its_answer if one.code == "replica_failed"]) < 32
    assert all(one.ask.streamed for one in broken if one.status == 200)
    assert all(not one.succeeded for one in outcomes[REQUESTS // 2 :] if one.ask.model == VICTIM)
    assert_each_is_logged_once(platform, outcomes)
    platform.start(VICTIM)
    platform.wait_until_healthy()
    assert not failed(call_all(platform, asks(60)))


def test_keys_are_changed_and_only_the_withdrawn_one_is_refused(platform):
    gateway, new = platform.gateway, "sk-team-a-and-new-0123456789"

    def accepted(key):
        return send(gateway.port, request("/v1/models", method="GET", client=None, authorization=f"Bearer {key}")).status == 200

    def change():
        gateway.configure(keys=gateway.keys | {"team-a": f"{key_of('team-a')} {new}"})
        gateway.wait_until(lambda: accepted(new), WAIT_SECONDS, "the new key is not valid")

    assert failed(call_all(platform, asks(), during={BEGIN: change})) == []
    withdraw = {BEGIN: lambda: gateway.configure(keys=gateway.keys | {"team-a": new})}
    old_and_new = [Ask("team-a", BYSTANDER, key=key) for _ in range(REQUESTS // 2) for key in (key_of("team-a"), new)]
    outcomes = call_all(platform, old_and_new, during=withdraw)
    assert {one.status for one in outcomes if one.ask.key == new} == {200}
    old = [one.status for one in outcomes if one.ask.key == key_of("team-a")]
    assert set(old) == {200, 401}
    assert set(old[: BEGIN // 2 - 16]) == {200}
    assert set(old[-BEGIN // 2 :]) == {401}


def colours(platform, blue, green, plan=None):
    """Routes of the model `victim`: the first replica is blue, the others are green."""
    plan = plan or platform.gateway.plan
    first, *others = addresses(platform.replicas[VICTIM])
    backends = [Backend("blue", [first], blue), Backend("green", others, green)]
    bystander = ModelRoute(plan.models[BYSTANDER], [Backend("blue", addresses(platform.replicas[BYSTANDER]))])
    platform.gateway.configure(plan, [ModelRoute(plan.models[VICTIM], backends), bystander])


def test_weights_change_and_no_request_fails(platform):
    colours(platform, 100, 0)
    platform.gateway.wait_until(lambda: platform.healthy(VICTIM, "green") == 2, WAIT_SECONDS, "no green")
    steps = {BEGIN: lambda: colours(platform, 80, 20), 2 * BEGIN: lambda: colours(platform, 0, 100)}
    outcomes = call_all(platform, asks(), during=steps)
    assert failed(outcomes) == []
    of_victim = [outcome.replica for outcome in outcomes if outcome.ask.model == VICTIM]
    assert set(of_victim[: BEGIN // 2 - 16]) == {f"{VICTIM}/0"}
    assert set(of_victim[-BEGIN // 4 :]) == {f"{VICTIM}/1", f"{VICTIM}/2"}


def test_the_configuration_is_read_again_and_again_and_no_request_fails(platform):
    def reload(number):
        platform.gateway.configure(plan_of(MODELS, CLIENTS | {f"team-{number}": {}}, timeouts={"requestSeconds": 3600 + number}))

    outcomes = call_all(platform, asks(), during={at: lambda at=at: reload(at) for at in range(20, REQUESTS - 20, 20)})
    assert failed(outcomes) == []
    assert_each_is_logged_once(platform, outcomes)
