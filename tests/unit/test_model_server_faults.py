"""The stand-in model server is overloaded, breaks and drains as a real one, and only when told to."""

import asyncio
import socket
import urllib.error

import openai
import pytest

from tests.model_servers import DEADLINE_SECONDS, HELLO, client_of, counted, get, one_server, post, wait_for
from tools.demo.model_server import HEALTHY, Faults

CHAT = {"model": "chat", "messages": HELLO}
NEVER = 3600.0  # seconds: longer than any test
PATIENCE = openai.Timeout(DEADLINE_SECONDS, read=0.2)


@pytest.fixture
def server():
    with one_server() as (server, _):
        yield server


@pytest.fixture
def client(server):
    with client_of(server) as client:
        yield client


def streamed(client):
    return client.chat.completions.create(model="chat", messages=HELLO, stream=True)


def left_open(server, length=19):
    """A request that is sent, or so many bytes of its body, and whose answer nobody reads."""
    connection = socket.create_connection((server.settings.host, server.port), timeout=DEADLINE_SECONDS)
    body = b'{"prompt": "Hello"}'[:length]
    head = b"POST /v1/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n"
    connection.sendall(head + body)
    return connection


def test_requests_over_the_batch_wait_and_those_over_the_queue_are_turned_away():
    with one_server(max_num_seqs=1, max_num_queued_reqs=2, seconds_to_first_token=NEVER) as (server, _):
        with left_open(server), left_open(server):
            wait_for(lambda: counted(server, "vllm:num_requests_waiting") == 1)
            assert counted(server, "vllm:num_requests_running") == 1
            assert 0 < counted(server, "vllm:kv_cache_usage_perc") < 1
            status, answer = post(server, "/v1/chat/completions", CHAT)
            assert (status, answer["error"]["type"]) == (503, "Service Unavailable")
            assert counted(server, "vllm:admission_rejections_total", reason="max_num_queued_reqs") == 1
        wait_for(lambda: counted(server, "vllm:request_success_total", finished_reason="abort") == 2)
        assert counted(server, "vllm:kv_cache_usage_perc") == counted(server, "vllm:num_requests_waiting") == 0


def test_a_place_in_the_batch_is_free_again_when_its_client_has_gone():
    with one_server(max_num_seqs=1) as (server, _), client_of(server) as client:
        server.faults = Faults(seconds_to_first_token=NEVER)
        with left_open(server):
            wait_for(lambda: counted(server, "vllm:num_requests_running") == 1)
        server.faults = HEALTHY
        assert client.chat.completions.create(model="chat", messages=HELLO).usage.completion_tokens == 16


def test_a_request_that_is_cut_short_is_recorded_without_its_body(server):
    with left_open(server, length=5):
        pass
    wait_for(lambda: server.received)
    assert (server.received[0].path, server.received[0].body) == ("/v1/completions", b"")
    assert counted(server, "vllm:num_requests_running") == 0


def test_headers_of_a_stream_come_before_its_first_token(server, client):
    server.faults = Faults(seconds_to_first_token=NEVER)
    with client.with_streaming_response.chat.completions.create(model="chat", messages=HELLO, stream=True) as raw:
        assert raw.status_code == 200
        wait_for(lambda: counted(server, "vllm:num_requests_running") == 1)


@pytest.mark.parametrize("on_health", [False, True])
def test_a_busy_server_says_so_on_health_only_if_told(server, client, on_health):
    server.faults = Faults(busy=True, on_health=on_health)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="chat", messages=HELLO)
    assert caught.value.status_code == 503
    if on_health:
        with pytest.raises(urllib.error.HTTPError, match="503"):
            get(server, "/health")
    else:
        assert get(server, "/health") == b""


@pytest.mark.parametrize("on_health", [False, True])
def test_a_hanging_server_accepts_and_never_answers(server, on_health):
    server.faults = Faults(hang=True, on_health=on_health)
    with client_of(server, timeout=PATIENCE) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="chat", messages=HELLO)
    if on_health:
        with client_of(server, timeout=PATIENCE) as client, pytest.raises(openai.APITimeoutError):
            client.get(f"{server.url}/health", cast_to=str)
    else:
        assert get(server, "/health") == b""
    wait_for(lambda: server.received)
    assert server.received[0].path == "/v1/chat/completions"


def test_a_server_that_dies_resets_the_stream_after_the_tokens_it_was_given(server, client):
    server.faults = Faults(die_after_tokens=3)
    stream = streamed(client)
    assert [next(stream).choices[0].delta.content for _ in range(4)] == ["", "qwen3-8b-0", " read", " 9"]
    with pytest.raises(openai.APIConnectionError):
        next(stream)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="chat", messages=HELLO)
    wait_for(lambda: counted(server, "vllm:request_success_total", finished_reason="abort") == 2)


def test_a_malformed_stream_is_no_stream_to_a_client(server, client):
    server.faults = Faults(malformed_stream=True)
    with pytest.raises(ValueError, match="codec can't decode"):
        list(streamed(client))


def test_a_draining_server_is_healthy_finishes_its_requests_and_fails_new_ones():
    with one_server(max_num_seqs=1) as (server, _), client_of(server) as client:
        server.faults = Faults(seconds_to_first_token=NEVER)
        with left_open(server) as before:
            wait_for(lambda: counted(server, "vllm:num_requests_running") == 1)
            server.faults = HEALTHY
            with client.with_streaming_response.chat.completions.create(model="chat", messages=HELLO, stream=True) as raw:
                server.faults = Faults(draining=True)
                status, answer = post(server, "/v1/chat/completions", CHAT)
                assert (status, answer["error"]["type"]) == (500, "InternalServerError")
                assert get(server, "/health") == b""
                before.close()
                assert b"".join(raw.iter_bytes()).endswith(b"data: [DONE]\n\n")


def test_a_stopped_server_refuses_connections_and_comes_back_on_its_port():
    with one_server() as (server, servers), client_of(server) as client:
        server.faults = Faults(seconds_to_first_token=NEVER)
        with left_open(server) as connection:
            wait_for(lambda: counted(server, "vllm:num_requests_running") == 1)
            servers.run(server.stop())
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        with pytest.raises(openai.APIConnectionError):
            client.models.list()
        port, server.faults = server.port, HEALTHY
        servers.run(server.start())
        assert server.port == port
        assert client.chat.completions.create(model="chat", messages=HELLO).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("turns", range(8), ids=lambda turns: f"{turns} turns of the event loop after the connection")
def test_a_server_that_stops_while_connections_come_in_leaves_none_hanging(turns):
    """asyncio forgets, without closing it, a connection that it accepts in the turn in which its server closes."""

    async def connect_and_stop():
        connections = [left_open(server) for _ in range(8)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.stop()
        return connections

    with one_server() as (server, servers):
        server.faults = Faults(hang=True)
        for connection in servers.run(connect_and_stop()):
            with connection, pytest.raises(ConnectionResetError):
                connection.recv(1)
