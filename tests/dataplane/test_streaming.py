"""A stream reaches its client as it is made: nothing in between waits for more of it."""

import asyncio

import pytest

from tests.dataplane.gateway_under_test import HELLO, Served, running
from tests.dataplane.wire import chat, request, send
from tests.model_servers import wait_for
from tools.demo.model_server import Faults

TOKENS = 20
NEVER = 3600.0


@pytest.fixture(scope="module")
def own_platform():
    with running({"qwen3-8b": Served(server={"answer_tokens": TOKENS})}, {"team-a": {}}) as platform:
        yield platform


def the_server(platform):
    return platform.replicas["qwen3-8b"][0]


def test_each_token_arrives_while_the_next_one_is_not_made_yet(platform):
    """The server makes a token only when the test says so, after it has read the one before."""
    server, sequence = the_server(platform), []
    gate = asyncio.Queue()

    async def wait_at_gate(*_):
        await gate.get()
        return 0

    with pytest.MonkeyPatch.context() as patch, platform.client() as client:
        patch.setattr("tools.demo.model_server.engine.asyncio.sleep", wait_at_gate)
        server.faults = Faults(seconds_to_first_token=1, seconds_per_token=1)
        stream = client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
        for number in range(TOKENS):
            platform.fleet.loop.call_soon_threadsafe(gate.put_nowait, None)
            sequence.append(next(chunk.choices[0].delta.content for chunk in stream if chunk.choices and chunk.choices[0].delta.content))
            assert number == TOKENS - 1 or server.engine.unfinished, "it came only when the answer was whole"
        last = list(stream)
    assert sequence[5:] == [f" {number}" for number in range(1, TOKENS - 4)]
    assert last[-1].usage.completion_tokens == TOKENS


def test_the_headers_of_a_stream_arrive_before_its_first_token(platform):
    the_server(platform).faults = Faults(seconds_to_first_token=NEVER)
    answers = platform.client()
    with answers as client, client.with_streaming_response.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in answer.headers
        assert the_server(platform).engine.unfinished == 1


def test_a_stream_is_byte_for_byte_what_the_model_server_sent(platform):
    body = send(platform.gateway.port, request("/v1/chat/completions", chat(stream=True))).body
    events = body.split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    assert len(events) == TOKENS + 4  # the role, the usage, [DONE], and what follows the last separator
    assert all(event.startswith(b"data: ") for event in events[:-1])


def test_what_is_no_server_sent_event_passes_as_it_is(platform):
    the_server(platform).faults = Faults(malformed_stream=True)
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat(stream=True)))
    assert b"\xff\xfe" in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert platform.logged(answer.request_id)["completion_tokens"] == TOKENS


def test_a_client_that_hangs_up_ends_its_request_at_the_model_server(platform):
    the_server(platform).faults = Faults(seconds_per_token=NEVER)
    with platform.client() as client:
        with client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True) as stream:
            next(stream)
            assert the_server(platform).engine.unfinished == 1
        wait_for(lambda: the_server(platform).engine.unfinished == 0)


def test_the_usage_of_a_stream_comes_at_its_end_for_openais_client(platform):
    with platform.client() as client:
        chunks = list(client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True, stream_options={"include_usage": True}))
        with client.responses.stream(model="qwen3-8b", input="Hello") as events:
            final = events.get_final_response()
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == TOKENS
    assert final.usage.output_tokens == TOKENS
