"""Malformed requests cause no 5xx, do not bypass authentication, and never reach a wrong model."""

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dataplane import malformed
from tests.dataplane.gateway_under_test import WAIT_SECONDS, key_of
from tests.dataplane.wire import chat, exchange, request, send

EXAMPLES = 60
PATIENCE_SECONDS = 0.2
GATEWAYS_OWN = {"x-gateway-client", "x-gateway-model", "x-gateway-operation"}
quickly = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
bodies = pytest.mark.parametrize("body", malformed.BODIES.values(), ids=malformed.BODIES)
messages = pytest.mark.parametrize("message", malformed.MESSAGES.values(), ids=malformed.MESSAGES)


def answers(platform, data):
    """All responses until the connection closes or stays silent."""
    return list(exchange(platform.gateway.port, data, count=8, patience_seconds=PATIENCE_SECONDS))


def assert_nothing_slipped_through(platform, *clients):
    """Asserts that received requests are of these clients, for the model in the body, which the client may use."""
    for model in platform.replicas:
        for one, client in zip(platform.received(model), platform.clients_of(model), strict=True):
            assert client in clients
            assert one.path.startswith("/v1/")
            assert model in platform.gateway.plan.clients[client].models
            assert not [name for name in one.headers if name.lower().startswith("x-gateway-")]
            assert "authorization" not in one.headers
            assert "sk-" not in repr(one.headers.items())
            if (named := model_named(one.body)) is not None:
                assert named in platform.gateway.plan.models[model].names
    assert platform.gateway.process.poll() is None


def model_named(body):
    """The `model` of a body; None if the model server cannot parse the body and refuses it."""
    try:
        return json.loads(body)["model"]
    except (ValueError, RecursionError):
        return None


def assert_still_served(platform):
    assert send(platform.gateway.port, request("/v1/chat/completions", chat())).status == 200


@bodies
def test_a_malformed_body_is_refused_or_read_as_the_model_server_reads_it(platform, body):
    answer = send(platform.gateway.port, request("/v1/chat/completions", body))
    assert answer.status < 500
    assert answer.status == 200 or "detail" in answer.json or answer.json["error"]["message"]  # `detail`: of the model server's reader
    assert_nothing_slipped_through(platform, "team-a")
    assert_still_served(platform)


@bodies
def test_a_malformed_body_without_a_key_gets_nowhere(platform, body):
    answer = send(platform.gateway.port, request("/v1/chat/completions", body, client=None))
    assert answer.status == 401
    assert platform.total_received() == 0


@messages
def test_a_malformed_message_is_refused_and_smuggles_nothing(platform, message):
    assert all(answer.status < 500 for answer in answers(platform, message))
    assert_nothing_slipped_through(platform, "team-a")
    platform.heal()
    assert_still_served(platform)
    assert key_of("team-a") not in platform.gateway.log + repr(platform.gateway.audit_log)


@messages
def test_a_malformed_message_without_a_key_gets_nowhere(platform, message):
    without = b"".join(line for line in message.splitlines(keepends=True) if not line.lower().startswith(b"authorization"))
    assert {answer.status for answer in answers(platform, without)} <= {400, 401, 404, 408, 413, 426, 431}
    assert platform.total_received() == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.just("model"), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["qwen3-8b", "chat", "private", "meta/llama", "absent", ""]) | st.text(max_size=40)


@quickly
@given(body=st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_a_body_are_answered(platform, body):
    assert send(platform.gateway.port, request("/v1/chat/completions", body)).status < 500
    assert_nothing_slipped_through(platform, "team-a")


@quickly
@given(first=names, last=names, other=json_values, spaces=st.text(" \t\r\n", max_size=3))
def test_of_two_models_the_last_one_counts_here_and_there(platform, first, last, other, spaces):
    pairs = [("model", first), ("messages", []), ("x", other), ("model", last)]
    body = "{" + ",".join(f"{spaces}{json.dumps(key)}{spaces}:{json.dumps(value)}" for key, value in pairs) + "}"
    answer = send(platform.gateway.port, request("/v1/chat/completions", body.encode()))
    assert answer.status < 500
    if answer.status == 200:
        assert answer.headers["x-replica"].split("/")[0] in {"qwen3-8b", "llama"}
        assert last in platform.gateway.plan.models[answer.headers["x-replica"].split("/")[0]].names
    assert_nothing_slipped_through(platform, "team-a")


@quickly
@given(value=st.dictionaries(st.text(max_size=8) | st.just("model"), json_values, max_size=6), name=names, ascii_only=st.booleans())
def test_the_model_of_any_object_is_found_wherever_it_stands(platform, value, name, ascii_only):
    """With nested members, texts that look like JSON, and escapes."""
    body = json.dumps({"messages": []} | value | {"model": name}, ensure_ascii=ascii_only, indent=1 if ascii_only else None)
    answer = send(platform.gateway.port, request("/v1/chat/completions", body.encode("utf-8", "surrogatepass")))
    models = platform.gateway.plan.models
    expected = [model for model in models if name in models[model].names and model != "private"]
    assert [model for model in models if platform.received(model)] == expected
    assert answer.status < 500
    platform.heal()


@quickly
@given(data=st.binary(max_size=400))
def test_any_bytes_on_a_connection_get_nowhere(platform, data):
    assert {answer.status for answer in answers(platform, data + b"\r\n\r\n")} <= {400, 401, 404, 426, 431}
    assert platform.total_received() == 0


@quickly
@given(place=st.integers(0, 300), junk=st.binary(min_size=1, max_size=8))
def test_junk_anywhere_in_a_request_gives_no_other_clients_rights(platform, place, junk):
    data = request("/v1/chat/completions", chat(), connection="close")
    assert all(answer.status < 500 for answer in answers(platform, data[:place] + junk + data[place:]))
    for model in ("llama", "private", "embedder"):
        assert set(platform.clients_of(model)) <= {"team-a"}
    assert platform.received("private") == []


header_names = st.sampled_from([*sorted(GATEWAYS_OWN), "x-envoy-original-path", "x-forwarded-for", "host", "te", "cookie", "x-request-id"])


@quickly
@given(name=header_names, value=st.binary(max_size=40))
def test_any_value_of_a_header_leaves_the_request_its_clients_own(platform, name, value):
    head, _, body = request("/v1/chat/completions", chat(), connection="close").partition(b"\r\n\r\n")
    answered = answers(platform, head + b"\r\n" + name.encode() + b": " + value + b"\r\n\r\n" + body)
    assert all(answer.status < 500 for answer in answered)
    assert_nothing_slipped_through(platform, "team-a")


def test_requests_on_one_connection_are_each_on_their_own(platform):
    clients = ["team-b", "team-c", "team-b", None]
    data = b"".join(request("/v1/chat/completions", chat(model="private"), client=client) for client in clients)
    found = list(exchange(platform.gateway.port, data, count=len(clients)))
    assert [answer.status for answer in found] == [200, 200, 200, 401]
    assert platform.clients_of("private") == clients[:3]
    assert len({answer.request_id for answer in found}) == len(found)


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(platform):
    head, _, body = request("/v1/chat/completions", chat(), expect="100-continue").partition(b"\r\n\r\n")
    assert send(platform.gateway.port, head + b"\r\n\r\n" + body).status == 200


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_http_1_0_is_served(platform, streamed):
    data = request("/v1/chat/completions", chat(stream=streamed)).replace(b"HTTP/1.1", b"HTTP/1.0")
    with socket.create_connection(("127.0.0.1", platform.gateway.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(data)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 OK" in head.splitlines()[0]
    assert b"chunked" not in head
    assert body.endswith(b"data: [DONE]\n\n" if streamed else b"}")


def test_an_offer_to_upgrade_to_tls_is_ignored(platform):
    """Apache HttpClient, and so Spring, sends `upgrade: TLS/1.2` with every request on plain HTTP."""
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat(), connection="Upgrade", upgrade="TLS/1.2"))
    assert answer.status == 200


def test_a_header_with_an_underscore_is_left_out(platform):
    data = request("/v1/chat/completions", chat(), x_note="kept").replace(
        b"x-note", b"session_id: one\r\nx_gateway_client: team-c\r\nx-note"
    )
    assert send(platform.gateway.port, data).status == 200
    [seen] = platform.received("qwen3-8b")
    assert seen.headers["x-note"] == "kept"
    assert not [name for name in seen.headers if "_" in name]
