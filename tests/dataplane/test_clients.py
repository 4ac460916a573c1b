"""Each client has its keys, its rate, its requests in flight and its models; what one does, the others do not notice."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, key_of, running
from tests.dataplane.wire import chat, request, send
from tests.model_servers import wait_for
from tools.demo.model_server import Faults

RATE, IN_FLIGHT = 5, 3
WORKERS = 3
NEVER = 3600.0


@pytest.fixture(scope="module")
def own_platform():
    limited = {name: {"requestsPerMinute": RATE} for name in ("frequent", "other", "robbed", "reader")}
    clients = {"steady": {}, "broad": {"concurrentRequests": IN_FLIGHT}} | limited
    with running({"qwen3-8b": Served()}, clients, cpu=WORKERS) as platform:
        yield platform


@pytest.fixture
def platform(own_platform):
    yield own_platform
    own_platform.heal()
    gateway = own_platform.gateway
    gateway.configure(keys={client: key_of(client) for client in gateway.keys})
    gateway.wait_until(lambda: status_of_key(own_platform, key_of("steady")) == 200, WAIT_SECONDS, "the keys are not as they were")


def status(platform, client):
    return send(platform.gateway.port, request("/v1/chat/completions", chat(), client=client)).status


def status_of_key(platform, key):
    return send(platform.gateway.port, request("/v1/models", method="GET", client=None, authorization=f"Bearer {key}")).status


def test_over_its_rate_a_client_is_told_when_to_come_back_and_others_notice_nothing(platform):
    with platform.client("frequent") as client:
        for _ in range(RATE):
            client.chat.completions.create(model="qwen3-8b", messages=HELLO)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="qwen3-8b", messages=HELLO)
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")
    seconds = 60 / RATE  # until there is room for one
    assert seconds - WAIT_SECONDS / 2 <= int(caught.value.response.headers["retry-after"]) <= seconds
    assert caught.value.response.headers["retry-after"] == caught.value.response.headers["x-ratelimit-reset"]
    assert caught.value.response.headers["x-ratelimit-remaining"] == "0"
    assert len(platform.received("qwen3-8b")) == RATE
    line = platform.logged(caught.value.request_id)
    assert (line["client"], line["status"], line["flags"]) == ("frequent", 429, "RL")
    assert [status(platform, "other") for _ in range(RATE + 1)] == [200] * RATE + [429]
    assert [status(platform, "steady") for _ in range(3 * RATE)] == [200] * 3 * RATE


def test_requests_without_a_valid_key_take_nothing_from_a_clients_rate(platform):
    for _ in range(3 * RATE):
        assert status_of_key(platform, f"{key_of('robbed')}-but-wrong") == 401
    assert [status(platform, "robbed") for _ in range(RATE + 1)] == [200] * RATE + [429]


def test_the_list_of_models_takes_nothing_from_a_clients_rate(platform):
    for _ in range(3 * RATE):
        assert status_of_key(platform, key_of("reader")) == 200
    assert [status(platform, "reader") for _ in range(RATE + 1)] == [200] * RATE + [429]


@contextlib.contextmanager
def held(platform, count, client="broad"):
    """This many streams of a client, open and silent."""
    platform.replicas["qwen3-8b"][0].faults = Faults(seconds_to_first_token=NEVER)
    with contextlib.ExitStack() as stack:
        caller = stack.enter_context(platform.client(client))
        for _ in range(count):
            stack.enter_context(caller.with_streaming_response.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True))
        yield


def unfinished(platform):
    return platform.replicas["qwen3-8b"][0].engine.unfinished


def test_as_many_requests_as_allowed_are_in_flight_and_not_one_more(platform):
    with held(platform, IN_FLIGHT):
        assert unfinished(platform) == IN_FLIGHT
        for _ in range(2 * WORKERS):
            answer = send(platform.gateway.port, request("/v1/chat/completions", chat(), client="broad"))
            assert (answer.status, answer.error["code"], answer.error["type"]) == (429, "concurrency_limit_exceeded", "requests")
            assert int(answer.headers["retry-after"]) >= 1
            assert platform.logged(answer.request_id)["client"] == "broad"
        assert unfinished(platform) == IN_FLIGHT
        with (
            platform.client("steady") as client,
            client.with_streaming_response.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True) as other,
        ):
            assert other.status_code == 200


def test_a_client_that_hangs_up_may_ask_again(platform):
    for _ in range(3):
        with held(platform, IN_FLIGHT):
            assert unfinished(platform) == IN_FLIGHT
        wait_for(lambda: unfinished(platform) == 0)
    platform.heal()
    assert status(platform, "broad") == 200


def test_the_limit_holds_whichever_worker_threads_the_requests_come_to(platform):
    """Every connection goes to one of Envoy's threads, and the limit is of all of them."""
    most, lock, at_once = 0, threading.Lock(), 24
    server = platform.replicas["qwen3-8b"][0]
    server.faults = Faults(seconds_to_first_token=0.05)

    def ask(_):
        nonlocal most
        answer = send(platform.gateway.port, request("/v1/chat/completions", chat(), client="broad"))
        with lock:
            most = max(most, server.engine.unfinished)
        return answer.status

    with ThreadPoolExecutor(at_once) as pool:
        statuses = list(pool.map(ask, range(10 * at_once)))
    assert set(statuses) == {200, 429}
    assert statuses.count(200) == len(platform.received("qwen3-8b"))
    assert most <= IN_FLIGHT
    wait_for(lambda: unfinished(platform) == 0)


def test_all_that_is_allowed_runs_at_once_although_idle_connections_are_left_at_other_threads(platform):
    for _ in range(3 * WORKERS):
        assert status(platform, "broad") == 200
    with held(platform, IN_FLIGHT):
        assert unfinished(platform) == IN_FLIGHT


def test_two_keys_are_valid_while_a_client_changes_them_and_then_only_the_new_one(platform):
    gateway, old, new = platform.gateway, key_of("steady"), "sk-steady-and-new-0123456789"
    process = gateway.process.pid
    assert (status_of_key(platform, old), status_of_key(platform, new)) == (200, 401)
    gateway.configure(keys=gateway.keys | {"steady": f"{old} {new}"})
    gateway.wait_until(lambda: status_of_key(platform, new) == 200, WAIT_SECONDS, "the new key is not valid")
    assert status_of_key(platform, old) == 200
    gateway.configure(keys=gateway.keys | {"steady": new})
    gateway.wait_until(lambda: status_of_key(platform, old) == 401, WAIT_SECONDS, "the old key is still valid")
    assert status_of_key(platform, new) == 200
    assert status_of_key(platform, key_of("broad")) == 200
    assert gateway.process.pid == process


def test_what_is_in_flight_stays_counted_when_keys_change(platform):
    gateway, new = platform.gateway, "sk-steady-and-new-0123456789"
    with held(platform, IN_FLIGHT):
        gateway.configure(keys=gateway.keys | {"steady": new})
        gateway.wait_until(lambda: status_of_key(platform, new) == 200, WAIT_SECONDS, "the new key is not valid")
        assert status(platform, "broad") == 429


def test_a_key_whose_client_is_not_set_up_opens_nothing(platform):
    gateway, keys, key = platform.gateway, platform.gateway.keys, key_of("stranger")
    assert status_of_key(platform, key) == 401
    gateway.configure(keys=keys | {"stranger": key})
    everywhere = range(3 * WORKERS)  # at each worker thread
    gateway.wait_until(lambda: {status_of_key(platform, key) for _ in everywhere} == {403}, WAIT_SECONDS, "the key is not known")
    answer = send(gateway.port, request("/v1/chat/completions", chat(), client="stranger"))
    assert (answer.status, answer.error["code"]) == (403, "model_not_allowed")
    assert platform.received("qwen3-8b") == []
    gateway.configure(keys=keys)


def test_a_stream_goes_on_when_its_key_is_withdrawn(platform):
    gateway = platform.gateway
    platform.replicas["qwen3-8b"][0].faults = Faults(seconds_per_token=0.02)
    with platform.client("steady") as client:
        stream = client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
        next(stream)
        gateway.configure(keys=gateway.keys | {"steady": "sk-steady-and-new-0123456789"})
        gateway.wait_until(lambda: status_of_key(platform, key_of("steady")) == 401, WAIT_SECONDS, "the old key is still valid")
        assert sum(1 for chunk in stream if chunk.choices) >= 15


def test_no_key_reaches_a_model_server_or_a_log(platform):
    keys = [key_of("steady"), "sk-nobody-0123456789abcdef"]
    for key in keys:
        for _ in range(2):
            send(platform.gateway.port, request("/v1/chat/completions", chat(), client=None, authorization=f"Bearer {key}"))
        send(platform.gateway.port, request(f"/v1/models?key={key}", method="GET", client="steady", cookie=f"key={key}", user_agent=key))
    answer = send(platform.gateway.port, request("/v1/models", method="GET", client="steady"))
    platform.logged(answer.request_id)
    seen = repr([(one.headers.items(), one.body) for one in platform.received("qwen3-8b")])
    assert platform.clients_of("qwen3-8b") == ["steady", "steady"]
    for text in (seen, repr(platform.gateway.audit_log), platform.gateway.log):
        assert not [key for key in keys if key in text]
        assert "sk-" not in text


def test_two_authorization_headers_never_reach_a_model_server(platform):
    first, second = (f"Bearer {key_of(client)}" for client in ("steady", "other"))
    data = request("/v1/chat/completions", chat(), client="steady").replace(b"\r\n\r\n", f"\r\nauthorization: {second}\r\n\r\n".encode(), 1)
    assert first.encode() in data
    assert second.encode() in data
    send(platform.gateway.port, data)
    assert "sk-" not in repr([one.headers.items() for one in platform.received("qwen3-8b")])


def test_without_authentication_everybody_is_anonymous():
    with running({"qwen3-8b": Served()}, {}, authentication="none") as platform:
        answer = send(
            platform.gateway.port,
            request("/v1/chat/completions", chat(), client=None, x_gateway_client="somebody", authorization="Bearer x"),
        )
        assert answer.status == 200
        assert platform.logged(answer.request_id)["client"] == "anonymous"
        seen = platform.received("qwen3-8b")[0].headers
        assert not {"authorization", "x-gateway-client"} & {name.lower() for name in seen}
