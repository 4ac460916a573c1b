"""Bodies of every size up to `maxBodyMiB` pass, however they are sent; what is larger is refused in words."""

import json

import httpx2
import pytest

from components.gateway.envoy.listeners import STREAM_BUFFER_BYTES
from tests.dataplane.gateway_under_test import Served, key_of, running
from tests.dataplane.wire import chat
from tools.demo.model_server.engine import CHARACTERS_PER_TOKEN

MEGABYTE, MEBIBYTE = 1_000_000, 1024**2
LIMIT = 32 * MEBIBYTE  # the default of maxBodyMiB
PIECE = 50_000


@pytest.fixture(scope="module")
def own_platform():
    with running({"qwen3-8b": Served(server={"max_model_len": LIMIT // CHARACTERS_PER_TOKEN})}, {"team-a": {}}) as platform:
        yield platform


@pytest.fixture(params=["Content-Length", "chunked", "HTTP/2", "HTTP/2 without a length"])
def post(platform, request):
    """Sends a body as this client sends it."""
    http_2, whole = "HTTP/2" in request.param, request.param in ("Content-Length", "HTTP/2")
    headers = {"authorization": f"Bearer {key_of('team-a')}", "content-type": "application/json"}

    def send(path, body):
        with httpx2.Client(http1=not http_2, http2=http_2, timeout=60) as client:
            content = body if whole else (body[start : start + PIECE] for start in range(0, len(body), PIECE))
            answer = client.post(f"{platform.gateway.url}{path}", content=content, headers=headers)
            assert answer.http_version == ("HTTP/2" if http_2 else "HTTP/1.1")
            return answer

    return send


def padded(size):
    return json.dumps(chat()).encode().ljust(size)


@pytest.mark.parametrize("size", [65_536, STREAM_BUFFER_BYTES, 2 * STREAM_BUFFER_BYTES, LIMIT])
def test_a_body_on_either_side_of_a_buffers_size_passes_and_arrives_whole(platform, post, size):
    for body in (padded(size), padded(min(size + 1, LIMIT))):
        assert post("/v1/chat/completions", body).status_code == 200
        assert platform.received("qwen3-8b")[-1].body == body


@pytest.mark.parametrize("post", ["Content-Length", "chunked", "HTTP/2 without a length"], indirect=True)
def test_a_body_over_the_limit_is_refused(platform, post):
    """HTTP/2 with a length: see its own file, for this client trips over an answer that comes before it has sent everything."""
    answer = post("/v1/chat/completions", padded(LIMIT + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert platform.total_received() == 0


@pytest.mark.parametrize("megabytes", [2, 8, 30])
def test_an_image_reaches_the_model(platform, megabytes):
    url = "data:image/png;base64," + "iVBORw0KGgo/" * (megabytes * MEGABYTE // 12)
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    with platform.client() as client:
        answer = client.chat.completions.create(model="qwen3-8b", messages=[{"role": "user", "content": content}])
    assert answer.usage.completion_tokens == 16
    assert len(platform.received("qwen3-8b")[-1].body) > megabytes * MEGABYTE


def test_a_long_text_is_embedded(platform):
    with platform.client() as client:
        answer = client.embeddings.create(model="qwen3-8b", input="tulips and daffodils " * (30 * MEGABYTE // 21))
    assert answer.usage.prompt_tokens > MEGABYTE
