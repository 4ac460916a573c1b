"""A gateway pod leaves: what is under way ends well, what comes is answered and sent elsewhere, and the wait is no longer than needed.

A replica leaves: what has not ended by then breaks off, as soon as it can be known.
"""

import contextlib
import socket
import time

import httpx2
import openai
import pytest

from planning.drain import GKE_SPOT, MARGIN_SECONDS, ON_DEMAND, OTHER_SPOT
from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, running
from tests.dataplane.wire import chat, request, send
from tools.demo.model_server import Faults

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


def begun(client, tokens):
    """A stream of which so many tokens have come."""
    stream = client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
    contents = [chunk.choices[0].delta.content for _, chunk in zip(range(tokens + 1), stream, strict=False)]
    assert len([content for content in contents if content]) == tokens
    return stream


def breaks_off(stream):
    """Seconds until a client is told that the rest will not come."""
    began = time.monotonic()
    with pytest.raises((openai.APIError, httpx2.RemoteProtocolError)):
        list(stream)
    return time.monotonic() - began


def test_a_stream_that_outlasts_its_replicas_drain_is_silent_until_the_kubelet_kills_it_and_then_breaks_off():
    """vLLM ends its engine and not the stream, which the gateway cannot tell from a long thought."""
    with running({"qwen3-8b": Served()}, {"team-a": {}}) as platform, platform.client() as client:
        [replica] = platform.replicas["qwen3-8b"]
        replica.faults = Faults(silent_after_tokens=3)
        stream = begun(client, 3)
        before = time.monotonic()
        while time.monotonic() < before + MARGIN_SECONDS:
            assert replica.engine.unfinished == 1
            time.sleep(0.1)
        platform.stop("qwen3-8b")  # SIGKILL
        assert breaks_off(stream) < 5
        line = platform.gateway.wait_until(lambda: platform.gateway.audit_log, WAIT_SECONDS, "no line")[-1]
        assert (line["status"], line["model"]) == (200, "qwen3-8b")
        assert line["flags"] in {"UC", "UPE"}
    for drain in (ON_DEMAND, GKE_SPOT, OTHER_SPOT):
        assert drain.grace_period - drain.pre_stop - drain.shutdown_timeout == MARGIN_SECONDS


def test_a_stream_of_a_replica_that_nobody_kills_breaks_off_after_the_longest_silence():
    with running({"qwen3-8b": Served()}, {"team-a": {}}, timeouts={"idleSeconds": 1}) as platform, platform.client() as client:
        platform.replicas["qwen3-8b"][0].faults = Faults(silent_after_tokens=3)
        assert breaks_off(begun(client, 3)) < 5
