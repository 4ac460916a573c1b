"""The gateway's errors have OpenAI's format: its client raises the right exception, and no model server gets the request."""

import gzip
import json

import openai
import pytest

from tests.dataplane.conftest import MAX_BODY_MIB
from tests.dataplane.gateway_under_test import HELLO, key_of
from tests.dataplane.wire import chat, request, send

TOO_LARGE = MAX_BODY_MIB * 1024**2 + 1


def complaint(platform, path="/v1/chat/completions", body=None, **headers):
    """Status and code of an error that the gateway itself sends."""
    answer = send(platform.gateway.port, request(path, chat() if body is None else body, **headers))
    assert answer.error["message"]
    assert answer.error["type"] == "invalid_request_error"
    assert platform.total_received() == 0
    assert answer.request_id
    return answer.status, answer.error["code"]


@pytest.mark.parametrize(
    ("client_name", "ask", "error", "code"),
    [
        ("team-a", lambda client: client.chat.completions.create(model="absent", messages=HELLO), openai.NotFoundError, "model_not_found"),
        ("team-a", lambda client: client.embeddings.create(model="", input="Hello"), openai.BadRequestError, "missing_model"),
        (
            "team-a",
            lambda client: client.completions.create(model="private", prompt="x"),
            openai.PermissionDeniedError,
            "model_not_allowed",
        ),
        ("team-b", lambda client: client.responses.create(model="chat", input="Hello"), openai.PermissionDeniedError, "model_not_allowed"),
        ("stranger", lambda client: client.models.list(), openai.AuthenticationError, "invalid_api_key"),
        (
            "stranger",
            lambda client: client.chat.completions.create(model="chat", messages=HELLO),
            openai.AuthenticationError,
            "invalid_api_key",
        ),
        (
            "team-a",
            lambda client: client.completions.create(model="chat", prompt="x" * TOO_LARGE),
            openai.APIStatusError,
            "request_too_large",
        ),
        (
            "team-a",
            lambda client: client.files.create(file=b"{}", purpose="batch"),
            openai.APIStatusError,
            "unsupported_media_type",
        ),
        (
            "team-a",
            lambda client: client.audio.transcriptions.create(model="private", file=b"RIFF"),
            openai.PermissionDeniedError,
            "model_not_allowed",
        ),
        ("team-a", lambda client: client.audio.transcriptions.create(model="", file=b"RIFF"), openai.BadRequestError, "missing_model"),
        ("team-a", lambda client: client.files.list(), openai.APIStatusError, "method_not_allowed"),
    ],
    ids=[
        "unknown",
        "missing",
        "not its own",
        "not its own, by an alias",
        "key",
        "key, inference",
        "size",
        "upload",
        "audio, not its own",
        "audio, missing",
        "method",
    ],
)
def test_openais_client_raises_what_it_should(platform, client_name, ask, error, code):
    with platform.client(client_name) as client, pytest.raises(error) as caught:
        ask(client)
    assert caught.value.code == code
    assert caught.value.request_id
    assert platform.total_received() == 0


def test_openais_client_reads_a_model_servers_own_error_as_it_is(platform):
    with platform.client() as client, pytest.raises(openai.BadRequestError, match="cannot be greater than max_model_len"):
        client.chat.completions.create(model="chat", messages=HELLO, max_tokens=1_000_000)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {key_of('team-a')}x",
        f"Bearer {key_of('team-a')[:-1]}",
        f"Bearer {key_of('team-a').upper()}",
        f"Bearer {key_of('team-a')},{key_of('team-b')}",
        f"Bearer Bearer {key_of('team-a')}",
        f"bearer {key_of('team-a')}x",
        f"Basic {key_of('team-a')}",
        "Bearer team-a",
        "Bearer \xff\xfe",
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/metrics", "/v1/absent"])
def test_without_a_valid_key_nothing_is_answered(platform, path, authorization):
    method = "GET" if path == "/v1/models" else "POST"
    assert complaint(platform, path, method=method, client=None, authorization=authorization) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {key_of('team-a')}"},
        {"authorization": f"bearer {key_of('team-a')}"},
        {"authorization": f"BEARER {key_of('team-a')}"},
        {"x_api_key": key_of("team-a")},
        {"api_key": key_of("team-a")},
        {"authorization": f"Bearer {key_of('team-a')}", "x_api_key": "sk-ant-of-somebody-else", "api_key": "sk-azure"},
    ],
    ids=" and ".join,
)
def test_a_key_is_taken_where_any_client_puts_it_and_goes_no_further(platform, headers):
    answer = send(platform.gateway.port, request("/v1/chat/completions", chat(), client=None, **headers))
    assert answer.status == 200
    assert platform.logged(answer.request_id)["client"] == "team-a"
    [seen] = platform.received("qwen3-8b")
    assert not {"authorization", "x-api-key", "api-key"} & {name.lower() for name in seen.headers}
    assert "sk-" not in repr(seen.headers.items())


def test_a_wrong_key_counts_even_beside_a_good_one(platform):
    assert complaint(platform, client=None, authorization="Bearer wrong", x_api_key=key_of("team-a")) == (401, "invalid_api_key")


@pytest.mark.parametrize("elsewhere", ["?api_key={key}", "?authorization=Bearer%20{key}", "?key={key}"])
def test_a_key_in_the_address_is_none(platform, elsewhere):
    path = "/v1/chat/completions" + elsewhere.format(key=key_of("team-a"))
    assert complaint(platform, path, client=None) == (401, "invalid_api_key")


def test_no_header_of_the_gateways_own_stands_for_a_key(platform):
    assert complaint(platform, client=None, x_gateway_client="team-a") == (401, "invalid_api_key")
    assert complaint(platform, client=None, x_gateway_client="team-a", connection="authorization") == (401, "invalid_api_key")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_inference_is_posted(platform, method):
    answer = send(platform.gateway.port, request("/v1/chat/completions", method=method))
    assert (answer.status, answer.headers["allow"], answer.error["code"]) == (405, "POST", "method_not_allowed")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/chat"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_models_are_got(platform, path, method):
    answer = send(platform.gateway.port, request(path, method=method))
    assert (answer.status, answer.headers["allow"], answer.error["code"]) == (405, "GET", "method_not_allowed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"[]",
        b'["model"]',
        b'"chat"',
        b"1",
        b"null",
        b'[{"model": "chat"}]',
        b'{"model": "chat"} {"model": "chat"}',
        b'{"model": "chat"}]',
        b'{"model": "chat",}',
        b'{"model" "chat"}',
        b'{model: "chat"}',
        b'{"model": "chat"',
        b'{"model": "chat',
        b'{"model": "chat\\',
        b'{"a": [{"b": "}"}, "model": "chat"}',
        b'\xef\xbb\xbf{"model": "chat"}',
        '{"model": "chat"}'.encode("utf-16"),
        '{"model": "chat"}'.encode("utf-16-be"),
        '{"model": "chat"}'.encode("utf-32-le"),
        b"{" + b",".join(b'"%d": 1' % number for number in range(1000)) + b', "model": "chat"}',
    ],
)
@pytest.mark.parametrize("client", ["team-a", "team-b"], ids=["without a default model", "with one"])
def test_a_body_that_is_no_object_is_refused(platform, client, body):
    assert complaint(platform, body=body, client=client) == (400, "invalid_json")


@pytest.mark.parametrize("body", [b"{}", b" {\n} ", b'{"Model":"chat"}', b'{"a":{"model":"chat"}}', b'{"model":null}', b'{"model":""}'])
def test_a_body_without_a_model_is_refused_unless_the_client_has_a_default(platform, body):
    assert complaint(platform, body=body) == (400, "missing_model")
    send(platform.gateway.port, request("/v1/chat/completions", body, client="team-b"))
    assert platform.total_received() == len(platform.received("llama")) == 1


@pytest.mark.parametrize("model", [1, 1.5, True, False, [], ["chat"], {}, {"chat": 1}, {"model": "chat"}])
@pytest.mark.parametrize("client", ["team-a", "team-b"], ids=["without a default model", "with one"])
def test_a_model_that_is_no_text_is_refused(platform, client, model):
    assert complaint(platform, body=chat(model), client=client) == (400, "invalid_model")


def test_a_compressed_body_is_refused_in_words(platform):
    assert complaint(platform, body=gzip.compress(json.dumps(chat()).encode()), content_encoding="gzip") == (415, "unsupported_media_type")
    assert complaint(platform, content_encoding="zstd") == (415, "unsupported_media_type")
    assert send(platform.gateway.port, request("/v1/chat/completions", chat(), content_encoding="identity")).status == 200


@pytest.mark.parametrize(
    "model",
    [
        "absent",
        "CHAT",
        "chat ",
        " chat",
        "chat\n",
        "chat\0",
        "chät",
        "qwen3-8b/blue",
        "*",
        "x" * 257,
        "x" * 10_000,
        "chat\r\nx-gateway-client: team-c",
    ],
)
def test_a_name_that_is_none_of_a_model_is_not_found(platform, model):
    assert complaint(platform, body=chat(model)) == (404, "model_not_found")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/x-ndjson",
    ],
)
def test_only_json_is_taken(platform, content_type):
    assert complaint(platform, content_type=content_type) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/json ;x=y"]
)
def test_json_is_taken_however_it_is_spelt(platform, content_type):
    assert send(platform.gateway.port, request("/v1/chat/completions", chat(), content_type=content_type)).status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_at_the_limit_passes_and_one_over_it_does_not(platform, chunked):
    for excess, status in ((0, 200), (1, 413)):
        body = json.dumps(chat()).encode()
        body += b" " * (TOO_LARGE - 1 + excess - len(body))
        if chunked:
            head = request("/v1/chat/completions", content_length=None, transfer_encoding="chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            head = request("/v1/chat/completions", content_length=len(body))
        answer = send(platform.gateway.port, head + body)
        assert answer.status == status
        if status == 413:
            assert answer.error["code"] == "request_too_large"
    assert platform.total_received() == 1


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "nonsense"])
def test_no_other_protocol_is_switched_to(platform, upgrade):
    headers = {"connection": "upgrade", "upgrade": upgrade, "sec_websocket_version": "13", "sec_websocket_key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    answer = send(platform.gateway.port, request("/v1/realtime?model=chat", method="GET", **headers))
    assert (answer.status, answer.error["code"]) in {(405, "method_not_allowed"), (400, "upgrade_refused")}
    assert platform.total_received() == 0
