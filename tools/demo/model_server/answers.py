"""Bodies of responses, plain and streamed, in the formats of OpenAI's API as vLLM fills them.

The text names the replica and the number of prompt tokens, and then numbers its tokens, so that tests see a lost, duplicated or foreign
one.
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
_LOGPROB = -0.5  # of every token


def word(replica: str, sequence: Sequence, index: int) -> str:
    """The text of one token."""
    opening = (replica, " read", f" {sequence.prompt_tokens}", " tokens", ":")
    return opening[index] if index < len(opening) else f" {index - len(opening) + 1}"


def words(replica: str, sequence: Sequence, numbers: range) -> list[str]:
    return [word(replica, sequence, index) for index in numbers]


class Answer:
    """A chat completion: what is sent before, for and after the tokens of a stream, or at once."""

    prefix = "chatcmpl"
    kind, chunk_kind = "chat.completion", "chat.completion.chunk"
    # What vLLM says of every answer and this knows nothing of.
    unknown: tuple[str, ...] = ("prompt_logprobs", "prompt_token_ids", "prompt_text", "kv_transfer_params", "ec_transfer_params", "metrics")
    unknown_choice: tuple[str, ...] = ("stop_reason", "token_ids", "routed_experts")
    unknown_delta: tuple[str, ...] = ("token_ids",)
    unknown_usage: tuple[str, ...] = ("completion_tokens_details",)

    def __init__(self, request: ModelRequest, sequence: Sequence, model: str, replica: str, *, force_usage: bool) -> None:
        self.sequence, self.replica, self.model = sequence, replica, model
        options = request.stream_options
        self._include_usage = force_usage or bool(options and options.include_usage)
        self._continuous = force_usage or bool(self._include_usage and options and options.continuous_usage_stats)
        self._logprobs = request.sampled_logprobs
        self.id, self.created = f"{self.prefix}-{secrets.token_hex(16)}", int(time.time())

    def opening(self) -> Iterator[bytes]:
        """Events before the first token: the role."""
        for index in range(self.sequence.choices):
            choice = {"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
            yield self._chunk(choice, tokens=0, **dict.fromkeys(("prompt_token_ids", "prompt_text")))

    def tokens(self, numbers: range) -> Iterator[bytes]:
        """The tokens with these numbers, a chunk for each choice."""
        ends = numbers[-1] == self.sequence.length - 1
        fingerprint = {"system_fingerprint": self.replica} if ends and not self._include_usage else {}
        texts = words(self.replica, self.sequence, numbers)
        for index in range(self.sequence.choices):
            choice = {"index": index, **self._delta("".join(texts)), "logprobs": self._probabilities(texts)}
            choice["finish_reason"] = self.sequence.finish_reason if ends else None
            choice |= dict.fromkeys((*self.unknown_delta, *(("stop_reason",) if ends else ())))
            yield self._chunk(choice, tokens=numbers[-1] + 1, **fingerprint)

    def closing(self) -> Iterator[bytes]:
        if self._include_usage:
            yield self._event(self._head(self.chunk_kind) | {"choices": [], "usage": self.usage(), "system_fingerprint": self.replica})
        yield DONE

    def whole(self) -> dict[str, Any]:
        texts = words(self.replica, self.sequence, range(self.sequence.length))
        rest = {"logprobs": self._probabilities(texts), "finish_reason": self.sequence.finish_reason} | dict.fromkeys(self.unknown_choice)
        choices = [{"index": index, **self._message("".join(texts)), **rest} for index in range(self.sequence.choices)]
        details = dict.fromkeys(("prompt_tokens_details", "completion_tokens_details"))
        ends = {"service_tier": None, "system_fingerprint": self.replica, "usage": self.usage() | details}
        return self._head(self.kind) | {"choices": choices} | ends | dict.fromkeys(self.unknown)

    def usage(self, tokens: int | None = None) -> dict[str, Any]:
        """`tokens`: generated so far by each choice; all of them unless given."""
        sequence = self.sequence
        generated = sequence.length * sequence.choices if tokens is None else tokens
        return {
            "prompt_tokens": sequence.prompt_tokens,
            "total_tokens": sequence.prompt_tokens + generated,
            "completion_tokens": generated,
        }

    def _delta(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}}

    def _message(self, content: str) -> dict[str, Any]:
        nothing = dict.fromkeys(("refusal", "annotations", "audio", "function_call", "reasoning"))
        return {"message": {"role": "assistant", "content": content} | nothing}

    def _probabilities(self, texts: list[str]) -> dict[str, Any] | None:
        if self._logprobs is None:
            return None
        tokens = [{"token": text, "logprob": _LOGPROB, "bytes": list(text.encode())} for text in texts]
        return {"content": [token | {"top_logprobs": [token] * self._logprobs} for token in tokens]}

    def _chunk(self, choice: dict[str, Any], *, tokens: int, **more: Any) -> bytes:
        chunk = self._head(self.chunk_kind) | {"choices": [choice]} | more
        if self._continuous:
            chunk["usage"] = self.usage(tokens) | dict.fromkeys(self.unknown_usage)
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
    unknown = ("kv_transfer_params", "ec_transfer_params", "metrics")
    unknown_choice = ("stop_reason", "token_ids", "prompt_logprobs", "prompt_token_ids", "routed_experts")
    unknown_delta = ("stop_reason", "prompt_token_ids", "token_ids")
    unknown_usage = ()

    def opening(self) -> Iterator[bytes]:
        return iter(())

    def _delta(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def _message(self, content: str) -> dict[str, Any]:
        return {"text": content}

    def _probabilities(self, texts: list[str]) -> dict[str, Any] | None:
        if self._logprobs is None:
            return None
        offsets = [sum(map(len, texts[:index])) for index in range(len(texts))]
        alternatives = [{text: _LOGPROB} for text in texts]
        return {"text_offset": offsets, "token_logprobs": [_LOGPROB] * len(texts), "tokens": texts, "top_logprobs": alternatives}


def failure(body: dict[str, Any]) -> bytes:
    """An error in a stream that has begun."""
    return b"data: " + _encode(body).encode() + b"\n\n" + DONE


def embedding(request: EmbeddingRequest, model: str) -> dict[str, Any]:
    """An embedding response whose vectors depend only on the lengths of the inputs."""
    size = request.dimensions or EMBEDDING_DIMENSIONS
    data = []
    for index, item in enumerate(request.prompts):
        tokens = count_tokens([item])  # ty: ignore[invalid-argument-type]
        vector: Any = [1.0 / (tokens + place + 1) for place in range(size)]
        if request.encoding_format == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"index": index, "object": "embedding", "embedding": vector})
    usage = {"prompt_tokens": request.prompt_tokens, "total_tokens": request.prompt_tokens, "completion_tokens": 0}
    return {"id": f"embd-{secrets.token_hex(16)}", "object": "list", "created": int(time.time()), "model": model, "data": data} | {
        "usage": usage
    }
