"""What clients may send to a stand-in, checked as far as vLLM's answer to a mistake differs from its answer to a request.

Parameters of sampling are accepted and have no effect.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from tools.model_server.engine import CHARACTERS_PER_TOKEN


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
    n: int | None = 1
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
        return self.prompt if batch else [self.prompt]  # ty: ignore[invalid-return-type]

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
    dimensions: int | None = Field(default=None, ge=1)

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        batch = isinstance(self.input, list) and self.input and not isinstance(self.input[0], int)
        return self.input if batch else [self.input]  # ty: ignore[invalid-return-type]

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


def count_tokens(prompts: list[str] | list[list[int]]) -> int:
    """A token is four characters, or one id where the client has tokenized already."""
    return sum(len(prompt) if isinstance(prompt, list) else max(1, len(prompt) // CHARACTERS_PER_TOKEN) for prompt in prompts)
