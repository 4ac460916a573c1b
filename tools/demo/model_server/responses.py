"""Answers of the Responses API: named, numbered events and no [DONE]. They always end with the usage."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from tools.demo.model_server.answers import Answer, words
from tools.demo.model_server.engine import Sequence
from tools.demo.model_server.requests import ResponsesRequest

_UNKNOWN = (
    "max_tool_calls", "previous_response_id", "prompt", "reasoning", "text", "top_logprobs", "user", "kv_transfer_params",
    "ec_transfer_params", "input_messages", "output_messages",
)  # fmt: skip
_UNKNOWN_OF_A_TOOL = ("strict", "allowed_callers", "async", "defer_loading", "description", "output_schema")


class ResponsesAnswer(Answer):
    """A response. One that is cut short is `incomplete`, and its last event is `response.completed` all the same, as vLLM's."""

    prefix = "resp"

    def __init__(self, request: ResponsesRequest, sequence: Sequence, model: str, replica: str, *, force_usage: bool) -> None:
        super().__init__(request, sequence, model, replica, force_usage=force_usage)
        self._number = 0
        self._place = {"item_id": f"msg_{secrets.token_hex(16)}", "output_index": 0, "content_index": 0}
        self._tools = [dict.fromkeys(_UNKNOWN_OF_A_TOOL) | tool for tool in request.tools]
        self._instructions = request.instructions

    def opening(self) -> Iterator[bytes]:
        for kind in ("response.created", "response.in_progress"):
            yield self._named(kind, response=self._response("in_progress", "", usage=None))
        yield self._named("response.output_item.added", output_index=0, item=self._item("in_progress", []))
        yield self._named("response.content_part.added", **self._place, part=_part("", logprobs=[]))

    def tokens(self, numbers: range) -> Iterator[bytes]:
        delta = "".join(words(self.replica, self.sequence, numbers))
        yield self._named("response.output_text.delta", **self._place, delta=delta, logprobs=[])

    def closing(self) -> Iterator[bytes]:
        whole = self._text()
        yield self._named("response.output_text.done", **self._place, text=whole, logprobs=[])
        yield self._named("response.content_part.done", **self._place, part=_part(whole))
        yield self._named("response.output_item.done", output_index=0, item=self._item("completed", [_part(whole)]))
        yield self._named("response.completed", response=self.whole())

    def whole(self) -> dict[str, Any]:
        sequence = self.sequence
        usage = {
            "input_tokens": sequence.prompt_tokens,
            "input_tokens_details": {"cached_tokens": sequence.cached_tokens, "cache_write_tokens": 0}
            | {"input_tokens_per_turn": [], "cached_tokens_per_turn": []},
            "output_tokens": sequence.length,
            "output_tokens_details": {"reasoning_tokens": 0, "tool_output_tokens": 0}
            | {"output_tokens_per_turn": [], "tool_output_tokens_per_turn": []},
            "total_tokens": sequence.prompt_tokens + sequence.length,
        }
        return self._response("completed" if sequence.finish_reason == "stop" else "incomplete", self._text(), usage)

    def _text(self) -> str:
        return "".join(words(self.replica, self.sequence, range(self.sequence.length)))

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
            "instructions": self._instructions,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "top_p": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "tools": self._tools,
            "tool_choice": "auto" if self._tools else "none",
            "background": False,
            "service_tier": "auto",
            "truncation": "disabled",
            "max_output_tokens": self.sequence.max_tokens,
        } | dict.fromkeys(_UNKNOWN)

    def _item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        item = {"id": self._place["item_id"], "type": "message", "role": "assistant", "status": status, "content": content}
        return item | {"phase": None}

    def _named(self, kind: str, **fields: Any) -> bytes:
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return f"event: {kind}\n".encode() + self._event(event)


def _part(content: str, logprobs: list[Any] | None = None) -> dict[str, Any]:
    return {"type": "output_text", "text": content, "annotations": [], "logprobs": logprobs}
