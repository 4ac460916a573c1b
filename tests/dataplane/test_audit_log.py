"""One line a request, whatever became of it: who, what, how long, how many tokens. Never a prompt, never a key."""

import json
import socket

import pytest

from tests.dataplane.conftest import MAX_BODY_MIB
from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, key_of, running
from tests.dataplane.wire import chat, request, send
from tests.model_servers import wait_for
from tools.demo.model_server import Faults

FIELDS = {
    "time", "request_id", "source", "client", "model", "colour", "method", "path", "status", "flags", "details", "duration_ms",
    "first_byte_ms", "attempts", "upstream", "prompt_tokens", "completion_tokens", "bytes_received", "bytes_sent",
}  # fmt: skip
SECRET = "Tell nobody: tulips."
NEVER = 3600.0


def test_a_line_says_who_asked_what_of_whom_and_what_it_took(platform):
    answer = send(
        platform.gateway.port, request("/v1/chat/completions?user=x", chat("chat", messages=[{"role": "user", "content": SECRET}]))
    )
    line = platform.logged(answer.request_id)
    assert line.keys() == FIELDS
    usage = answer.json["usage"]
    replica = next(one for one in platform.replicas["qwen3-8b"] if one.settings.replica == answer.headers["x-replica"])
    expected = {
        "source": "127.0.0.1",
        "client": "team-a",
        "model": "qwen3-8b",
        "colour": "blue",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "flags": "-",
        "details": "via_upstream",
        "attempts": 1,
        "upstream": f"127.0.0.1:{replica.port}",
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
    }
    assert expected.items() <= line.items()
    assert line["time"].endswith("Z")
    assert 0 <= line["first_byte_ms"] <= line["duration_ms"]
    assert line["bytes_received"] > 0
    assert line["bytes_sent"] == len(answer.body)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": HELLO, "max_tokens": 7}),
        ("/v1/completions", {"prompt": "Hello, who are you?", "max_tokens": 7}),
        ("/v1/responses", {"input": "Hello, who are you?", "max_output_tokens": 7}),
    ],
)
def test_tokens_of_every_kind_of_answer_are_counted(platform, path, body, streamed):
    answer = send(platform.gateway.port, request(path, body | {"model": "chat", "stream": streamed}))
    assert answer.status == 200
    line = platform.logged(answer.request_id)
    assert (line["completion_tokens"], line["prompt_tokens"] > 0) == (7, True)


def test_tokens_of_embeddings_are_counted(platform):
    with platform.client() as client:
        answer = client.embeddings.with_raw_response.create(model="embedder", input=["Hello, who are you?"] * 500)
    line = platform.logged(answer.headers["x-request-id"])
    assert line["prompt_tokens"] == answer.parse().usage.prompt_tokens > 500
    assert line["completion_tokens"] == 0


def test_what_a_prompt_or_an_answer_says_of_usage_counts_nothing(platform):
    content = '"usage": {"prompt_tokens": 999, "completion_tokens": 999} data: {"usage":{"completion_tokens":999}}'
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat(messages=[{"role": "user", "content": content}])))
    line = platform.logged(answer.request_id)
    assert line["completion_tokens"] == answer.json["usage"]["completion_tokens"] != 999


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("/v1/chat/completions", chat("absent")), {"status": 404, "client": "team-a", "model": None}),
        (request("/v1/chat/completions", chat("private")), {"status": 403, "client": "team-a"}),
        (request("/v1/chat/completions", {}), {"status": 400, "client": "team-a"}),
        (request("/v1/chat/completions", b"{"), {"status": 400, "client": "team-a"}),
        (request("/v1/chat/completions", b" " * (MAX_BODY_MIB * 1024**2 + 1)), {"status": 413}),
        (request("/v1/chat/completions", chat(), client="nobody"), {"status": 401, "client": None, "model": None}),
        (request("/v1/chat/completions", chat(), client=None, x_gateway_client="team-a"), {"status": 401, "client": None}),
        (request("/v1/chat/completions", chat(max_tokens=0)), {"status": 400, "client": "team-a", "model": "qwen3-8b"}),
        (request("/v1/models", method="GET"), {"status": 200, "client": "team-a", "path": "/v1/models"}),
        (request("/metrics", method="GET"), {"status": 404, "client": "team-a", "path": "/metrics"}),
        (request("/v1/chat/completions", chat(), connection="upgrade", upgrade="websocket"), {"status": 400}),
    ],
    ids=["unknown", "not allowed", "missing", "no JSON", "size", "key", "forged", "model server's own", "list", "outside", "upgrade"],
)
def test_every_refusal_has_its_line(platform, asked, expected):
    answer = send(platform.gateway.port, asked)
    assert answer.status == expected["status"]
    line = platform.logged(answer.request_id)
    assert line.keys() == FIELDS
    assert expected.items() <= line.items()


def lines_since(platform, before):
    """The lines of what was asked since then; all of them, once what was asked last has its own."""
    platform.logged(send(platform.gateway.port, request("/v1/models", method="GET")).request_id)
    return [line for line in platform.gateway.audit_log[before:] if line["path"] != "/v1/models"]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_client_that_hangs_up_has_one_line(platform, streamed):
    for server in platform.replicas["qwen3-8b"]:
        server.faults = Faults(seconds_to_first_token=NEVER)
    before = len(platform.gateway.audit_log)
    with socket.create_connection(("127.0.0.1", platform.gateway.port)) as connection:
        connection.sendall(request("/v1/chat/completions", chat(stream=streamed)))
        wait_for(lambda: platform.received("qwen3-8b"))
        assert not streamed or connection.recv(4).startswith(b"HTTP")
    wait_for(lambda: not any(server.engine.unfinished for server in platform.replicas["qwen3-8b"]))
    [line] = lines_since(platform, before)
    assert (line["client"], line["model"], line["status"]) == ("team-a", "qwen3-8b", 200 if streamed else 0)
    assert "DC" in line["flags"] or line["details"] == "downstream_remote_disconnect"


def test_a_client_that_hangs_up_before_its_body_is_whole_has_one_line(platform):
    before = len(platform.gateway.audit_log)
    with socket.create_connection(("127.0.0.1", platform.gateway.port)) as connection:
        connection.sendall(request("/v1/chat/completions", content_length="100") + b'{"model": "chat"')
        wait_for(lambda: platform.gateway.stats("^http.front.downstream_rq_active$")["http.front.downstream_rq_active"])
    platform.gateway.wait_until(lambda: len(platform.gateway.audit_log) > before, WAIT_SECONDS, "no line")
    [line] = lines_since(platform, before)
    assert (line["client"], line["model"], line["status"]) == ("team-a", None, 0)


def test_a_stream_that_a_replica_breaks_off_has_one_line(platform):
    for server in platform.replicas["qwen3-8b"]:
        server.faults = Faults(die_after_tokens=3)
    before = len(platform.gateway.audit_log)
    with pytest.raises(ConnectionError):
        send(platform.gateway.port, request("/v1/chat/completions", chat(stream=True)))
    [line] = lines_since(platform, before)
    assert (line["client"], line["model"], line["status"]) == ("team-a", "qwen3-8b", 200)
    assert line["flags"] in {"UC", "UPE"}


def test_neither_prompts_nor_answers_nor_keys_are_written_down(platform):
    for body in (
        chat(messages=[{"role": "user", "content": SECRET}]),
        chat(SECRET),
        chat("absent", user=SECRET),
        SECRET,
        {"prompt": SECRET},
    ):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        platform.logged(send(platform.gateway.port, request("/v1/chat/completions", data, x_session_id=SECRET)).request_id)
    for text in (repr(platform.gateway.audit_log), platform.gateway.log):
        assert "tulips" not in text
        assert key_of("team-a") not in text
        assert "read" not in text


def test_a_path_cannot_forge_a_line(platform):
    path = '/v1/x"}{"client":"team-b'
    answer = send(platform.gateway.port, request(path, chat()))
    line = platform.logged(answer.request_id)
    assert line["client"] == "team-a"
    assert line["path"].startswith("/v1/x")


FORWARDED = "192.0.2.66, 203.0.113.7, 198.51.100.1"
INGRESS = {"exposure": "ingress", "host": "llm.example.com", "insecure": True, "ingress": {"className": "nginx"}}
GOOGLE = {"exposure": "gke-gateway", "host": "llm.example.com", "gkeGateway": {"certificateMap": "map"}}


@pytest.mark.parametrize(
    ("exposure", "source"), [({}, "127.0.0.1"), (INGRESS, "198.51.100.1"), (GOOGLE, "203.0.113.7")], ids=["none", "ingress", "google"]
)
def test_a_requests_source_is_what_the_proxy_of_the_exposure_says_and_not_what_a_client_says(exposure, source):
    """A controller appends who has called it; Google's load balancer its own address as well."""
    with running({"qwen3-8b": Served()}, {"team-a": {}}, **exposure) as platform:
        for client, status in (("team-a", 200), ("nobody", 401)):
            answer = send(platform.gateway.port, request("/v1/models", method="GET", client=client, x_forwarded_for=FORWARDED))
            assert answer.status == status
            assert platform.logged(answer.request_id)["source"] == source
