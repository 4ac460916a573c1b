"""The HTTP side of a stand-in: vLLM's paths, checks, errors and streams, on one port of an event loop.

Source: the API server of vLLM 0.33 (vllm/entrypoints). Two things differ: a stand-in embeds as well as it generates, and
`x-replica` and `system_fingerprint` say which replica has answered.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from aiohttp import web
from multidict import CIMultiDictProxy
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from config import catalog
from tools.demo.model_server import answers, errors, requests
from tools.demo.model_server.engine import Engine, QueueOverflow, Sequence
from tools.demo.model_server.errors import ApiError
from tools.demo.model_server.requests import ModelRequest, parse
from tools.demo.model_server.settings import Faults, ServerSettings

_UNCOUNTED = {"/metrics", "/health", "/load", "/ping", "/version"}  # by the instrumentator
_KEEP_ALIVE_SECONDS = 5.0  # VLLM_HTTP_TIMEOUT_KEEP_ALIVE: then an idle connection is closed
_BACKLOG = 1024
_ACCEPTING_STEPS = 5  # turns of the event loop until a connection that has just been accepted is among the open ones
_NOT_AN_EVENT = b'data: {"choices": [{"delta"\n\xff\xfe\n\ndata: }\n\n'
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Asked = TypeVar("_Asked", bound=ModelRequest)


@dataclass(frozen=True)
class Received:
    """A request as it arrived; without a body where its client left early."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes


class ModelServer:
    """One replica. `faults` may be set, and `received` read, from any thread; the rest belongs to the event loop."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.engine = Engine(settings)
        self.received: deque[Received] = deque(maxlen=settings.recorded_requests)
        self.port = settings.port
        self._runner: web.AppRunner | None = None
        self._listening: socket.socket

    @property
    def faults(self) -> Faults:
        return self.engine.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.engine.faults = faults

    @property
    def url(self) -> str:
        return f"http://{self.settings.host}:{self.port}"

    async def start(self) -> None:
        """Listens; after a stop on the same port as before.

        Raises:
            OSError: the port is taken.
        """
        self._listening = socket.create_server((self.settings.host, self.port), backlog=_BACKLOG)
        self._runner = web.AppRunner(
            self._application(), access_log=None, handler_cancellation=True, keepalive_timeout=_KEEP_ALIVE_SECONDS, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.SockSite(self._runner, self._listening, backlog=_BACKLOG).start()
        self.port = self._listening.getsockname()[1]

    async def stop(self) -> None:
        """Dies: closes the port and resets every connection, with whatever is under way on it."""
        runner, self._runner = self._runner, None
        if not runner:
            return
        asyncio.get_running_loop().remove_reader(self._listening)
        for _ in range(_ACCEPTING_STEPS):  # a connection that asyncio accepts while its server closes stays open and unread
            await asyncio.sleep(0)
        for site in list(runner.sites):
            await site.stop()
        for connection in runner.server.connections if runner.server else ():
            _reset(connection.transport)
        await runner.cleanup()

    async def __aenter__(self) -> ModelServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._observed], client_max_size=0)
        application.on_response_prepare.append(self._stamp)
        application.add_routes(
            [
                web.route("GET", "/health", self._health),
                web.route("GET", "/ping", self._health),
                web.route("POST", "/ping", self._health),
                web.route("GET", "/version", self._version),
                web.route("GET", "/load", self._load),
                web.route("GET", "/metrics", self._metrics),
                web.route("GET", "/v1/models", self._models),
                web.route("POST", "/v1/chat/completions", self._generates(requests.ChatRequest, answers.Answer)),
                web.route("POST", "/v1/completions", self._generates(requests.CompletionRequest, answers.CompletionAnswer)),
                web.route("POST", "/v1/responses", self._generates(requests.ResponsesRequest, answers.ResponsesAnswer)),
                web.route("POST", "/v1/embeddings", self._embeddings),
                web.route("POST", "/tokenize", self._tokenize),
            ]
        )
        return application

    @web.middleware
    async def _observed(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Records the request, turns what went wrong into vLLM's errors, and counts."""
        began, body = time.perf_counter(), b""
        try:
            body = await request.read()
        finally:
            self.received.append(Received(request.method, request.raw_path, request.headers, body))
        try:
            response = await handler(request)
        except ApiError as error:
            response = _json(error.body, error.status)
        except web.HTTPException as error:
            response = _json(ApiError(error.status, error.reason, error.reason).body, error.status)
        resource = request.match_info.route.resource
        path = resource.canonical if resource else "none"
        if path not in _UNCOUNTED:
            sizes = len(body), response.content_length or response.body_length
            self.engine.metrics.http(path, request.method, response.status, sizes, time.perf_counter() - began)
        return response

    async def _stamp(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-replica"] = self.settings.replica

    async def _health(self, _: web.Request) -> web.Response:
        if self.faults.on_health and self.faults.hang:
            await _never()
        return web.Response(status=503 if self.faults.on_health and self.faults.busy else 200)

    async def _version(self, _: web.Request) -> web.Response:
        return _json({"version": catalog.image("vllm").tag.removeprefix("v")})

    async def _load(self, _: web.Request) -> web.Response:
        return _json({"server_load": self.engine.unfinished})

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.engine.metrics.render(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _models(self, _: web.Request) -> web.Response:
        base = self.settings.served_model_name
        cards = [(name, None, self.settings.max_model_len) for name in base] + [
            (name, base[0], None) for name in self.settings.lora_modules
        ]
        data = [
            {"id": name, "object": "model", "created": int(time.time()), "owned_by": "vllm", "root": name, "parent": parent}
            | {"max_model_len": length, "permission": []}
            for name, parent, length in cards
        ]
        return _json({"object": "list", "data": data})

    async def _tokenize(self, request: web.Request) -> web.Response:
        asked = await self._asked(request, requests.TokenizeRequest)
        count = asked.prompt_tokens
        return _json({"count": count, "max_model_len": self.settings.max_model_len, "tokens": list(range(count)), "token_strs": None})

    async def _embeddings(self, request: web.Request) -> web.Response:
        asked = await self._asked(request, requests.EmbeddingRequest)
        await self._suffer()
        with self._admit(asked, embeds=True) as sequence:
            async for _ in self._tokens(request, sequence):
                pass
            return _json(answers.embedding(asked, self._model_name(asked)))

    def _generates(self, kind: type[ModelRequest], answer_kind: type[answers.Answer]) -> _Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            asked = await self._asked(request, kind)
            await self._suffer()
            with self._admit(asked) as sequence:
                force = self.settings.enable_force_include_usage
                answer = answer_kind(asked, sequence, self._model_name(asked), self.settings.replica, force_usage=force)
                if asked.stream:
                    return await self._stream(request, sequence, answer)
                async for _ in self._tokens(request, sequence):
                    pass
                return _json(answer.whole())

        return handler

    async def _stream(self, request: web.Request, sequence: Sequence, answer: answers.Answer) -> web.StreamResponse:
        """Headers leave at once, before there is a first token: as vLLM's do."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        async for number in self._tokens(request, sequence):
            events = b"".join(answer.opening()) if number == 0 else b""
            await response.write(events + b"".join(answer.token(number)))
            if number == 0 and self.faults.malformed_stream:
                await response.write(_NOT_AN_EVENT)
        await response.write(b"".join(answer.closing()))
        await response.write_eof()
        return response

    async def _tokens(self, request: web.Request, sequence: Sequence) -> AsyncIterator[int]:
        """The tokens, until a fault ends them."""
        if self.faults.die_after_tokens == 0:
            await _die(request)
        async for number in sequence.tokens():
            yield number
            if self.faults.die_after_tokens == number + 1:
                await _die(request)
            if self.faults.silent_after_tokens == number + 1:
                await _never()

    async def _suffer(self) -> None:
        """What is wrong with the replica, to a request that is right."""
        if self.faults.hang:
            await _never()
        if self.faults.draining:
            raise errors.shut_down()
        if self.faults.busy:
            raise errors.overflow()

    async def _asked(self, request: web.Request, kind: type[_Asked]) -> _Asked:
        """Raises: ApiError, in the order in which vLLM looks."""
        asked = parse(await request.read(), request.content_type, kind)
        names = self.settings.served_model_name
        if asked.model and asked.model not in names + self.settings.lora_modules:
            raise errors.no_such_model(asked.model, names)
        return asked

    def _admit(self, asked: ModelRequest, *, embeds: bool = False) -> Sequence:
        """Raises: ApiError: more tokens than the model takes, or more requests than the engine takes."""
        tokens, length = asked.prompt_tokens, self.settings.max_model_len
        parameter, limit = asked.limit
        if tokens >= length:
            message = f"This model's maximum context length is {length} tokens. However, your prompt contains {tokens} input tokens."
            raise errors.impossible(message, "input_tokens")
        if limit is not None and limit > length:
            message = f"{parameter}={limit} cannot be greater than max_model_len={length}. Please request fewer output tokens."
            raise errors.impossible(message, parameter)
        if limit is not None and limit < 1:
            raise errors.impossible(f"max_tokens must be at least 1, got {limit}.", "max_tokens")
        try:
            most = 1 if embeds else limit
            return self.engine.admit(asked.text, tokens, choices=asked.choices, max_tokens=most, eos=not asked.ignore_eos)
        except QueueOverflow:
            raise errors.overflow() from None

    def _model_name(self, asked: ModelRequest) -> str:
        return asked.model if asked.model and asked.model in self.settings.lora_modules else self.settings.served_model_name[0]


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body, separators=(",", ":")).encode(), status=status, content_type="application/json")


async def _never() -> NoReturn:
    await asyncio.get_running_loop().create_future()  # until the connection ends, which cancels the handler
    raise AssertionError


async def _die(request: web.Request) -> NoReturn:
    _reset(request.transport)
    await _never()


def _reset(transport: asyncio.BaseTransport | None) -> None:
    """Ends a connection by RST, so that nobody takes it for the end of an answer."""
    if isinstance(transport, asyncio.Transport):
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
