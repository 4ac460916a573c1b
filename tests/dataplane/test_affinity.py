"""Requests that are alike go to one replica, whose caches are warm; all replicas get some; the loss of one moves little but its own."""

import pytest

from tests.dataplane.gateway_under_test import Served, running
from tests.dataplane.wire import chat, request, send
from tools.demo.model_server import Faults

REPLICAS, SESSIONS = 3, 60
MODELS = {
    "by-session": Served(replicas=REPLICAS, affinity={"by": "session"}),
    "by-own-header": Served(replicas=REPLICAS, affinity={"by": "session", "header": "x-conversation"}),
    "by-prefix": Served(replicas=REPLICAS, affinity={"by": "prefix"}),
}


@pytest.fixture(scope="module")
def own_platform():
    with running(MODELS, {"team-a": {}}) as platform:
        yield platform


def replica_of(platform, model, body=None, **headers):
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat(model, **body or {}), **headers))
    assert answer.status == 200, answer
    return answer.headers["x-replica"]


def prompt(number):
    """They differ within their first sentence, as system prompts do."""
    return [{"role": "system", "content": f"You are assistant number {number} of the house." + " Be brief." * 120}]


def by_session(platform, number, model="by-session", header="x_session_id"):
    return replica_of(platform, model, **{header: f"session-{number}"})


def by_prefix(platform, number):
    return replica_of(platform, "by-prefix", {"messages": prompt(number)})


def test_a_session_stays_at_its_replica_and_sessions_spread_over_all(platform):
    first = [by_session(platform, number) for number in range(SESSIONS)]
    assert [by_session(platform, number) for number in range(SESSIONS)] == first
    assert len(set(first)) == REPLICAS
    assert min(map(first.count, set(first))) >= 3


def test_a_sessions_header_is_the_one_of_the_models_settings(platform):
    own = [by_session(platform, number, "by-own-header", "x_conversation") for number in range(SESSIONS)]
    assert [by_session(platform, number, "by-own-header", "x_conversation") for number in range(SESSIONS)] == own
    assert len({replica_of(platform, "by-own-header", x_session_id="one") for _ in range(SESSIONS)}) == REPLICAS


def test_without_a_session_requests_spread(platform):
    assert len({replica_of(platform, "by-session") for _ in range(SESSIONS)}) == REPLICAS


def test_prompts_that_begin_alike_go_to_one_replica_and_others_spread(platform):
    begin = [by_prefix(platform, number) for number in range(SESSIONS)]
    assert len(set(begin)) == REPLICAS
    for number in range(SESSIONS):
        longer = [*prompt(number), {"role": "user", "content": f"Question {number}" * 100}]
        assert replica_of(platform, "by-prefix", {"messages": longer}) == begin[number]
        assert replica_of(platform, "by-prefix", {"messages": prompt(number), "temperature": 0.5, "user": f"{number}"}) == begin[number]


def test_neither_a_client_nor_another_model_moves_a_prompt(platform):
    home = by_prefix(platform, 1)
    assert {
        replica_of(platform, "by-prefix", {"messages": prompt(1)}, x_gateway_prefix=f"{n}", x_session_id=f"{n}") for n in range(10)
    } == {home}


@pytest.mark.parametrize(("ask", "model"), [(by_session, "by-session"), (by_prefix, "by-prefix")])
def test_the_loss_of_a_replica_moves_what_was_there_and_little_else(ask, model):
    """Little: the others get more places on Envoy's ring, which takes about a seventh from one another."""
    with running({model: MODELS[model]}, {"team-a": {}}) as platform:
        before = [ask(platform, number) for number in range(SESSIONS)]
        platform.stop(model, 0)
        after = [ask(platform, number) for number in range(SESSIONS)]
        lost = f"{model}/0"
        assert lost not in after
        stayed = [old == new for old, new in zip(before, after, strict=True) if old != lost]
        assert sum(stayed) >= 0.6 * len(stayed)
        assert set(after) == {f"{model}/1", f"{model}/2"}


def test_a_replica_that_sheds_load_is_passed_over_and_takes_its_sessions_back(platform):
    before = [by_session(platform, number) for number in range(SESSIONS)]
    platform.replicas["by-session"][0].faults = Faults(busy=True)
    assert "by-session/0" not in [by_session(platform, number) for number in range(SESSIONS)]
    platform.heal()
    assert [by_session(platform, number) for number in range(SESSIONS)] == before
