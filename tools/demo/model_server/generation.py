"""Requests to the model: vLLM's checks in vLLM's order, admission, and the answer at once or as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web

from tools.demo.model_server import answers, errors, requests
from tools.demo.model_server.connections import die, never
from tools.demo.model_server.engine import Engine, QueueOverflow, Sequence
from tools.demo.model_server.messages import MessagesAnswer, MessagesRequest
from tools.demo.model_server.pages import as_json
from tools.demo.model_server.reading import parse
from tools.demo.model_server.requests import ModelRequest
from tools.demo.model_server.responses import ResponsesAnswer
from tools.demo.model_server.sampling import check_choices, check_sampling

_NOT_AN_EVENT = b'data: {"choices": [{"delta"\n\xff\xfe\n\ndata: }\n\n'
_EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}
_CHARACTERS_BEFORE_COUNTING = 13  # of a text for each token of the context; more is refused without being tokenized
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Asked = TypeVar("_Asked", bound=ModelRequest)


class Generation:
    """The endpoints of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._settings = engine, engine.settings

    def routes(self) -> list[web.RouteDef]:
        kinds: dict[str, tuple[type[ModelRequest], type[Any]]] = {
            "/v1/chat/completions": (requests.ChatRequest, answers.Answer),
            "/v1/completions": (requests.CompletionRequest, answers.CompletionAnswer),
            "/v1/responses": (requests.ResponsesRequest, ResponsesAnswer),
            "/v1/messages": (MessagesRequest, MessagesAnswer),
        }
        found = [web.post(path, self._generates(*pair)) for path, pair in kinds.items()]
        return found + ([web.post("/v1/embeddings", self._embeddings)] if self._settings.embeds else [])

    async def asked(self, request: web.Request, kind: type[_Asked]) -> _Asked:
        """Raises: ApiError: no request of this kind, or for another model."""
        asked = parse(await request.read(), request.content_type, kind)
        names = self._settings.served_model_name
        if asked.model and asked.model not in names + self._settings.lora_modules:
            error = errors.no_such_model(asked.model, names)
            raise errors.as_anthropic(error) if issubclass(kind, MessagesRequest) else error
        return asked

    def _generates(self, kind: type[ModelRequest], answer_kind: type[answers.Answer]) -> _Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            asked = await self.asked(request, kind)
            asked.check(self._settings)
            limit = self._limit(asked)
            check_sampling(asked, self._settings, limit)
            await self._suffer()
            try:
                admitted = self._engine.admit(asked, limit)
            except QueueOverflow:
                return await self._turn_away(request, asked)
            check_choices(asked)
            with admitted as sequence:
                force = self._settings.enable_force_include_usage
                answer = answer_kind(asked, sequence, self._model_name(asked), self._settings.replica, force_usage=force)
                if asked.stream:
                    return await self._stream(request, sequence, answer)
                async for _ in self._tokens(request, sequence):
                    pass
                return as_json(answer.whole())

        return handler

    async def _embeddings(self, request: web.Request) -> web.Response:
        asked = await self.asked(request, requests.EmbeddingRequest)
        self._limit(asked)
        await self._suffer()
        try:
            admitted = self._engine.admit(asked, 1)
        except QueueOverflow:
            raise errors.overflow() from None
        with admitted as sequence:
            async for _ in self._tokens(request, sequence):
                pass
            return as_json(answers.embedding(asked, self._model_name(asked)))

    async def _turn_away(self, request: web.Request, asked: ModelRequest) -> web.StreamResponse:
        """Text completions begin their stream before their prompts are admitted."""
        error = errors.overflow()
        if not (asked.stream and isinstance(asked, requests.CompletionRequest)):
            raise error
        response = web.StreamResponse(headers=_EVENTS)
        await response.prepare(request)
        await response.write(answers.failure(error.body))
        await response.write_eof()
        return response

    async def _stream(self, request: web.Request, sequence: Sequence, answer: answers.Answer) -> web.StreamResponse:
        """Headers leave at once, before there is a first token: as vLLM's do."""
        response = web.StreamResponse(headers=_EVENTS)
        await response.prepare(request)
        begun = 0
        async for number in self._tokens(request, sequence):
            if number == 0:
                await response.write(b"".join(answer.opening()))
            if (number + 1) % self._settings.tokens_per_chunk == 0 or number == sequence.length - 1:
                await response.write(b"".join(answer.tokens(range(begun, number + 1))))
                begun = number + 1
            if number == 0 and self._engine.faults.malformed_stream:
                await response.write(_NOT_AN_EVENT)
        await response.write(b"".join(answer.closing()))
        await response.write_eof()
        return response

    async def _tokens(self, request: web.Request, sequence: Sequence) -> AsyncIterator[int]:
        """The tokens, until a fault ends them."""
        if self._engine.faults.die_after_tokens == 0:
            await die(request)
        async for number in sequence.tokens():
            yield number
            if self._engine.faults.die_after_tokens == number + 1:
                await die(request)
            if self._engine.faults.silent_after_tokens == number + 1:
                await never()

    async def _suffer(self) -> None:
        """What is wrong with the replica, to a request that is right."""
        faults = self._engine.faults
        if faults.hang:
            await never()
        if faults.draining:
            raise errors.shut_down()
        if faults.busy:
            raise errors.overflow()

    def _limit(self, asked: ModelRequest) -> int | None:
        """Tokens of each answer at most, as far as the request says.

        Raises:
            ApiError: more tokens than the model takes.
        """
        length, (parameter, limit) = self._settings.max_model_len, asked.limit
        for prompt in asked.prompts:
            _check_length(prompt, length)
        if limit is not None and limit > length:
            message = f"{parameter}={limit} cannot be greater than max_model_len={length}. Please request fewer output tokens."
            raise errors.impossible(message, parameter, limit)
        room = min(length - requests.count_tokens([prompt]) for prompt in asked.prompts)  # ty: ignore[invalid-argument-type]
        limit = room if room < 1 else limit
        if limit is not None and limit < 1 and not getattr(asked, "echo", False):
            raise errors.impossible(f"max_tokens must be at least 1, got {limit}.", "max_tokens", limit)
        return limit

    def _model_name(self, asked: ModelRequest) -> str:
        return asked.model if asked.model and asked.model in self._settings.lora_modules else self._settings.served_model_name[0]


def _check_length(prompt: str | list[int], length: int) -> None:
    head = f"This model's maximum context length is {length} tokens. However, your prompt contains"
    most = _CHARACTERS_BEFORE_COUNTING * length
    if isinstance(prompt, str) and len(prompt) > most:
        told = f"{head} {len(prompt)} characters (more than {most} characters, which is the upper bound for {length} input tokens)."
        raise errors.impossible(f"{told} Please reduce the length of the input prompt.", "input_text", len(prompt))
    tokens = requests.count_tokens([prompt])  # ty: ignore[invalid-argument-type]
    if tokens > length:
        told = f"{head} at least {length + 1} input tokens, which exceeds this limit even without any output tokens."
        raise errors.impossible(f"{told} Please reduce the length of the input prompt.", "input_tokens", length + 1)
