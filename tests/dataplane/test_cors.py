"""CORS: browsers may call from pages of allowed origins only; other clients are not affected."""

import pytest

from tests.dataplane.gateway_under_test import Served, running
from tests.dataplane.wire import chat, request, send

PAGE = "https://chat.example.com"
ASKED = {"access_control_request_method": "POST", "access_control_request_headers": "authorization,content-type,x-stainless-os"}


@pytest.fixture(scope="module")
def own_platform():
    with running({"qwen3-8b": Served()}, {"team-a": {}}, cors={"origins": [PAGE, "http://localhost:3000"]}) as platform:
        yield platform


def asked_before(platform, origin):
    """A browser's preflight request, which has no key."""
    return send(platform.gateway.port, request("/v1/chat/completions", method="OPTIONS", client=None, origin=origin, **ASKED))


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_a_browser_may_send_what_a_page_of_an_origin_asks(platform, origin):
    answer = asked_before(platform, origin)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert {"authorization", "*"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat(), origin=origin))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
    assert "retry-after" in answer.headers["access-control-expose-headers"]


def test_a_page_reads_why_it_was_refused(platform):
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat(), client="nobody", origin=PAGE))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, PAGE)


@pytest.mark.parametrize("origin", ["https://chat.example.com.evil.com", "http://chat.example.com", "null"])
def test_a_page_of_another_origin_gets_nowhere(platform, origin):
    answer = asked_before(platform, origin)
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] is None
    assert (
        send(platform.gateway.port, request("/v1/chat/completions", chat(), origin=origin)).headers["access-control-allow-origin"] is None
    )


def test_an_asterisk_lets_any_page_ask():
    with running({"qwen3-8b": Served()}, {"team-a": {}}, cors={"origins": ["*"]}) as platform:
        assert asked_before(platform, "https://any.example.com").headers["access-control-allow-origin"] == "https://any.example.com"
        assert send(platform.gateway.port, request("/v1/chat/completions", chat(), client=None)).status == 401
