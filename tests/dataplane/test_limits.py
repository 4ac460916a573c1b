"""At the limit of its connections or of its memory the gateway says so to clients, and is well for those who look after it."""

import contextlib
import json
import socket
import ssl
import subprocess
import time
import urllib.request

import pytest

import planning.gateway
from components.gateway import pod
from components.gateway.envoy import bootstrap, listeners
from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, running
from tests.dataplane.test_http2 import Connection
from tests.dataplane.test_tls import certificate, needs_openssl
from tests.dataplane.wire import chat, request, send
from tools.demo.local_gateway import swap_files

CONNECTIONS, PATIENCE_SECONDS = 20, 1


def operations(platform):
    url = f"http://127.0.0.1:{platform.gateway.operations_port}/ready"
    return urllib.request.urlopen(url, timeout=WAIT_SECONDS).status


def probe(platform):
    """As the kubelet runs it."""
    return subprocess.run(pod.probe_command(platform.gateway.admin_port), check=False, timeout=WAIT_SECONDS).returncode


@pytest.fixture
def few_connections(monkeypatch):
    monkeypatch.setattr(bootstrap, "MOST_CONNECTIONS", CONNECTIONS)
    monkeypatch.setattr(listeners, "HEADERS_SECONDS", PATIENCE_SECONDS)


@contextlib.contextmanager
def connections(platform, beginning):
    """As many as there may be, and more; each says no more than this."""
    with contextlib.ExitStack() as stack:
        for _ in range(2 * CONNECTIONS):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", platform.gateway.port)))
            with contextlib.suppress(ConnectionError):
                one.sendall(beginning)
        yield


def served(ask):
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        return ask()
    return False


@pytest.mark.parametrize("beginning", [b"", b"P", b"POST /v1/chat/completions HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n"])
def test_connections_that_say_nothing_keep_nobody_out(few_connections, beginning):
    with running({"qwen3-8b": Served()}, {"team-a": {}}) as platform, connections(platform, beginning):
        assert operations(platform) == 200
        began = time.monotonic()
        data = request("/v1/chat/completions", chat())
        platform.gateway.wait_until(lambda: served(lambda: send(platform.gateway.port, data).status == 200), WAIT_SECONDS, "never served")
        assert time.monotonic() - began < WAIT_SECONDS / 2


@needs_openssl
@pytest.mark.parametrize("beginning", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 100])
def test_handshakes_that_do_not_end_keep_nobody_out(few_connections, tmp_path, beginning):
    folder = tmp_path / "mounted"
    folder.mkdir()
    swap_files(folder, certificate(tmp_path, "gateway"))
    with running({"qwen3-8b": Served()}, {"team-a": {}}, tls=folder) as platform, connections(platform, beginning):
        address = ("127.0.0.1", platform.gateway.port)
        platform.gateway.wait_until(
            lambda: served(lambda: ssl.get_server_certificate(address, timeout=WAIT_SECONDS)), WAIT_SECONDS, "no handshake"
        )


def test_at_the_limit_of_its_memory_it_refuses_requests_and_is_no_dead_pod(monkeypatch):
    """A heap that is too small for Envoy itself: full from the start."""
    monkeypatch.setattr(planning.gateway, "HEAP_SHARE", 0.005)
    with running({"qwen3-8b": Served()}, {"team-a": {}}) as platform:
        data = request("/v1/chat/completions", chat())
        platform.gateway.wait_until(lambda: send(platform.gateway.port, data).status == 503, WAIT_SECONDS, "it takes what it cannot hold")
        answer = send(platform.gateway.port, data)
        assert (answer.status, answer.error["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert operations(platform) == 200
        assert probe(platform) == 0


def test_streams_whose_clients_do_not_read_are_reset_before_anybody_else_is_refused(monkeypatch):
    monkeypatch.setattr(planning.gateway, "HEAP_SHARE", 0.04)
    body = json.dumps(chat(n=8000)).encode()  # its answer has more than a megabyte, which Envoy keeps until it is read
    resets = "envoy.overload_actions.reset_high_memory_stream.count"
    with running({"qwen3-8b": Served()}, {"team-a": {}}) as platform, contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(contextlib.closing(Connection(platform.gateway.port))).ask(body=body, content_length=str(len(body)))

        def are_reset():
            assert send(platform.gateway.port, request("/v1/chat/completions", chat())).status == 200
            return platform.gateway.stats(resets)[resets]

        platform.gateway.wait_until(are_reset, WAIT_SECONDS, "no stream is reset")
        assert send(platform.gateway.port, request("/v1/chat/completions", chat())).status == 200


def test_the_probe_sees_an_envoy_that_is_gone():
    with running({"qwen3-8b": Served()}, {"team-a": {}}) as platform:
        assert probe(platform) == 0
        platform.gateway.process.kill()
        platform.gateway.process.wait()
        assert probe(platform) != 0
