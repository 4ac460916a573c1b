"""A model that sleeps: its first request is refused with the time that it takes to wake, and Envoy counts it, which is what wakes it."""

from __future__ import annotations

import math

import openai
import pytest

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from tests.dataplane.gateway_under_test import HELLO, START_SECONDS, WAIT_SECONDS, Served, running
from tests.dataplane.wire import chat, request, send

SIGNAL = "cluster.{}/blue.upstream_cx_none_healthy"


@pytest.fixture(scope="module")
def platform():
    models = {"sleeper": Served(sleeps=True, names=("sleeper", "nap")), "awake": Served()}
    with running(models, {"team-a": {}}) as platform:
        # A Service without ready pods has no address, as a name that nobody has (RFC 6761).
        nowhere = [Backend("blue", [("nobody.invalid", 8000)])]
        platform.gateway.configure(routes=[ModelRoute(model, nowhere) for model in platform.gateway.plan.models.values()])
        platform.wait_until_healthy(sleeper=0, awake=0)
        yield platform


def counted(platform, model):
    name = SIGNAL.format(model)
    return platform.gateway.stats(f"^{name}$")[name]


def ask(platform, model, **more):
    return send(platform.gateway.port, request("/v1/chat/completions", chat(model, **more)))


@pytest.mark.parametrize("model", ["sleeper", "nap"])
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_request_for_a_sleeping_model_is_told_when_to_come_back_and_is_counted(platform, model, streamed):
    before = counted(platform, "sleeper")
    answer = ask(platform, model, stream=streamed)
    assert (answer.status, answer.error["code"], answer.error["type"]) == (503, "model_waking", "server_error")
    assert answer.headers["retry-after"] == str(math.ceil(START_SECONDS))
    assert f"try again in about {math.ceil(START_SECONDS)} seconds" in answer.error["message"]
    assert not [name for name in answer.headers if name.startswith("x-gateway")]
    platform.gateway.wait_until(lambda: counted(platform, "sleeper") > before, WAIT_SECONDS, "nothing would wake it")


def test_an_answer_that_wakes_is_counted_as_such_and_not_as_a_failure(platform):
    def answered(model):
        return {name: value for name, value in platform.gateway.stats("gateway.requests_total").items() if f"model.{model}." in name}

    before = answered("sleeper")
    assert ask(platform, "sleeper").status == 503
    platform.gateway.wait_until(lambda: answered("sleeper") != before, WAIT_SECONDS, "it is not counted")
    assert {name.rpartition(".")[2] for name in answered("sleeper")} == {"waking"}, answered("sleeper")
    assert ask(platform, "awake").status == 503
    platform.gateway.wait_until(lambda: answered("awake"), WAIT_SECONDS, "it is not counted")
    assert {name.rpartition(".")[2] for name in answered("awake")} == {"503"}


def test_openais_client_raises_its_error_for_a_server_that_is_not_ready(platform):
    with platform.client() as client, pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model="sleeper", messages=HELLO)
    assert raised.value.code == "model_waking"


def test_a_model_that_never_sleeps_is_not_said_to_wake(platform):
    answer = ask(platform, "awake")
    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "model_unavailable", "2")
    assert not [name for name in answer.headers if name.startswith("x-gateway")]


def test_once_it_is_awake_it_answers():
    with running({"sleeper": Served(sleeps=True)}, {"team-a": {}}) as platform:
        before = counted(platform, "sleeper")
        assert ask(platform, "sleeper").status == 200
        assert counted(platform, "sleeper") == before
