"""A gateway pod leaves: what is under way ends well, what comes is answered and sent elsewhere, and the wait is no longer than needed."""

import contextlib
import socket

from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, running
from tests.dataplane.wire import chat, request, send
from tools.model_server import Faults

AT_MOST_SECONDS = 60


@contextlib.contextmanager
def idle_connection(platform):
    with socket.create_connection(("127.0.0.1", platform.gateway.port)) as connection:
        connection.sendall(request("/v1/models", method="GET"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        yield


def test_open_streams_end_well_and_new_requests_are_told_to_go_elsewhere():
    """An idle connection holds nothing up."""
    with running({"qwen3-8b": Served()}, {"team-a": {}}) as platform, platform.client() as client, idle_connection(platform):
        platform.replicas["qwen3-8b"][0].faults = Faults(seconds_per_token=0.8)
        stream = client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
        next(stream)
        before = send(platform.gateway.port, request("/v1/models", method="GET"))
        assert before.headers["connection"] is None
        leaving = platform.gateway.drain(AT_MOST_SECONDS)
        platform.gateway.wait_until(
            lambda: send(platform.gateway.port, request("/v1/models", method="GET")).headers["connection"] == "close",
            WAIT_SECONDS,
            "connections are kept",
        )
        assert send(platform.gateway.port, request("/v1/chat/completions", chat(max_tokens=1))).status == 200
        assert sum(1 for chunk in stream if chunk.choices) == 16
        assert leaving.poll() is None, "it left before its streams had ended"
        assert leaving.wait(AT_MOST_SECONDS / 2) == 0


def test_a_stream_that_does_not_end_holds_it_no_longer_than_it_may():
    with running({"qwen3-8b": Served()}, {"team-a": {}}) as platform, platform.client() as client:
        platform.replicas["qwen3-8b"][0].faults = Faults(seconds_per_token=3600)
        with client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True) as stream:
            next(stream)
            assert platform.gateway.drain(1).wait(WAIT_SECONDS) == 0
            assert platform.replicas["qwen3-8b"][0].engine.unfinished == 1, "drained, not cut"
