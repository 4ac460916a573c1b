"""The smoke test of a candidate passes a healthy replica, and fails a broken one with what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.checks import run, serving
from tools.demo.model_server import Faults, ServerSettings, fleet

NAMES = ("qwen3-8b", "chat")
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def argument(port: int, **changes: Any) -> dict[str, Any]:
    given = {
        "host": "127.0.0.1", "port": port, "names": NAMES, "first_token_seconds": 5, "golden_prompts": [], "time_limit_seconds": 3,
    }  # fmt: skip
    return given | changes


def test_a_healthy_replica_passes():
    with fleet([ServerSettings(NAMES, "green/0")]) as (server,):
        status, said = run("smoke", argument(server.port))
    assert (status, said) == (0, "replica 127.0.0.1 passes\n")


# name: (settings, faults, changes to the argument, what is said)
BROKEN: dict[str, tuple[dict[str, Any], Faults, dict[str, Any], str]] = {
    "it is not healthy": ({}, Faults(busy=True, on_health=True), {}, "/health answers 503"),
    "it accepts and never answers": ({}, Faults(hang=True, on_health=True), {}, "/health: timed out"),
    "it serves under another name": ({}, Faults(), {"names": ["chat", "qwen3-32b"]}, "/v1/models does not list qwen3-32b, only"),
    "it refuses completions": ({}, Faults(busy=True), {}, "a completion is answered with 503"),
    "it hangs once it is asked": ({}, Faults(hang=True), {}, "timed out"),
    "it drops streams": ({}, Faults(die_after_tokens=0), {}, "replica 127.0.0.1:"),
    "its streams are garbage": ({}, Faults(malformed_stream=True), {}, "replica 127.0.0.1:"),
    "its first token is late": (
        {}, Faults(seconds_to_first_token=0.6), {"first_token_seconds": 0.3}, "and smokeTest allows 0.3 s",
    ),
    "it answers something else": (
        {}, Faults(), {"golden_prompts": [{"prompt": "2+2?", "contains": "four", "max_tokens": 8}]}, "the answer to '2+2?' has no 'four'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_replica_fails_with_the_reason(name):
    settings, faults, changes, expected = BROKEN[name]
    with fleet([ServerSettings(NAMES, "green/0", **settings)]) as servers:
        (server,) = servers
        server.faults = faults
        status, said = run("smoke", argument(server.port, **changes))
    assert status == 1
    assert said.startswith("the smoke test failed: "), said
    assert expected in said


def test_a_service_without_a_replica_fails():
    status, said = run("smoke", argument(8000, host="nobody.invalid"))
    assert status == 1
    assert "nobody.invalid has no ready replica" in said


def replica(**changes: Any):
    """Answers of a small server: a completion and a stream, each with what `changes` makes of it."""
    choice = {"finish_reason": "stop", "message": {"content": "hello"}} | changes.get("choice", {})
    answer = {"choices": [choice], "usage": changes.get("usage", USAGE)}
    events = [
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {changes.get("key", "content"): "hello"}, "finish_reason": changes.get("end", "stop")}]},
        {"choices": [], "usage": changes.get("stream_usage", USAGE)},
    ]
    lines = [*map(json.dumps, events), *changes.get("last", ["[DONE]"])]
    chat = changes.get("chat", True)

    def answered(path: str, body: bytes) -> tuple[int, str]:
        if path == "/health":
            return 200, ""
        if path == "/v1/models":
            return 200, json.dumps({"data": [{"id": name} for name in changes.get("names", NAMES)]})
        if not chat and "chat" in path:
            return 400, json.dumps({"error": {"message": "As of transformers v4.44, default chat template is no longer allowed"}})
        if json.loads(body).get("stream"):
            return 200, "".join(f"data: {line}\n\n" for line in lines)
        return 200, json.dumps(answer)

    return answered


WELL: dict[str, dict[str, Any]] = {
    "an answer of every part": {},
    "a model that thinks first": {"key": "reasoning"},
    "a model without a chat template": {"chat": False},
    "an answer cut at its limit": {"end": "length", "choice": {"finish_reason": "length"}},
}
ILL = {
    "no usage": ({"usage": None}, "a completion has the usage null"),
    "no tokens counted": ({"usage": USAGE | {"completion_tokens": 0}}, "a completion has the usage"),
    "a stream without usage": ({"stream_usage": None}, "a stream has the usage null"),
    "a stream that just ends": ({"last": []}, "a stream ends without [DONE]"),
    "a stream without a reason": ({"end": None}, "a stream has the finish reasons []"),
    "an answer that an error ended": ({"choice": {"finish_reason": "error"}}, "a completion ends by"),
    "a stream that an error ended": ({"end": "error"}, "a stream has the finish reasons ['error']"),
    "a stream without a token": ({"key": "role"}, "a stream has no token"),
}


@pytest.mark.parametrize("name", WELL)
def test_what_a_model_server_may_answer_passes(name):
    with serving(replica(**WELL[name])) as port:
        golden = [{"prompt": "say hello", "contains": "HELLO", "max_tokens": 8}]
        assert run("smoke", argument(port, golden_prompts=golden))[0] == 0


@pytest.mark.parametrize("name", ILL)
def test_what_no_model_server_may_answer_fails(name):
    changes, expected = ILL[name]
    with serving(replica(**changes)) as port:
        status, said = run("smoke", argument(port))
    assert status == 1
    assert expected in said
