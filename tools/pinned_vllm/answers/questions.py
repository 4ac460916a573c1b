"""The questions: good requests of every kind, and one mistake a row. Asked of a server with these names and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tools.pinned_vllm.answers.asking import Question

NAMES, ADAPTER = ("m", "alias"), "sql"
MAX_MODEL_LEN, MAX_NUM_SEQS, MAX_NUM_QUEUED_REQS = 1024, 8, 20
CHAT, COMPLETIONS, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"

_HELLO = [{"role": "user", "content": "Hello there"}]
_TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
_TOOLS = [{"type": "function", "function": _TOOL}]
_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
_LONG = 900  # tokens that take a while


def _chat(**fields: Any) -> Question:
    return Question(CHAT, {"model": "m", "messages": _HELLO, "max_tokens": 4, "ignore_eos": True} | fields)


def _text(**fields: Any) -> Question:
    return Question(COMPLETIONS, {"model": "m", "prompt": "Once", "max_tokens": 4, "ignore_eos": True} | fields)


def _responses(**fields: Any) -> Question:
    return Question(RESPONSES, {"model": "m", "input": "Hello there", "max_output_tokens": 4} | fields)


def _messages(**fields: Any) -> Question:
    return Question(MESSAGES, {"model": "m", "messages": _HELLO, "max_tokens": 4} | fields)


_USAGE: Any = {"stream": True, "stream_options": {"include_usage": True}}

GOOD = {
    "a chat": _chat(),
    "a chat by an alias": _chat(model="alias"),
    "a chat with an adapter": _chat(model=ADAPTER),
    "a chat that names no model": Question(CHAT, {"messages": _HELLO, "max_tokens": 4, "ignore_eos": True}),
    "a chat with two answers": _chat(n=2),
    "a chat with parts of text": _chat(messages=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]),
    "a chat with logprobs": _chat(logprobs=True, top_logprobs=2),
    "a chat's stream": _chat(stream=True),
    "a chat's stream with usage": _chat(**_USAGE),
    "a chat's stream with continuous usage": _chat(stream=True, stream_options={"include_usage": True, "continuous_usage_stats": True}),
    "a chat's stream with two answers": _chat(stream=True, n=2),
    "a chat's stream with logprobs": _chat(stream=True, logprobs=True, top_logprobs=2),
    "a completion": _text(),
    "a completion of ids": _text(prompt=[72, 101, 108]),
    "a completion of two prompts": _text(prompt=["Once", "Twice"]),
    "a completion of as many prompts as may wait": _text(prompt=["x"] * MAX_NUM_QUEUED_REQS),
    "a completion with logprobs": _text(logprobs=2),
    "a completion's stream": _text(stream=True),
    "a completion's stream with usage": _text(**_USAGE),
    "a completion's stream of two prompts with usage": _text(prompt=["Once", "Twice"], **_USAGE),
    "a response": _responses(),
    "a response with instructions": _responses(instructions="Be brief."),
    "a response's stream": _responses(stream=True),
    "a message": _messages(),
    "a message with a system prompt": _messages(system="Be brief."),
    "a message's stream": _messages(stream=True),
    "the tokens of a message": Question(f"{MESSAGES}/count_tokens", {"model": "m", "messages": _HELLO}),
    "the tokens of a prompt": Question("/tokenize", {"model": "m", "prompt": "Hello there"}),
    "the tokens of a chat": Question("/tokenize", {"model": "m", "messages": _HELLO}),
    "the text of tokens": Question("/detokenize", {"model": "m", "tokens": [72, 101, 108]}),
    "the models": Question("/v1/models", method="GET"),
    "the health": Question("/health", method="GET"),
    "the load": Question("/load", method="GET"),
    "a content type with a charset": Question(CHAT, _chat().content, headers={"content-type": "application/json; charset=utf-8"}),
    "a stream that is left": replace(_chat(stream=True, max_tokens=_LONG), leaves=True),
    "an answer that is left": replace(_chat(max_tokens=_LONG), leaves=True),
}

ROUTER = {
    "no such path": Question("/v1/nope", {}),
    "no such page": Question("/v1/nope", method="GET"),
    "the chat, read": Question(CHAT, method="GET"),
    "the models, posted": Question("/v1/models", {}),
    "the health, headers only": Question("/health", method="HEAD"),
    "a trailing slash": Question(f"{CHAT}/", _chat().body),
    "a trailing slash and a query": Question("/v1/models/?a=b", method="GET"),
    "embeddings of a model that generates": Question("/v1/embeddings", {"model": "m", "input": "Hello"}),
    "reranking of a model that generates": Question("/v1/rerank", {"model": "m", "query": "a", "documents": ["b"]}),
}

UNREADABLE = {
    "no JSON": Question(CHAT, b'{"model": "m", '),
    "no body": Question(CHAT, b""),
    "no UTF-8": Question(CHAT, b'{"model": "\xff"}'),
    "JSON nested too deep": Question(CHAT, b"[" * 100_000),
    "a number of too many digits": Question(CHAT, b'{"max_tokens": ' + b"9" * 5000 + b"}"),
    "a list": Question(CHAT, []),
    "null": Question(CHAT, b"null"),
    "another content type": Question(CHAT, _chat().content, headers={"content-type": "text/plain"}),
}

MISTAKES = {
    "another model": _chat(model="gpt-4o"),
    "a model that is a number": _chat(model=7),
    "no messages": Question(CHAT, {"model": "m"}),
    "messages that are empty": _chat(messages=[]),
    "messages that are a string": _chat(messages="Hello"),
    "a message without a role": _chat(messages=[{"content": "Hello"}]),
    "content that is null": _chat(messages=[{"role": "user", "content": None}]),
    "an image to a text model": _chat(messages=[{"role": "user", "content": [_IMAGE]}]),
    "an image to a text model, streamed": _chat(stream=True, messages=[{"role": "user", "content": [_IMAGE]}]),
    "tools without a parser": _chat(tools=_TOOLS),
    "tools without a parser, streamed": _chat(tools=_TOOLS, stream=True),
    "a named tool without a parser": _chat(tools=_TOOLS, tool_choice={"type": "function", "function": {"name": "weather"}}),
    "a required tool without a parser": _chat(tools=_TOOLS, tool_choice="required"),
    "tools that may not be used": _chat(tools=_TOOLS, tool_choice="none"),
    "a choice of tools without tools": _chat(tool_choice="auto"),
    "a tool that does not exist": _chat(tools=_TOOLS, tool_choice={"type": "function", "function": {"name": "nope"}}),
    "stream options without a stream": _chat(stream_options={"include_usage": True}),
    "temperature below 0": _chat(temperature=-1),
    "temperature over 2": _chat(temperature=2.5),
    "temperature that is a string": _chat(temperature="warm"),
    "top_p of 0": _chat(top_p=0),
    "top_p over 1": _chat(top_p=1.5),
    "top_k below -1": _chat(top_k=-2),
    "min_p over 1": _chat(min_p=2),
    "a presence penalty over 2": _chat(presence_penalty=3),
    "a frequency penalty below -2": _chat(frequency_penalty=-3),
    "a repetition penalty of 0": _chat(repetition_penalty=0),
    "a stop that is empty": _chat(stop=""),
    "a stop that is a number": _chat(stop=5),
    "a bias for a token that does not exist": _chat(logit_bias={"99999": 1}),
    "a bias that is no token": _chat(logit_bias={"a": 1}),
    "min_tokens over max_tokens": _chat(min_tokens=9),
    "min_tokens below 0": _chat(min_tokens=-1),
    "top_logprobs without logprobs": _chat(top_logprobs=2),
    "top_logprobs below 0": _chat(logprobs=True, top_logprobs=-2),
    "top_logprobs over the limit": _chat(logprobs=True, top_logprobs=99),
    "a seed that is too large": _chat(seed=2**70),
    "n of 0": _chat(n=0),
    "n below 0": _chat(n=-1),
    "n that is too large": _chat(n=20_000),
    "n over what may wait": _chat(n=MAX_NUM_QUEUED_REQS + 1),
    "n over what may wait, streamed": _chat(n=MAX_NUM_QUEUED_REQS + 1, stream=True),
    "a response format that does not exist": _chat(response_format={"type": "xml"}),
    "a JSON schema that is missing": _chat(response_format={"type": "json_schema"}),
    "no tokens": _chat(max_tokens=0),
    "tokens below 0": _chat(max_tokens=-1),
    "more tokens than the context": _chat(max_tokens=MAX_MODEL_LEN + 1),
    "the same by its newer name": Question(CHAT, {"model": "m", "messages": _HELLO, "max_completion_tokens": MAX_MODEL_LEN + 1}),
    "a parameter that does not exist": _chat(nope=1),
    "a prompt over the context": _text(prompt=[72] * (MAX_MODEL_LEN + 1)),
    "a prompt over the context, streamed": _text(prompt=[72] * (MAX_MODEL_LEN + 1), stream=True),
    "a prompt that fills the context": _text(prompt=[72] * MAX_MODEL_LEN),
    "a prompt that leaves one token": _text(prompt=[72] * (MAX_MODEL_LEN - 1), max_tokens=1),
    "prompt and answer over the context": _text(prompt=[72] * (MAX_MODEL_LEN - 2), max_tokens=4),
    "a text far over the context": _text(prompt="x" * (MAX_MODEL_LEN * 14)),
    "no prompt": Question(COMPLETIONS, {"model": "m", "max_tokens": 4}),
    "a prompt that is null": _text(prompt=None),
    "a prompt that is empty": _text(prompt=""),
    "prompts that are none": _text(prompt=[]),
    "a token that does not exist": _text(prompt=[99_999]),
    "a token below 0": _text(prompt=[-1]),
    "a suffix": _text(suffix=" end"),
    "logprobs below 0": _text(logprobs=-1),
    "echo of no tokens": _text(echo=True, max_tokens=0),
    "more prompts than may wait": _text(prompt=["x"] * (MAX_NUM_QUEUED_REQS + 1), max_tokens=_LONG),
    "far more prompts than may wait": _text(prompt=["x"] * 100, max_tokens=_LONG),
    "more prompts than may wait, streamed": _text(prompt=["x"] * (MAX_NUM_QUEUED_REQS + 1), max_tokens=_LONG, stream=True),
    "a response of another model": _responses(model="gpt-4o"),
    "a response without input": Question(RESPONSES, {"model": "m"}),
    "a response with tools and no parser": _responses(tools=[{"type": "function", **_TOOL}]),
    "a response after another": _responses(previous_response_id="resp_1"),
    "a response in the background": _responses(background=True),
    "a stored response that is none": Question(f"{RESPONSES}/resp_1", method="GET"),
    "a message of another model": _messages(model="claude"),
    "a message without a limit": Question(MESSAGES, {"model": "m", "messages": _HELLO}),
    "a message with tools and no parser": _messages(tools=[{"name": "weather", "input_schema": _TOOL["parameters"]}]),
    "messages to Anthropic's path that are empty": _messages(messages=[]),
    "tokens of another model": Question("/tokenize", {"model": "gpt-4o", "prompt": "Hello"}),
    "tokens of nothing": Question("/tokenize", {"model": "m"}),
    "text of a token that does not exist": Question("/detokenize", {"model": "m", "tokens": [99_999]}),
    "text of no tokens": Question("/detokenize", {"model": "m"}),
}

# What the options change that the plan gives to a server. Not with a parser of reasoning, which takes all that random weights say.
_DEPLOYED = {
    **{name: GOOD[name] for name in GOOD if "stream" in name and "left" not in name},
    "a chat": GOOD["a chat"],
    "a chat's stream without usage": _chat(stream=True, stream_options={"include_usage": False}),
    "tools": _chat(tools=_TOOLS),
    "tools, streamed": _chat(tools=_TOOLS, stream=True),
    "a message with tools": _messages(tools=[{"name": "weather", "input_schema": _TOOL["parameters"]}]),
}

# By the options of the server, beside its names and limits.
QUESTIONS: Mapping[str, Mapping[str, Question]] = {
    "bare": GOOD | ROUTER | UNREADABLE | MISTAKES,
    "deployed": _DEPLOYED,
}
OPTIONS: Mapping[str, list[str]] = {
    "bare": [],
    "deployed": [
        "--enable-force-include-usage",
        "--enable-auto-tool-choice",
        "--tool-call-parser=hermes",
    ],
}
