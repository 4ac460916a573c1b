"""A replica's trouble is its own: what has not been answered is tried elsewhere, what has begun is not, and other models see nothing."""

import contextlib
import http.client
import json

import httpx2
import openai
import pytest

from components.gateway.envoy import clusters
from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, running
from tests.dataplane.wire import chat, request, send
from tests.model_servers import wait_for
from tools.demo.model_server import Faults

NEVER = 3600.0
MODELS = {"qwen3-8b": Served(replicas=3), "llama": Served()}


@pytest.fixture(scope="module")
def own_platform():
    with running(MODELS, {"team-a": {}}) as platform:
        yield platform


@pytest.fixture
def breakable(monkeypatch):
    """One for this test alone, with health checks every second, so that it need not wait for half a minute."""
    monkeypatch.setattr(clusters, "HEALTH_INTERVAL_SECONDS", 1)
    monkeypatch.setattr(clusters, "HEALTH_TIMEOUT_SECONDS", 1)
    with running(MODELS, {"team-a": {}}) as platform:
        yield platform


def ask(platform, model="qwen3-8b", **fields):
    return send(platform.gateway.port, request("/v1/chat/completions", chat(model, **fields)))


def all_fail(platform, faults):
    for server in platform.replicas["qwen3-8b"]:
        server.faults = faults


def test_a_replica_that_answers_503_is_passed_over(platform):
    platform.replicas["qwen3-8b"][0].faults = Faults(busy=True)
    answers = [ask(platform) for _ in range(12)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["x-replica"] for answer in answers} == {"qwen3-8b/1", "qwen3-8b/2"}
    assert len(platform.received("qwen3-8b")) > 12


def test_a_request_is_tried_on_two_replicas_and_then_the_client_is_told_to_wait(platform):
    all_fail(platform, Faults(busy=True))
    with platform.client() as client, pytest.raises(openai.InternalServerError, match="currently busy") as caught:
        client.chat.completions.create(model="qwen3-8b", messages=HELLO)
    assert caught.value.status_code == 503
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert requests_at(platform) == [0, 1, 1]
    assert platform.logged(caught.value.request_id)["attempts"] == 2


def requests_at(platform):
    """The replicas' numbers of requests, the least first."""
    return sorted(sum(one.path != "/health" for one in server.received) for server in platform.replicas["qwen3-8b"])


def test_a_prompt_that_kills_its_replica_takes_no_more_than_two(platform):
    all_fail(platform, Faults(die_after_tokens=0))
    answer = ask(platform)
    assert (answer.status, answer.error["code"]) == (503, "replica_failed")
    assert requests_at(platform) == [0, 1, 1]


def test_a_replica_that_breaks_off_before_its_answer_is_passed_over(platform):
    """Plain requests: their answer has not begun when the connection is reset."""
    platform.replicas["qwen3-8b"][0].faults = Faults(die_after_tokens=0)
    answers = [ask(platform) for _ in range(9)]
    assert {answer.status for answer in answers} == {200}
    assert max(platform.logged(answer.request_id)["attempts"] for answer in answers) == 2


@pytest.mark.parametrize("tokens", [0, 3], ids=["after the headers", "after three tokens"])
def test_a_stream_that_has_begun_is_not_tried_again_and_ends_with_an_error(platform, tokens):
    all_fail(platform, Faults(die_after_tokens=tokens))
    with platform.client() as client:
        stream = client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
        contents = []
        with pytest.raises((openai.APIError, httpx2.RemoteProtocolError)):
            contents.extend(chunk.choices[0].delta.content for chunk in stream)
    assert len([content for content in contents if content]) == tokens
    assert len(platform.received("qwen3-8b")) == 1


def test_errors_of_a_model_server_are_not_tried_again(platform):
    all_fail(platform, Faults(draining=True))
    answer = ask(platform)
    assert (answer.status, answer.json["error"]["type"]) == (500, "InternalServerError")
    assert len(platform.received("qwen3-8b")) == 1
    platform.heal()
    assert ask(platform, max_tokens=0).status == 400
    assert len(platform.received("qwen3-8b")) == 1


def test_a_replica_that_is_gone_is_ejected_and_nobody_notices(breakable):
    breakable.stop("qwen3-8b", 0)
    assert {ask(breakable).status for _ in range(20)} == {200}
    breakable.wait_until_healthy(qwen3_8b=2)
    retries = "cluster.qwen3-8b/blue.upstream_rq_retry"
    before = breakable.gateway.stats(retries)[retries]
    assert {ask(breakable).status for _ in range(20)} == {200}
    assert breakable.gateway.stats(retries)[retries] == before > 0


def test_a_replica_that_cannot_be_reached_is_ejected_before_its_health_is_known(platform):
    """Health checks of this platform are as rare as a cluster's."""
    name = "cluster.llama/blue.outlier_detection.ejections_enforced_consecutive_local_origin_failure"
    with running({"llama": Served(replicas=3)}, {"team-a": {}}) as other:
        other.stop("llama", 0)
        assert {ask(other, "llama").status for _ in range(20)} == {200}
        other.gateway.wait_until(lambda: other.gateway.stats(name)[name] == 1, WAIT_SECONDS, "not ejected")
        other.wait_until_healthy(llama=2)
    assert platform.gateway.stats(name)[name] == 0


def test_a_replica_that_hangs_is_found_by_its_health(breakable):
    breakable.replicas["qwen3-8b"][0].faults = Faults(hang=True, on_health=True)
    breakable.wait_until_healthy(qwen3_8b=2)
    assert {ask(breakable).status for _ in range(20)} == {200}
    breakable.heal()
    breakable.wait_until_healthy()
    wait_for(lambda: ask(breakable).headers["x-replica"] == "qwen3-8b/0")


def test_with_all_replicas_gone_the_model_is_unavailable_and_others_are_not(breakable):
    breakable.stop("qwen3-8b")
    for _ in range(8):
        with breakable.client() as client, pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="qwen3-8b", messages=HELLO)
        assert (caught.value.status_code, caught.value.code) == (503, "model_unavailable")
        assert int(caught.value.response.headers["retry-after"]) >= 1
    breakable.wait_until_healthy(qwen3_8b=0)
    answer = ask(breakable)
    assert (answer.status, answer.error["code"]) == (503, "model_unavailable")
    assert breakable.logged(answer.request_id)["flags"] == "UH", "no request may be sent to a replica that is not healthy"
    assert {ask(breakable, "llama").status for _ in range(10)} == {200}
    breakable.start("qwen3-8b")
    breakable.gateway.wait_until(lambda: ask(breakable).status == 200, WAIT_SECONDS, "it never comes back")


@contextlib.contextmanager
def held(platform, count):
    """This many streams, open and silent."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(platform.client())
        for _ in range(count):
            stack.enter_context(client.with_streaming_response.chat.completions.create(model="small", messages=HELLO, stream=True))
        yield


def test_what_is_beyond_a_models_capacity_is_turned_away_at_once_and_other_models_are_not():
    limit = 5  # 2 replicas, 2 requests each, and a quarter more
    with running({"small": Served(replicas=2, requests_a_replica=2), "llama": Served()}, {"team-a": {}}, cpu=2) as platform:
        for server in platform.replicas["small"]:
            server.faults = Faults(seconds_to_first_token=NEVER)
        with held(platform, limit):
            for _ in range(4):
                answer = ask(platform, "small")
                assert (answer.status, answer.error["code"]) == (503, "overloaded")
                assert int(answer.headers["retry-after"]) >= 1
            assert ask(platform, "llama").status == 200
            assert sum(server.engine.unfinished for server in platform.replicas["small"]) == limit
        platform.heal()
        wait_for(lambda: ask(platform, "small").status == 200)


def test_silence_and_length_have_their_limits():
    with running({"qwen3-8b": Served()}, {"team-a": {}}, timeouts={"idleSeconds": 1, "requestSeconds": 2}) as platform:
        server = platform.replicas["qwen3-8b"][0]
        server.faults = Faults(hang=True)
        with platform.client() as client, pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="qwen3-8b", messages=HELLO)
        assert (caught.value.status_code, caught.value.code) == (504, "timeout")
        assert platform.logged(caught.value.request_id)["flags"] == "SI"
        assert len(platform.received("qwen3-8b")) == 1
        server.faults = Faults(seconds_per_token=0.3)
        with pytest.raises((ConnectionError, http.client.IncompleteRead)):
            ask(platform, stream=True)
        [line] = [line for line in platform.gateway.audit_log if line["flags"] == "UT"]
        assert (line["status"], line["model"]) == (200, "qwen3-8b")
        assert line["duration_ms"] >= 1900
        wait_for(lambda: server.engine.unfinished == 0)


def test_new_replicas_start_slowly_and_no_cluster_panics(platform):
    dump = json.loads(platform.gateway.administer("GET", "/config_dump?mask=dynamic_active_clusters"))
    of_models = [one["cluster"] for one in dump["configs"][0]["dynamic_active_clusters"] if one["cluster"]["name"].endswith("/blue")]
    assert len(of_models) == len(MODELS)
    for cluster in of_models:
        assert cluster["least_request_lb_config"]["slow_start_config"]["slow_start_window"] == "60s"
        assert cluster["common_lb_config"]["healthy_panic_threshold"] == {}  # zero, as protobuf writes it
