"""Bodies of answers, plain and streamed, in the shapes of OpenAI's API as vLLM fills them.

An answer says which replica gives it and how many tokens it read, and then counts: a lost, doubled or foreign token shows.
"""

from __future__ import annotations

import base64
import json
import secrets
import struct
import time
from collections.abc import Iterator
from typing import Any

from tools.demo.model_server.engine import Sequence
from tools.demo.model_server.requests import EmbeddingRequest, ModelRequest, count_tokens

_encode = json.JSONEncoder(separators=(",", ":")).encode
DONE = b"data: [DONE]\n\n"
EMBEDDING_DIMENSIONS = 8


def word(replica: str, sequence: Sequence, index: int) -> str:
    """The text of one token."""
    opening = (replica, " read", f" {sequence.prompt_tokens}", " tokens", ":")
    return opening[index] if index < len(opening) else f" {index - len(opening) + 1}"


def text(replica: str, sequence: Sequence, tokens: int) -> str:
    return "".join(word(replica, sequence, index) for index in range(tokens))


class Answer:
    """A chat completion: what is sent before, for and after each token of a stream, or at once."""

    prefix = "chatcmpl"
    kind, chunk_kind = "chat.completion", "chat.completion.chunk"

    def __init__(self, request: ModelRequest, sequence: Sequence, model: str, replica: str, *, force_usage: bool) -> None:
        self.sequence, self.replica, self.model = sequence, replica, model
        options = request.stream_options
        self._include_usage = force_usage or bool(options and options.include_usage)
        self._continuous = force_usage or bool(self._include_usage and options and options.continuous_usage_stats)
        self.id, self.created = f"{self.prefix}-{secrets.token_hex(16)}", int(time.time())

    def opening(self) -> Iterator[bytes]:
        """The role comes with the first token, before its text."""
        for index in range(self.sequence.choices):
            yield self._chunk([_choice(index, delta={"role": "assistant", "content": ""})], tokens=0)

    def token(self, number: int) -> Iterator[bytes]:
        last = number == self.sequence.length - 1
        reason = self.sequence.finish_reason if last else None
        for index in range(self.sequence.choices):
            choice = _choice(index, **self._delta(word(self.replica, self.sequence, number)))
            yield self._chunk([choice | {"finish_reason": reason}], tokens=number + 1, last=last and not self._include_usage)

    def closing(self) -> Iterator[bytes]:
        if self._include_usage:
            yield self._event(self._head(self.chunk_kind) | {"choices": [], "system_fingerprint": self.replica, "usage": self.usage()})
        yield DONE

    def whole(self) -> dict[str, Any]:
        message = self._message(text(self.replica, self.sequence, self.sequence.length))
        choices = [_choice(index, **message) | {"finish_reason": self.sequence.finish_reason} for index in range(self.sequence.choices)]
        return self._head(self.kind) | {"choices": choices, "system_fingerprint": self.replica, "usage": self.usage()}

    def usage(self, tokens: int | None = None) -> dict[str, Any]:
        sequence = self.sequence
        generated = sequence.length * sequence.choices if tokens is None else tokens
        return {
            "prompt_tokens": sequence.prompt_tokens,
            "total_tokens": sequence.prompt_tokens + generated,
            "completion_tokens": generated,
        }

    def _delta(self, token: str) -> dict[str, Any]:
        return {"delta": {"content": token}}

    def _message(self, content: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": content, "refusal": None, "reasoning": None}}

    def _chunk(self, choices: list[dict[str, Any]], *, tokens: int, last: bool = False) -> bytes:
        chunk = self._head(self.chunk_kind) | {"choices": choices}
        if last:
            chunk["system_fingerprint"] = self.replica
        if self._continuous:
            chunk["usage"] = self.usage(tokens)
        return self._event(chunk)

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    @staticmethod
    def _event(body: dict[str, Any]) -> bytes:
        return b"data: " + _encode(body).encode() + b"\n\n"


class CompletionAnswer(Answer):
    """A text completion."""

    prefix = "cmpl"
    kind = chunk_kind = "text_completion"

    def opening(self) -> Iterator[bytes]:
        return iter(())

    def _delta(self, token: str) -> dict[str, Any]:
        return {"text": token}

    def _message(self, content: str) -> dict[str, Any]:
        return {"text": content}


class ResponsesAnswer(Answer):
    """An answer of the Responses API: named, numbered events and no [DONE]. It always ends with the usage."""

    prefix = "resp"

    def __init__(self, request: ModelRequest, sequence: Sequence, model: str, replica: str, *, force_usage: bool) -> None:
        super().__init__(request, sequence, model, replica, force_usage=force_usage)
        self._number = 0
        self._place = {"item_id": f"msg_{secrets.token_hex(16)}", "output_index": 0, "content_index": 0}

    def opening(self) -> Iterator[bytes]:
        for kind in ("response.created", "response.in_progress"):
            yield self._named(kind, response=self._response("in_progress", "", usage=None))
        yield self._named("response.output_item.added", output_index=0, item=self._item("in_progress", []))
        yield self._named("response.content_part.added", **self._place, part=_part(""))

    def token(self, number: int) -> Iterator[bytes]:
        delta = word(self.replica, self.sequence, number)
        yield self._named("response.output_text.delta", **self._place, delta=delta, logprobs=[])

    def closing(self) -> Iterator[bytes]:
        whole = text(self.replica, self.sequence, self.sequence.length)
        yield self._named("response.output_text.done", **self._place, text=whole, logprobs=[])
        yield self._named("response.content_part.done", **self._place, part=_part(whole))
        yield self._named("response.output_item.done", output_index=0, item=self._item("completed", [_part(whole)]))
        body = self.whole()
        yield self._named(f"response.{body['status']}", response=body)

    def whole(self) -> dict[str, Any]:
        status = "completed" if self.sequence.finish_reason == "stop" else "incomplete"
        usage = {
            "input_tokens": self.sequence.prompt_tokens,
            "input_tokens_details": {"cached_tokens": self.sequence.cached_tokens},
            "output_tokens": self.sequence.length,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.sequence.prompt_tokens + self.sequence.length,
        }
        return self._response(status, text(self.replica, self.sequence, self.sequence.length), usage)

    def _response(self, status: str, content: str, usage: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "id": self.id.replace("-", "_"),
            "object": "response",
            "created_at": self.created,
            "model": self.model,
            "status": status,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "output": [self._item("completed", [_part(content)])] if content else [],
            "usage": usage,
            "metadata": None,
            "instructions": None,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "top_p": 1.0,
            "tools": [],
            "tool_choice": "auto",
            "background": False,
            "service_tier": "auto",
            "truncation": "disabled",
            "max_output_tokens": self.sequence.max_tokens or self.sequence.length,
        }

    def _item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._place["item_id"], "type": "message", "role": "assistant", "status": status, "content": content}

    def _named(self, kind: str, **fields: Any) -> bytes:
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return f"event: {kind}\n".encode() + self._event(event)


def embedding(request: EmbeddingRequest, model: str) -> dict[str, Any]:
    """Vectors that depend on nothing but the lengths of the inputs."""
    size = request.dimensions or EMBEDDING_DIMENSIONS
    data = []
    for index, item in enumerate(request.inputs):
        tokens = count_tokens([item])  # ty: ignore[invalid-argument-type]
        vector: Any = [1.0 / (tokens + place + 1) for place in range(size)]
        if request.encoding_format == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"index": index, "object": "embedding", "embedding": vector})
    usage = {"prompt_tokens": request.prompt_tokens, "total_tokens": request.prompt_tokens, "completion_tokens": 0}
    return {"id": f"embd-{secrets.token_hex(16)}", "object": "list", "created": int(time.time()), "model": model, "data": data} | {
        "usage": usage
    }


def _choice(index: int, **content: Any) -> dict[str, Any]:
    return {"index": index, **content, "logprobs": None, "finish_reason": None}


def _part(content: str) -> dict[str, Any]:
    return {"type": "output_text", "text": content, "annotations": [], "logprobs": []}
