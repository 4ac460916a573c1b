"""With a certificate the gateway speaks TLS and nothing else; a renewed one counts without a restart."""

import contextlib
import shutil
import socket
import ssl
import subprocess

import openai
import pytest

from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, running
from tests.dataplane.wire import request, send
from tools.demo.local_gateway import swap_files
from tools.demo.model_server import Faults

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl that makes a certificate")
pytestmark = needs_openssl


def certificate(folder, name):
    """The content of a Secret of type kubernetes.io/tls: a certificate of its own for 127.0.0.1."""
    key, crt = folder / f"{name}.key", folder / f"{name}.crt"
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command = ["openssl", "req", *options, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run(command, check=True, capture_output=True)
    return {"tls.crt": crt.read_text(), "tls.key": key.read_text()}


@pytest.fixture
def first(tmp_path):
    return certificate(tmp_path, "first")


@pytest.fixture
def mounted(tmp_path, first):
    """The folder where the kubelet mounts it."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    swap_files(folder, first)
    return folder


@pytest.fixture
def platform(mounted):
    with running({"qwen3-8b": Served()}, {"team-a": {}}, tls=mounted) as platform:
        yield platform


@contextlib.contextmanager
def client_that_trusts(platform, content):
    context = ssl.create_default_context(cadata=content["tls.crt"])
    with openai.DefaultHttpxClient(verify=context) as http, platform.client(http_client=http) as client:
        yield client


def shown(platform):
    return ssl.get_server_certificate(("127.0.0.1", platform.gateway.port), timeout=WAIT_SECONDS)


def test_a_client_verifies_the_gateway(platform, first):
    with client_that_trusts(platform, first) as client:
        assert client.chat.completions.create(model="qwen3-8b", messages=HELLO).usage.completion_tokens == 16
        assert list(client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True))


def test_openais_client_speaks_http_2_with_it(platform, first):
    context = ssl.create_default_context(cadata=first["tls.crt"])
    with openai.DefaultHttpxClient(verify=context, http2=True) as http, platform.client(http_client=http) as client:
        answer = client.chat.completions.with_raw_response.create(model="qwen3-8b", messages=HELLO)
        assert answer.http_response.http_version == "HTTP/2"
        assert answer.parse().usage.completion_tokens == 16
        contents = [
            chunk.choices[0].delta.content
            for chunk in client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
            if chunk.choices
        ]
        assert contents[-1] == " 11"


def test_a_client_that_knows_another_certificate_does_not_speak_to_it(platform, tmp_path):
    with client_that_trusts(platform, certificate(tmp_path, "other")) as client, pytest.raises(openai.APIConnectionError):
        client.models.list()


def test_nothing_is_answered_without_tls(platform):
    with pytest.raises(ConnectionError):
        send(platform.gateway.port, request("/v1/models", method="GET"))
    assert platform.total_received() == 0
    assert platform.gateway.audit_log == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_safe_are_spoken_and_http_2_is_offered(platform, first, version):
    context = ssl.create_default_context(cadata=first["tls.crt"])
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", platform.gateway.port), timeout=WAIT_SECONDS)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_a_renewed_certificate_is_shown_without_a_restart_and_streams_go_on(platform, mounted, first, tmp_path):
    process, renewed = platform.gateway.process.pid, certificate(tmp_path, "renewed")
    platform.replicas["qwen3-8b"][0].faults = Faults(seconds_per_token=0.05)
    assert shown(platform) == first["tls.crt"]
    with client_that_trusts(platform, first) as client:
        stream = client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
        next(stream)
        swap_files(mounted, renewed)
        platform.gateway.wait_until(lambda: shown(platform) == renewed["tls.crt"], WAIT_SECONDS, "the old one is shown")
        assert sum(1 for chunk in stream if chunk.choices) >= 15
    with client_that_trusts(platform, renewed) as client:
        assert client.models.list().data
    with client_that_trusts(platform, first) as client, pytest.raises(openai.APIConnectionError):
        client.models.list()
    assert platform.gateway.process.pid == process
