"""Clients beside OpenAI's: Anthropic's own, and Apache's HttpClient by the bytes that it sends."""

import base64
import json

import pytest

from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, key_of, running
from tests.dataplane.wire import chat, request, send
from tools.demo.model_server.requests import CHARACTERS_PER_TOKEN

MEGABYTE, MEBIBYTE = 1_000_000, 1024**2
HELLO = [{"role": "user", "content": "Hello, who are you?"}]
SIZES = pytest.mark.parametrize("megabytes", [2, 8, 30])
APACHE = {"connection": "Upgrade", "upgrade": "TLS/1.2", "user_agent": "Apache-HttpClient/5.4 (Java/21)"}


@pytest.fixture(scope="module")
def own_platform():
    server = {"max_model_len": 32 * MEBIBYTE // CHARACTERS_PER_TOKEN, "multimodal": True, "enable_auto_tool_choice": True}
    with running({"qwen3-8b": Served(server=server)}, {"team-a": {}}) as platform:
        yield platform


@pytest.fixture
def anthropics(platform):
    anthropic = pytest.importorskip("anthropic", reason="the client of Anthropic's is not installed")
    with anthropic.Anthropic(base_url=platform.gateway.url, api_key=key_of("team-a"), max_retries=0, timeout=WAIT_SECONDS) as client:
        yield client


def image(megabytes):
    """As base64."""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n".ljust(megabytes * MEGABYTE * 3 // 4, b"\x00")).decode()


def test_anthropics_client_is_answered_at_once_and_as_a_stream(platform, anthropics):
    answer = anthropics.messages.create(model="qwen3-8b", max_tokens=8, messages=HELLO, system="Be brief.")
    assert (answer.stop_reason, answer.usage.output_tokens, answer.content[0].text[:10]) == ("max_tokens", 8, "qwen3-8b/0")
    with anthropics.messages.stream(model="qwen3-8b", max_tokens=8, messages=HELLO, system="Be brief.") as stream:
        assert "".join(stream.text_stream) == answer.content[0].text
        assert stream.get_final_message().usage.output_tokens == 8
    lines = platform.gateway.wait_until(lambda: platform.gateway.audit_log[-2:], WAIT_SECONDS, "no lines")
    assert {(line["path"], line["client"], line["status"]) for line in lines} == {("/v1/messages", "team-a", 200)}
    assert {one.headers.get("x-api-key") for one in platform.received("qwen3-8b")} == {None}, "the key goes no further"


def test_anthropics_client_takes_tools_and_counts_tokens(anthropics):
    tool = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
    assert anthropics.messages.create(model="qwen3-8b", max_tokens=8, messages=HELLO, tools=[tool]).type == "message"
    assert anthropics.messages.count_tokens(model="qwen3-8b", messages=HELLO).input_tokens > 1


def test_anthropics_client_raises_what_fits(platform, anthropics):
    import anthropic

    with pytest.raises(anthropic.NotFoundError, match="no such model"):
        anthropics.messages.create(model="absent", max_tokens=8, messages=HELLO)
    with pytest.raises(anthropic.BadRequestError, match="empty conversation"):
        anthropics.messages.create(model="qwen3-8b", max_tokens=8, messages=[])
    with pytest.raises(anthropic.AuthenticationError):
        anthropics.with_options(api_key="another").messages.create(model="qwen3-8b", max_tokens=8, messages=HELLO)


@SIZES
def test_anthropics_client_sends_an_image(platform, anthropics, megabytes):
    source = {"type": "base64", "media_type": "image/png", "data": image(megabytes)}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    answer = anthropics.messages.create(model="qwen3-8b", max_tokens=8, messages=[{"role": "user", "content": content}])
    assert answer.usage.output_tokens == 8
    assert len(platform.received("qwen3-8b")[-1].body) > megabytes * MEGABYTE


@SIZES
def test_apaches_client_sends_an_image(platform, megabytes):
    url = "data:image/png;base64," + image(megabytes)
    body = json.dumps(
        dict(chat()) | {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    ).encode()
    assert send(platform.gateway.port, request("/v1/chat/completions", body, **APACHE)).status == 200
    assert platform.received("qwen3-8b")[-1].body == body


def test_apaches_client_has_long_texts_and_many_ids_embedded(platform):
    """Ids are what LangChain sends by default."""
    for given in (["tulips and daffodils " * (30 * MEGABYTE // 21)], [list(range(10_000, 12_000))] * 2_000):
        body = json.dumps({"model": "qwen3-8b", "input": given}).encode()
        answer = send(platform.gateway.port, request("/v1/embeddings", body, **APACHE))
        assert (answer.status, len(answer.json["data"])) == (200, len(given))
