"""A request's way as a trace: what it was, whose and how long; never a prompt, never a key."""

import pytest

from tests.dataplane.collector import collecting
from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, key_of, running
from tests.dataplane.wire import chat, request, send

SECRET = "Tell nobody: tulips."
SERVER, CLIENT = 2, 3  # of OTLP's SpanKind
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MODELS, CLIENTS = {"qwen3-8b": Served(names=("qwen3-8b", "chat"))}, {"team-a": {"models": ["qwen3-8b"]}}


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def own_platform(collector):
    with running(MODELS, CLIENTS, tracing=_to(collector, 100)) as platform:
        yield platform


def _to(collector, percent):
    return {"endpoint": f"http://127.0.0.1:{collector.port}", "endpointRange": "10.0.0.0/8", "samplingPercent": percent}


def spans_of(platform, collector, request_id, kind=SERVER):
    def found():
        return [span for span in collector.spans if span.attributes.get("request_id") == request_id and span.kind == kind]

    return platform.gateway.wait_until(found, WAIT_SECONDS, f"no span of {request_id}")


def test_a_span_says_of_a_request_what_its_line_in_the_audit_log_says(platform, collector):
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat("chat")))
    [span] = spans_of(platform, collector, answer.request_id)
    line = platform.logged(answer.request_id)
    assert (span.service, span.name) == ("gateway", "POST /v1/chat/completions")
    for name in ("client", "model", "colour", "prompt_tokens", "completion_tokens"):
        assert span.attributes[name] == str(line[name]), name
    assert (span.attributes["client"], span.attributes["model"]) == ("team-a", "qwen3-8b")
    assert span.attributes["http.status_code"] == "200"
    assert collector.paths == {"/v1/traces"}


def test_a_refusal_has_a_span_too(platform, collector):
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat("absent")))
    assert answer.status == 404
    [span] = spans_of(platform, collector, answer.request_id)
    assert (span.attributes["client"], span.attributes["http.status_code"]) == ("team-a", "404")


def test_the_model_server_continues_the_trace(platform, collector):
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat("chat")))
    [server] = spans_of(platform, collector, answer.request_id)
    [attempt] = spans_of(platform, collector, answer.request_id, CLIENT)
    [received] = [one for one in platform.received("qwen3-8b") if one.headers["x-request-id"] == answer.request_id]
    assert received.headers["traceparent"] == f"00-{attempt.trace}-{attempt.id}-01"
    assert (attempt.trace, attempt.parent) == (server.trace, server.id)


def test_a_clients_own_trace_goes_on(platform, collector):
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat("chat"), traceparent=f"00-{TRACE}-{PARENT}-01"))
    [span] = spans_of(platform, collector, answer.request_id)
    assert (span.trace, span.parent) == (TRACE, PARENT)


def test_neither_prompts_nor_answers_nor_keys_are_in_any_span(platform, collector):
    said = {"messages": [{"role": "user", "content": SECRET}]}
    key = key_of("team-a")
    asked = [
        request("/v1/chat/completions", chat("chat", **said)),
        request("/v1/chat/completions", chat("chat", stream=True, **said), x_session_id=SECRET, baggage=f"prompt={SECRET}"),
        request(f"/v1/chat/completions?key={key}&q=tulips", chat("chat", **said)),
        request("/v1/chat/completions", chat(SECRET)),
        request("/v1/chat/completions", SECRET.encode()),
    ]
    answers = [send(platform.gateway.port, one) for one in asked]
    for answer in answers:
        assert spans_of(platform, collector, answer.request_id)
    assert {span.kind for span in collector.spans} == {SERVER, CLIENT}
    for body in collector.bodies:
        assert b"tulips" not in body
        assert key.encode() not in body


def test_what_is_not_sampled_sends_nothing_and_tells_the_model_server_so(collector):
    """A model server that is told nothing would decide anew; and no client can have more traced than the setting allows."""
    with running(MODELS, CLIENTS, tracing=_to(collector, 0)) as platform:
        before = len(collector.spans)
        for traceparent in (None, f"00-{TRACE}-{PARENT}-01"):
            send(platform.gateway.port, request("/v1/chat/completions", chat("chat"), traceparent=traceparent))
        own, continued = (one.headers["traceparent"] for one in platform.received("qwen3-8b"))
        assert own.endswith("-00")
        assert continued.startswith(f"00-{TRACE}-")
        assert continued.endswith("-00")
    assert len(collector.spans) == before


def test_without_the_setting_a_clients_trace_passes_as_it_is():
    with running(MODELS, CLIENTS) as platform:
        traceparent = f"00-{TRACE}-{PARENT}-01"
        send(platform.gateway.port, request("/v1/chat/completions", chat("chat"), traceparent=traceparent))
        [received] = platform.received("qwen3-8b")
        assert received.headers["traceparent"] == traceparent
