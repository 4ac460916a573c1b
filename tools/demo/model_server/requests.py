"""What clients may send to a stand-in, checked as far as vLLM's answer to a mistake differs from its answer to a request.

Parameters of sampling are accepted and have no effect.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from tools.demo.model_server.engine import CHARACTERS_PER_TOKEN
from tools.demo.model_server.errors import ApiError, invalid


class Message(BaseModel):
    """A chat message; its content is text, or parts of which the text counts."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(str(part.get("text", "")) for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class ModelRequest(BaseModel):
    """What every request to a model has. `choices`, `limit` and `text` are what the engine needs of it."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model: str | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = Field(default=None, validate_default=True)
    n: int | None = Field(default=1, ge=1, le=16_384)  # VLLM_MAX_N_SEQUENCES
    max_tokens: int | None = None
    ignore_eos: bool = False

    @field_validator("stream_options")
    @classmethod
    def _only_for_streams(cls, value: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if value and not info.data.get("stream"):
            raise ValueError("Stream options can only be defined when `stream=True`.")
        return value

    @property
    def choices(self) -> int:
        return self.n or 1

    @property
    def limit(self) -> tuple[str, int | None]:
        """The parameter that limits the answer, and its value."""
        return "max_tokens", self.max_tokens

    @property
    def text(self) -> str:
        raise NotImplementedError

    @property
    def prompt_tokens(self) -> int:
        return max(1, len(self.text) // CHARACTERS_PER_TOKEN)


class ChatRequest(ModelRequest):
    messages: list[Message]
    max_completion_tokens: int | None = None

    @property
    def limit(self) -> tuple[str, int | None]:
        if self.max_completion_tokens is not None:
            return "max_completion_tokens", self.max_completion_tokens
        return super().limit

    @property
    def text(self) -> str:
        return "\n".join(f"{message.role}: {message.text}" for message in self.messages)


class CompletionRequest(ModelRequest):
    prompt: str | list[int] | list[str] | list[list[int]] = ""
    max_tokens: int | None = 16

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        batch = isinstance(self.prompt, list) and self.prompt and not isinstance(self.prompt[0], int)
        return self.prompt if batch else [self.prompt]  # ty: ignore[invalid-explicit-return]

    @property
    def choices(self) -> int:
        return len(self.prompts) * super().choices

    @property
    def text(self) -> str:
        return "\n".join(map(str, self.prompts))

    @property
    def prompt_tokens(self) -> int:
        return count_tokens(self.prompts)


class EmbeddingRequest(ModelRequest):
    input: str | list[int] | list[str] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, le=16_384)

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        batch = isinstance(self.input, list) and self.input and not isinstance(self.input[0], int)
        return self.input if batch else [self.input]  # ty: ignore[invalid-explicit-return]

    @property
    def text(self) -> str:
        return "\n".join(map(str, self.inputs))

    @property
    def prompt_tokens(self) -> int:
        return count_tokens(self.inputs)


class ResponsesRequest(ModelRequest):
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    max_output_tokens: int | None = None

    @property
    def limit(self) -> tuple[str, int | None]:
        return "max_output_tokens", self.max_output_tokens

    @property
    def text(self) -> str:
        if isinstance(self.input, str):
            return self.input
        return "\n".join(str(item.get("content", "")) for item in self.input)


class TokenizeRequest(ModelRequest):
    prompt: str | None = None
    messages: list[Message] | None = None

    @property
    def text(self) -> str:
        return self.prompt if self.prompt is not None else "\n".join(message.text for message in self.messages or [])


_Asked = TypeVar("_Asked", bound=ModelRequest)


def parse(body: bytes, content_type: str, kind: type[_Asked]) -> _Asked:
    """The request in a body. Of a key given twice the last one counts, as for every reader that builds on Python's json.

    Raises:
        ApiError: no JSON, or not of this kind.
    """
    try:
        found = json.loads(body)
    except json.JSONDecodeError as error:
        problem = {"type": "json_invalid", "loc": f"body.{error.pos}", "msg": "JSON decode error", "ctx": {"error": error.msg}}
        raise invalid([problem], f"body.{error.pos}") from None
    except (ValueError, RecursionError):  # not UTF-8, numbers of thousands of digits, nested too deep
        raise ApiError(400, "There was an error parsing the body", "Bad Request") from None
    if content_type != "application/json":
        raise invalid(["Unsupported Media Type: Only 'application/json' is allowed"], None)
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid(problems, ".".join(map(str, ("body", *problems[0]["loc"])))) from None


def count_tokens(prompts: list[str] | list[list[int]]) -> int:
    """A token is four characters, or one id where the client has tokenized already."""
    return sum(len(prompt) if isinstance(prompt, list) else max(1, len(prompt) // CHARACTERS_PER_TOKEN) for prompt in prompts)
