"""Only /v1/* passes, and only the field `model` of the body selects the model."""

import json

import openai
import pytest

from tests.dataplane.gateway_under_test import HELLO, MAX_MODEL_LEN
from tests.dataplane.wire import chat, request, send


def answered_by(platform, body, path="/v1/chat/completions", **headers):
    """The replica that answered."""
    answer = send(platform.gateway.port, request(path, body, **headers))
    assert answer.status == 200, answer
    return answer.headers["x-replica"]


@pytest.mark.parametrize(
    ("asked", "model"),
    [("qwen3-8b", "qwen3-8b"), ("chat", "qwen3-8b"), ("sql-adapter", "qwen3-8b"), ("meta/llama", "llama"), ("embedder", "embedder")],
)
def test_every_served_name_reaches_its_model_and_no_other(platform, asked, model):
    with platform.client() as client:
        client.chat.completions.create(model=asked, messages=HELLO)
    assert [json.loads(one.body)["model"] for one in platform.received(model)] == [asked]
    assert platform.total_received() == 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"])
def test_every_endpoint_of_the_api_passes(platform, path):
    body = {"model": "embedder", "messages": HELLO, "prompt": "Hello", "input": "Hello"}
    assert answered_by(platform, body, path).startswith("embedder/")
    assert platform.received("embedder")[0].path == path


AUDIO = b"RIFF" + bytes(range(256)) * 1000


@pytest.mark.parametrize("name", ["transcriptions", "translations"])
@pytest.mark.parametrize("audio", [AUDIO, AUDIO[:50] + b"\r\n\r\n" + AUDIO], ids=["audio", "audio with empty lines in it"])
def test_audio_goes_to_the_model_of_its_form(platform, name, audio):
    """The stand-in has no audio endpoint; the test compares the form that it receives."""
    with platform.client() as client, pytest.raises(openai.NotFoundError):
        getattr(client.audio, name).create(model="meta/llama", file=("speech.wav", audio), prompt='name="private"')
    [seen] = platform.received("llama")
    assert seen.path == f"/v1/audio/{name}"
    assert audio in seen.body
    assert platform.total_received() == 1


@pytest.mark.parametrize(
    ("parts", "model"),
    [
        ([("model", "chat")], "qwen3-8b"),
        ([("prompt", "x" * 65_500), ("model", "chat")], "qwen3-8b"),
        ([("prompt", "x" * 65_530), ("model", "chat")], "qwen3-8b"),
        ([("model", "meta/llama"), ("model", "chat")], "qwen3-8b"),
    ],
    ids=["alone", "at the end of a piece", "across two pieces", "the last of two"],
)
@pytest.mark.parametrize("head", [b"", b"\r\nContent-Type: text/plain; charset=utf-8"], ids=["plain", "with a type"])
def test_the_model_of_a_form_is_found_wherever_it_stands(platform, parts, model, head):
    form = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (n.encode(), head, v.encode()) for n, v in parts)
    send(platform.gateway.port, request("/v1/audio/transcriptions", form + b"--b--\r\n", content_type="multipart/form-data; boundary=b"))
    assert len(platform.received(model)) == platform.total_received() == 1


def test_the_query_of_a_path_goes_no_further_and_does_not_hide_it(platform):
    """Queries may contain a key by mistake, and model servers log them."""
    assert answered_by(platform, chat(), "/v1/chat/completions?api_key=sk-1") in {"qwen3-8b/0", "qwen3-8b/1"}
    assert platform.received("qwen3-8b")[0].path == "/v1/chat/completions"
    assert send(platform.gateway.port, request("/metrics?/v1/chat/completions", chat())).status == 404


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[{"role":"user","content":"\\"model\\":\\"llama\\", \\\\"}], "model":"qwen3-8b"}',
        b'{"messages":[{"role":"user","content":"{\\"model\\": \\"meta/llama\\"}"}],"model":"qwen3-8b"}',
        b'{"metadata":{"model":"meta/llama"},"messages":[{"role":"user","content":"Hi","model":"private"}],"model":"qwen3-8b"}',
        b'{"\\u006dodel":"qwen3-8b","messages":[{"role":"user","content":"Hi"}],"Model":"meta/llama","model ":"meta/llama"}',
        b'{"model":"\\u0071wen3-8b","messages":[{"role":"user","content":"Hi"}]}',
        b'{"model":"meta/llama","messages":[{"role":"user","content":"Hi"}],"model":"qwen3-8b"}',
    ],
    ids=["in a prompt", "JSON in a prompt", "nested", "escaped key", "escaped value", "the last of two, as model servers read it"],
)
def test_the_model_is_the_field_of_the_body_as_the_model_server_reads_it(platform, body):
    assert answered_by(platform, body).startswith("qwen3-8b/")
    assert platform.total_received() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x_gateway_model": "meta/llama"},
        {"X_GATEWAY_MODEL": "private", "x_gateway_client": "team-c"},
        {"x_gateway_operation": "list"},
        {"x_gateway_default_model": "private"},
        {"x_gateway_prefix": "1", "x_model": "private"},
        {"x_envoy_original_path": "/metrics", "x_envoy_upstream_rq_timeout_ms": "1", "x_envoy_retry_on": "5xx", "x_envoy_max_retries": "9"},
        {"x_envoy_decorator_operation": "x", "x_envoy_force_trace": "1", "x_envoy_internal": "true"},
        {"x_original_url": "/metrics", "x_rewrite_url": "/metrics", "x_http_method_override": "DELETE", "x_forwarded_host": "other"},
        {"connection": "keep-alive, x-gateway-client"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_no_header_of_a_client_changes_where_a_request_goes(platform, headers):
    assert answered_by(platform, chat(), **headers).startswith("qwen3-8b/")
    seen = platform.received("qwen3-8b")[0].headers
    assert platform.clients_of("qwen3-8b") == ["team-a"]
    assert not [name for name in seen if name.lower().startswith("x-gateway-")]
    assert not [name for name in headers if name.startswith("x_envoy_") and name.replace("_", "-") in seen]
    assert send(platform.gateway.port, request("/v1/chat/completions", chat("private"), **headers)).status == 403


def test_trailers_of_a_client_change_nothing(platform):
    body = json.dumps(chat()).encode()
    chunks = b"%x\r\n%s\r\n0\r\nx-gateway-model: private\r\nx-gateway-client: team-c\r\n\r\n" % (len(body), body)
    head = request("/v1/chat/completions", content_length=None, transfer_encoding="chunked", trailer="x-gateway-model")
    answer = send(platform.gateway.port, head + chunks)
    assert answer.headers["x-replica"].startswith("qwen3-8b/")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/health",
        "/ping",
        "/load",
        "/tokenize",
        "/v1",
        "/v2/models",
        "/V1/chat/completions",
        "//metrics",
        "/v1/../metrics",
        "/v1/./../metrics",
        "/v1/%2e%2e/metrics",
        "/v1/%2E%2E/metrics",
        "/v1/.%2e/metrics",
        "/v1/models/../../metrics",
        "/v1//../../metrics",
        "/v1/..%2fmetrics",
        "/v1%2f..%2fmetrics",
        "/v1/..%5cmetrics",
        "/v1/..;/metrics",
        "/v1/chat/completions/../../../metrics",
        "/metrics/v1/chat/completions/..",
        "/v1/load_lora_adapter",
        "/v1/unload_lora_adapter",
        "/v1//load_lora_adapter",
        "/v1/./load_lora_adapter",
        "/v1/load_lora_adapter?x=1",
        "/v1/load_lora_adapter/",
        "/v1/load_lora_adapter#x",
        "/v1/load%5Flora%5Fadapter",
        "/v1/%6coad_lora_adapter",
        "/v1/%6Coad_lora_adapter",
        "/v1/load_lora_adapter%00",
        "/v1/load_lora_adapter%2f",
        "http://gateway/metrics",
        "http://gateway/v1/../metrics",
        "http://gateway/v1/load_lora_adapter",
        "*",
    ],
)
def test_nothing_outside_the_api_is_reached(platform, method, path):
    answer = send(platform.gateway.port, request(path, chat() if method == "POST" else b"", method=method))
    assert answer.status in {400, 404, 405}
    assert answer.error["code"] in {"unknown_url", "bad_request", "method_not_allowed", "model_not_found", "not_found"}
    assert platform.total_received() == 0


@pytest.mark.parametrize(
    "path", ["/v1/%252e%252e/metrics", "/v1/.../metrics", "/v1/load_lora_adapter%20", "/v1/load_lora_adapter%3Fx", "/v1/absent"]
)
def test_a_path_of_the_api_that_no_model_server_knows_is_its_to_refuse(platform, path):
    answer = send(platform.gateway.port, request(path, chat()))
    assert (answer.status, answer.json) == (404, {"detail": "Not Found"})
    assert [one.path for one in platform.received("qwen3-8b")] == [path]


@pytest.mark.parametrize(
    "path",
    [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/./chat/completions",
        "http://other/v1/chat/completions",
        "/v1/chat/completions/",
    ],
)
def test_other_spellings_of_a_path_are_the_path(platform, path):
    assert answered_by(platform, chat(), path).startswith("qwen3-8b/")
    assert platform.received("qwen3-8b")[0].path == "/v1/chat/completions"


def test_each_client_sees_the_models_that_it_may_use(platform):
    names = {}
    for client_name in ("team-a", "team-b", "team-c"):
        with platform.client(client_name) as client:
            names[client_name] = {model.id for model in client.models.list()}
    adapters = {"qwen3-8b", "chat", "sql-adapter"}
    assert names["team-a"] == adapters | {"meta/llama", "embedder"}
    assert names["team-b"] == {"meta/llama", "private"}
    assert names["team-c"] == adapters | {"meta/llama", "embedder", "private"}
    assert platform.total_received() == 0


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/"])
def test_a_model_says_how_many_tokens_it_takes(platform, path):
    answer = send(platform.gateway.port, request(path, method="GET"))
    assert {model["max_model_len"] for model in answer.json["data"]} == {MAX_MODEL_LEN}
    assert send(platform.gateway.port, request("/v1/models/chat", method="GET")).json["max_model_len"] == MAX_MODEL_LEN


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/v1/v1/chat/completions", "a /v1 too many"),
        ("/v1/", "under /v1/"),
        ("/v1/responses/resp_1", "not stored"),
        ("/v1/responses/resp_1/cancel", "not stored"),
        ("/v1/responses/resp_1/input_items", "not stored"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_that_leads_nowhere_says_why(platform, method, path, word):
    answer = send(platform.gateway.port, request(path, method=method))
    assert (answer.status, answer.error["code"]) == (404, "unknown_url")
    assert word in answer.error["message"]
    assert platform.total_received() == 0


def test_a_client_retrieves_a_model_that_it_may_use(platform):
    with platform.client() as client:
        for name in ("chat", "embedder", "meta/llama"):
            model = client.models.retrieve(name)
            assert (model.id, model.object) == (name, "model")
        with pytest.raises(openai.PermissionDeniedError):
            client.models.retrieve("private")
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("absent")


def test_a_request_without_a_model_means_the_clients_default_or_is_refused(platform):
    for body in ({"messages": HELLO}, {"messages": HELLO, "model": ""}, {"messages": HELLO, "model": None}):
        assert answered_by(platform, body, client="team-b").startswith("llama/")
        answer = send(platform.gateway.port, request("/v1/chat/completions", body, client="team-a"))
        assert (answer.status, answer.error["code"]) == (400, "missing_model")


def test_no_header_of_a_client_names_its_default_model(platform):
    asked = request("/v1/chat/completions", {"messages": HELLO}, x_gateway_default_model="chat", x_gateway_model="chat")
    assert send(platform.gateway.port, asked).error["code"] == "missing_model"
    assert answered_by(platform, {"messages": HELLO}, client="team-b", x_gateway_default_model="private").startswith("llama/")
