"""What clients may send to a stand-in: the fields that change vLLM's answer, and the checks by which it refuses some of their values.

Parameters of sampling are checked and have no effect.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from tools.demo.model_server.errors import error, impossible, invalid, no_such_response
from tools.demo.model_server.settings import ServerSettings

CHARACTERS_PER_TOKEN = 4
_LARGEST_SEED = 2**63 - 1
_TEXT_PARTS = {"text", "input_text", "output_text", "refusal", "thinking", "tool_use", "tool_result"}
TokenId = Annotated[int, Field(ge=0)]


class Message(BaseModel):
    """A chat message; its content is text, or parts of which the text counts."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @field_validator("content")
    @classmethod
    def _only_an_assistant_says_nothing(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.data.get("role") != "assistant":
            raise ValueError("only an assistant's message may be empty")
        return value

    @property
    def parts(self) -> list[dict[str, Any]]:
        return self.content if isinstance(self.content, list) else []

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(str(part.get("text", "")) for part in self.parts)


class StreamOptions(BaseModel):
    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema", "structural_tag"]


class ModelRequest(BaseModel):
    """What every request to a model has. `prompts`, `choices`, `limit` and `text` are what the engine needs of it."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model: str | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = Field(default=None, ge=-(2**63), le=_LARGEST_SEED)
    stop: str | list[str] | None = None
    logit_bias: dict[str, float] | None = None
    response_format: ResponseFormat | None = None

    @classmethod
    def refuse(cls, body: dict[str, Any]) -> None:
        """What is refused before the fields are looked at.

        Raises:
            ApiError: parameters that do not go together.
        """
        if body.get("stream_options") and not body.get("stream"):
            raise impossible("Stream options can only be defined when `stream=True`.", "stream_options")
        form = body.get("response_format")
        if isinstance(form, dict) and form.get("type") == "json_schema" and not form.get("json_schema"):
            message = "When response_format type is 'json_schema', the 'json_schema' field must be provided."
            raise impossible(message, "response_format")

    def check(self, server: ServerSettings) -> None:
        """What the form allows and this server's model does not.

        Raises:
            ApiError: there is such a thing.
        """

    @property
    def sampled_logprobs(self) -> int | None:
        """How many alternatives each token comes with; None: no probabilities."""
        return None

    @property
    def choices(self) -> int:
        """Answers to each prompt."""
        return 1 if self.n is None else self.n

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        return [self.text]

    @property
    def limit(self) -> tuple[str, int | None]:
        """The parameter that limits the completion, and its value."""
        return "max_tokens", self.max_tokens

    @property
    def text(self) -> str:
        return "\n".join(map(str, self.prompts))

    @property
    def prompt_tokens(self) -> int:
        return count_tokens(self.prompts)


class ChatRequest(ModelRequest):
    messages: list[Message]
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None

    @classmethod
    def refuse(cls, body: dict[str, Any]) -> None:
        super().refuse(body)
        asked = body.get("top_logprobs")
        if isinstance(asked, int) and asked < -1:
            raise impossible("`top_logprobs` must be a positive value or -1.", "top_logprobs", asked)
        if isinstance(asked, int) and asked and not body.get("logprobs"):
            raise impossible("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs")
        choice, tools = body.get("tool_choice"), body.get("tools")
        if choice and choice != "none" and not tools:
            raise impossible("When using `tool_choice`, `tools` must be set.", "tool_choice")
        if isinstance(choice, dict) and _named(choice) not in [_named(tool) for tool in tools or ()]:
            message = "The tool specified in `tool_choice` does not match any of the specified `tools`"
            raise impossible(message, "tool_choice")

    @property
    def choice_of_tools(self) -> Any:
        """As OpenAI's clients say it."""
        return self.tool_choice

    def check(self, server: ServerSettings) -> None:
        choice = self.choice_of_tools
        if self.tools and not server.enable_auto_tool_choice and choice != "none":
            if choice == "required":
                raise impossible('tool_choice="required" requires --tool-call-parser to be set')
            if isinstance(choice, dict):
                raise impossible(f'tool_choice=function "{_named(choice)}" requires --tool-call-parser to be set')
            raise impossible('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
        if not self.messages:
            raise impossible("Cannot apply chat template to an empty conversation. Provide at least one message.")
        kinds = {part.get("type", "text") for message in self.messages for part in message.parts}
        if not server.multimodal and not kinds <= _TEXT_PARTS:
            raise impossible(f"{server.served_model_name[0]} is not a multimodal model")

    @property
    def sampled_logprobs(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def limit(self) -> tuple[str, int | None]:
        if self.max_completion_tokens is not None:
            return "max_completion_tokens", self.max_completion_tokens
        return super().limit

    @property
    def text(self) -> str:
        return "\n".join(f"{message.role}: {message.text}" for message in self.messages)


class CompletionRequest(ModelRequest):
    prompt: list[TokenId] | list[list[TokenId]] | str | list[str] | None = None
    max_tokens: int | None = 16
    suffix: str | None = None
    logprobs: int | None = None
    echo: bool | None = False

    @classmethod
    def refuse(cls, body: dict[str, Any]) -> None:
        super().refuse(body)
        if body.get("prompt") in (None, ""):
            raise impossible("Either prompt or prompt_embeds must be provided and non-empty.", "prompt")

    def check(self, server: ServerSettings) -> None:
        if self.suffix:
            raise error(400, "suffix is only supported for models with FIM completion rendering", "BadRequestError", "suffix")
        if not self.prompts:
            raise impossible("You must pass at least one prompt")
        for prompt in self.prompts:
            if isinstance(prompt, list) and prompt and max(prompt) >= server.vocab_size:
                raise impossible(f"Token id {max(prompt)} is out of vocabulary")

    @property
    def sampled_logprobs(self) -> int | None:
        return self.logprobs

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        return batch(self.prompt)


class EmbeddingRequest(ModelRequest):
    input: list[TokenId] | list[list[TokenId]] | str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, le=16_384)

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        return batch(self.input)


class ResponsesRequest(ModelRequest):
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    max_output_tokens: int | None = None
    tools: list[dict[str, Any]] = []
    previous_response_id: str | None = None
    background: bool | None = False

    def check(self, server: ServerSettings) -> None:
        if self.background:
            message = (
                "This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable these "
                "features, set the environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server."
            )
            raise error(400, message, "invalid_request_error", "background")
        if self.previous_response_id:
            raise no_such_response(self.previous_response_id)

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

    @classmethod
    def refuse(cls, body: dict[str, Any]) -> None:
        if not {"prompt", "messages"} & body.keys():
            missing = {"type": "missing", "msg": "Field required", "input": body}
            raise invalid([missing | {"loc": f"body.{name}"} for name in ("prompt", "messages")])

    @property
    def text(self) -> str:
        return self.prompt if self.prompt is not None else "\n".join(message.text for message in self.messages or [])


class DetokenizeRequest(ModelRequest):
    tokens: list[int]


def batch(given: str | list[Any] | None) -> list[str] | list[list[int]]:
    """Text or ids of one prompt, or of several."""
    several = isinstance(given, list) and not (given and isinstance(given[0], int))
    return given if several else [given]  # ty: ignore[invalid-explicit-return]


def count_tokens(prompts: list[str] | list[list[int]]) -> int:
    """Four characters count as a token; a prompt of token ids has one token per id."""
    return sum(len(prompt) if isinstance(prompt, list) else max(1, len(prompt) // CHARACTERS_PER_TOKEN) for prompt in prompts)


def _named(tool: dict[str, Any]) -> Any:
    return (tool.get("function") or {}).get("name")
