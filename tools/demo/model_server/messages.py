"""Anthropic's Messages API, which vLLM serves on top of its chat completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.demo.model_server.answers import Answer, words
from tools.demo.model_server.errors import ApiError, as_anthropic
from tools.demo.model_server.requests import ChatRequest, Message
from tools.demo.model_server.settings import ServerSettings

_REASONS = {"stop": "end_turn", "length": "max_tokens"}


class CountTokensRequest(ChatRequest):
    """Tools are in Anthropic's shape; no choice of them is read."""

    system: str | list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None

    @classmethod
    def refuse(cls, body: dict[str, Any]) -> None:
        """OpenAI's parameters are not known here."""

    def check(self, server: ServerSettings) -> None:
        try:
            super().check(server)
        except ApiError as error:
            raise as_anthropic(error) from None

    @property
    def choice_of_tools(self) -> Any:
        kind = (self.tool_choice or {}).get("type", "auto")
        return {"any": "required", "tool": {"function": self.tool_choice}}.get(kind, kind)

    @property
    def text(self) -> str:
        system = [] if self.system is None else [Message(role="system", content=self.system).text]
        return "\n".join([*system, super().text])


class MessagesRequest(CountTokensRequest):
    max_tokens: int


class MessagesAnswer(Answer):
    """A message: named events without numbers, and no [DONE]."""

    def opening(self) -> Iterator[bytes]:
        message = self._body([], None) | {"stop_sequence": None, "usage": self._usage(0)}
        yield self._named("message_start", message=message)
        yield self._named("content_block_start", index=0, content_block={"type": "text", "text": ""})

    def tokens(self, numbers: range) -> Iterator[bytes]:
        text = "".join(words(self.replica, self.sequence, numbers))
        yield self._named("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def closing(self) -> Iterator[bytes]:
        yield self._named("content_block_stop", index=0)
        delta = {"stop_reason": _REASONS[self.sequence.finish_reason], "stop_sequence": None}
        yield self._named("message_delta", delta=delta, usage=self._usage(self.sequence.length))
        yield self._named("message_stop")

    def whole(self) -> dict[str, Any]:
        text = "".join(words(self.replica, self.sequence, range(self.sequence.length)))
        body = self._body([{"type": "text", "text": text}], _REASONS[self.sequence.finish_reason])
        return body | {"usage": self._usage(self.sequence.length)}

    def _body(self, content: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
        head = {"id": self.id, "type": "message", "role": "assistant", "content": content}
        return head | {"model": self.model, "stop_reason": reason}

    def _usage(self, tokens: int) -> dict[str, int]:
        return {"input_tokens": self.sequence.prompt_tokens, "output_tokens": tokens}

    def _named(self, kind: str, **fields: Any) -> bytes:
        return f"event: {kind}\n".encode() + self._event({"type": kind, **fields})
