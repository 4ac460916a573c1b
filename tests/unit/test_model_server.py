"""The stand-in model server answers OpenAI's client, refuses and counts as vLLM does."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from config import catalog
from tests.model_servers import HELLO, client_of, counted, get, one_server, post
from tools.demo.model_server import ServerSettings, fleet

METRICS = json.loads((Path(__file__).parents[1] / "data" / "vllm_metrics.json").read_text())["metrics"]
ANSWER = "qwen3-8b-0 read 9 tokens: 1 2 3 4 5 6 7 8 9 10 11"


@pytest.fixture(scope="module")
def server():
    with one_server(lora_modules=("sql",), max_model_len=1024) as (server, _):
        yield server


@pytest.fixture(scope="module")
def client(server):
    with client_of(server) as client:
        yield client


def test_a_chat_tells_its_replica_and_usage_and_nothing_of_the_prompt_but_its_length(client):
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=HELLO)
    answer = raw.parse()
    assert raw.headers["x-replica"] == answer.system_fingerprint == "qwen3-8b-0"
    assert answer.model == "qwen3-8b", "the first of the served names, as vLLM answers"
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (ANSWER, "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 16, 25)
    assert "secret" not in raw.text


def test_a_stream_adds_up_to_the_plain_answer_and_ends_with_done(client, server):
    chunks = list(client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 16 + ["stop"], "the role, then sixteen tokens"
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].system_fingerprint == "qwen3-8b-0"
    with client.with_streaming_response.chat.completions.create(model="chat", messages=HELLO, stream=True) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")
        events = b"".join(raw.iter_bytes()).split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    assert all(event.startswith(b"data: {") for event in events[:-2])


def test_usage_closes_a_stream_that_asks_for_it(client):
    *chunks, last = client.chat.completions.create(
        model="chat", messages=HELLO, stream=True, max_tokens=3, stream_options={"include_usage": True}
    )
    assert all(chunk.usage is None for chunk in chunks)
    assert (last.choices, last.usage.completion_tokens, last.usage.total_tokens) == ([], 3, 12)
    assert chunks[-1].choices[0].finish_reason == "length"


@pytest.mark.parametrize("kind", ["chat", "text"])
def test_forced_usage_is_in_every_chunk_of_any_stream_and_closes_it(kind):
    with one_server(enable_force_include_usage=True) as (server, _), client_of(server) as client:
        if kind == "chat":
            *chunks, last = client.chat.completions.create(model="chat", messages=HELLO, stream=True, max_tokens=3)
            assert chunks.pop(0).usage.completion_tokens == 0, "with the role"
        else:
            *chunks, last = client.completions.create(model="chat", prompt="Once", stream=True, max_tokens=3)
    assert [chunk.usage.completion_tokens for chunk in chunks] == [1, 2, 3]
    assert (last.choices, last.usage.completion_tokens) == ([], 3)


def test_completions_answer_every_prompt_of_a_batch(client):
    answer = client.completions.create(model="chat", prompt=["Once upon a time", "Twice"], n=2, max_tokens=5)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert {choice.text for choice in answer.choices} == {"qwen3-8b-0 read 5 tokens:"}
    assert answer.usage.completion_tokens == 4 * 5
    streamed = list(client.completions.create(model="chat", prompt=[[1, 2, 3], [4]], max_tokens=5, stream=True))
    for index in (0, 1):
        assert "".join(chunk.choices[0].text for chunk in streamed if chunk.choices[0].index == index) == "qwen3-8b-0 read 4 tokens:"


def test_an_answer_is_as_long_as_asked_where_it_may_not_end_by_itself(client):
    answer = client.completions.create(model="chat", prompt="Once", max_tokens=40, extra_body={"ignore_eos": True})
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (40, "length")


def test_responses_end_with_their_usage_in_named_events(client):
    plain = client.responses.create(model="chat", input="Hello there")
    assert plain.output_text == "qwen3-8b-0 read 2 tokens: 1 2 3 4 5 6 7 8 9 10 11"
    with client.responses.stream(model="chat", input="Hello there", max_output_tokens=4) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.incomplete")
    final = events[-1].response
    assert (final.status, final.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (final.output_text, final.usage.output_tokens) == ("qwen3-8b-0 read 2 tokens", 4)


def test_embeddings_are_the_same_in_both_encodings(client):
    texts = ["Hello there", "Good night and good luck"]
    encoded = client.embeddings.create(model="chat", input=texts, dimensions=4)  # the client asks for base64 by itself
    plain = client.embeddings.create(model="chat", input=texts, dimensions=4, encoding_format="float")
    assert [item.embedding for item in encoded.data] == [pytest.approx(item.embedding) for item in plain.data]
    assert (len(plain.data), len(plain.data[0].embedding), plain.usage.prompt_tokens) == (2, 4, 8)


def test_models_list_names_and_adapters_and_an_adapter_answers_by_its_own(client):
    models = client.models.list().data
    assert [(model.id, model.parent) for model in models] == [("qwen3-8b", None), ("chat", None), ("sql", "qwen3-8b")]
    assert models[0].max_model_len == 1024
    assert client.chat.completions.create(model="sql", messages=HELLO).model == "sql"


@pytest.mark.parametrize("model", [{}, {"model": ""}, {"model": None}])
def test_a_request_that_names_no_model_gets_the_server_s_own(server, model):
    status, answer = post(server, "/v1/chat/completions", {"messages": HELLO} | model)
    assert (status, answer["model"]) == (200, "qwen3-8b")


def test_what_operators_ask_is_answered(server):
    assert get(server, "/health") == get(server, "/ping") == b""
    assert json.loads(get(server, "/version")) == {"version": catalog.image("vllm").tag.removeprefix("v")}
    assert json.loads(get(server, "/load")) == {"server_load": 0}
    status, answer = post(server, "/tokenize", {"model": "chat", "prompt": "Hello there"})
    assert (status, answer["count"], answer["max_model_len"], len(answer["tokens"])) == (200, 2, 1024, 2)


CHAT = {"model": "chat", "messages": HELLO}
REFUSED = {
    "another model": (CHAT | {"model": "gpt-4o"}, 404, "NotFoundError", "model"),
    "no messages": ({"model": "chat"}, 400, "Bad Request", "body.messages"),
    "a list": ([], 400, "Bad Request", "body"),
    "a model that is no text": (CHAT | {"model": 7}, 400, "Bad Request", "body.model"),
    "options without a stream": (CHAT | {"stream_options": {"include_usage": True}}, 400, "Bad Request", "body.stream_options"),
    "more tokens than the context": (CHAT | {"max_tokens": 1025}, 400, "BadRequestError", "max_tokens"),
    "the same by its newer name": (CHAT | {"max_completion_tokens": 1025}, 400, "BadRequestError", "max_completion_tokens"),
    "no tokens": (CHAT | {"max_tokens": 0}, 400, "BadRequestError", "max_tokens"),
    "a prompt over the context": (
        CHAT | {"messages": [{"role": "user", "content": "x" * 4096}]},
        400,
        "BadRequestError",
        "input_tokens",
    ),
    "no JSON": (b'{"model": "chat", ', 400, "Bad Request", "body.18"),
    "nothing": (b"", 400, "Bad Request", "body.0"),
    "no UTF-8": (b'{"model": "\xff"}', 400, "Bad Request", None),
    "JSON nested too deep": (b"[" * 100_000, 400, "Bad Request", None),
}


@pytest.mark.parametrize(("body", "status", "kind", "param"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_answered_with_vllm_s_error(server, body, status, kind, param):
    answered, answer = post(server, "/v1/chat/completions", body)
    assert answered == answer["error"].pop("code") == status
    assert answer["error"].pop("message")
    assert answer == {"error": {"type": kind, "param": param}}


def test_other_paths_methods_and_content_types_are_refused(server, client):
    assert post(server, "/v1/audio/speech", {})[1]["error"]["code"] == 404
    assert post(server, "/v1/models", {})[1]["error"] == {
        "message": "Method Not Allowed",
        "type": "Method Not Allowed",
        "param": None,
        "code": 405,
    }
    status, answer = post(server, "/v1/chat/completions", CHAT, content_type="text/plain")
    assert (status, "Unsupported Media Type" in answer["error"]["message"]) == (400, True)
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(model="gpt-4o", messages=HELLO)


def exposed(server):
    """Metrics by name, as tests/data/vllm_metrics.json has them."""
    found = {}
    for family in text_string_to_metric_families(get(server, "/metrics").decode()):
        labels = {label for sample in family.samples for label in sample.labels} - {"le", "quantile"}
        bounds = {float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels} - {float("inf")}
        values = {
            label: sorted({sample.labels[label] for sample in family.samples if label in sample.labels})
            for label in ("reason", "source", "finished_reason", "sleep_state")
            if label in labels
        }
        row = {"type": family.type, "labels": sorted(labels), "buckets": sorted(bounds), "values": values}
        found[family.name] = {key: value for key, value in row.items() if value or key in ("type", "labels")}
    return found


def test_metrics_have_vllm_s_names_types_labels_and_buckets(server, client):
    client.chat.completions.create(model="chat", messages=HELLO)
    found = exposed(server)
    assert set(METRICS) - set(found) == set()
    assert {name for name in found if name.startswith("vllm:") and not name.endswith("_created")} <= set(METRICS)
    config = "vllm:cache_config_info"
    assert {name: found[name] for name in METRICS if name != config} == {name: row for name, row in METRICS.items() if name != config}
    assert set(found[config]["labels"]) <= set(METRICS[config]["labels"])


def test_metrics_count_requests_tokens_and_the_prefix_cache():
    with one_server() as (server, _), client_of(server) as client:
        for _ in range(2):
            client.completions.create(model="chat", prompt="x" * 256, max_tokens=7)
        assert counted(server, "vllm:prompt_tokens_total", model_name="qwen3-8b", engine="0") == 128
        assert counted(server, "vllm:generation_tokens_total") == 14
        assert counted(server, "vllm:request_success_total", finished_reason="length") == 2
        assert counted(server, "vllm:prefix_cache_queries_total") == 128
        assert counted(server, "vllm:prefix_cache_hits_total") == 64, "the second time all of it"
        assert counted(server, "vllm:time_to_first_token_seconds_count") == 2
        assert counted(server, "vllm:inter_token_latency_seconds_count") == 12
        assert counted(server, "http_requests_total", handler="/v1/completions", method="POST", status="2xx") == 2
        assert counted(server, "vllm:num_requests_running") == counted(server, "vllm:num_requests_waiting") == 0


def test_every_request_is_recorded_as_it_came(server, client):
    server.received.clear()
    client.chat.completions.create(model="chat", messages=HELLO, extra_headers={"x-client-id": "team-a"})
    (received,) = server.received
    assert (received.method, received.path, received.headers["X-Client-Id"]) == ("POST", "/v1/chat/completions", "team-a")
    assert received.headers["authorization"] == "Bearer unused"
    assert json.loads(received.body)["messages"] == HELLO


def test_a_fleet_serves_many_replicas_from_one_thread_and_leaves_none():
    before = threading.active_count()
    with fleet(ServerSettings(("m",), replica=f"m-{index}") for index in range(20)) as servers:
        assert threading.active_count() == before + 1
        assert len({server.port for server in servers}) == 20
        assert {post(server, "/v1/completions", {"prompt": ""})[1]["system_fingerprint"] for server in servers} == {
            f"m-{index}" for index in range(20)
        }
    assert threading.active_count() == before


def test_it_runs_by_itself_until_it_is_interrupted():
    command = [sys.executable, "-m", "tools.demo.model_server", "--name", "qwen3-8b", "--replica", "mine", "--answer-tokens", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split(" at ")[1].strip()
        with openai.OpenAI(base_url=address, api_key="unused", max_retries=0) as client:
            assert client.completions.create(model="qwen3-8b", prompt="Hello").choices[0].text == "mine read"
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == ""
    assert process.returncode == 0
