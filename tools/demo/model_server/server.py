"""The HTTP server of a stand-in: vLLM's paths, checks, errors and streams, on one port.

Source: the API server of vLLM 0.33 (vllm/entrypoints), and what a real one has answered: `tests/data/vllm_answers.json`, which
`make test` holds this against. Two things differ: a stand-in embeds as well as it generates, unless told not to, and `x-replica` and
`system_fingerprint` say which replica has answered.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.client import NOT_FOUND, OK, TEMPORARY_REDIRECT

from aiohttp import web
from multidict import CIMultiDictProxy

from tools.demo.model_server.connections import reset
from tools.demo.model_server.engine import Engine
from tools.demo.model_server.errors import ApiError
from tools.demo.model_server.generation import Generation
from tools.demo.model_server.pages import Pages, as_json
from tools.demo.model_server.settings import Faults, ServerSettings

_UNCOUNTED = {"/metrics", "/health", "/load", "/ping", "/version"}  # prometheus-fastapi-instrumentator excludes these paths
_KEEP_ALIVE_SECONDS = 5.0  # VLLM_HTTP_TIMEOUT_KEEP_ALIVE: an idle connection is closed after it
_BACKLOG = 1024
_ACCEPTING_STEPS = 5  # turns of the event loop until a connection that has just been accepted is among the open ones
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """A request as it arrived; without a body if the client disconnected before its end."""

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
        """Listens; after `stop` on the same port as before.

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
        """Simulates a crash: closes the port and resets every connection."""
        runner, self._runner = self._runner, None
        if not runner:
            return
        asyncio.get_running_loop().remove_reader(self._listening)
        for _ in range(_ACCEPTING_STEPS):  # a connection that asyncio accepts while its server closes stays open and unread
            await asyncio.sleep(0)
        for site in list(runner.sites):
            await site.stop()
        for connection in runner.server.connections if runner.server else ():
            reset(connection.transport)
        await runner.cleanup()

    async def __aenter__(self) -> ModelServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._observed], client_max_size=0)
        application.on_response_prepare.append(self._stamp)
        generation = Generation(self.engine)
        application.add_routes(Pages(self.engine, generation.asked).routes() + generation.routes())
        return application

    @web.middleware
    async def _observed(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Middleware: records the request, turns exceptions into vLLM's errors, and updates metrics."""
        began, body = time.perf_counter(), b""
        try:
            body = await request.read()
        finally:
            self.received.append(Received(request.method, request.raw_path, request.headers, body))
        try:
            response = await handler(request)
        except ApiError as error:
            response = as_json(error.body, error.status, error.headers)
        except web.HTTPException as error:
            response = _refused(request, error)
        except (asyncio.CancelledError, ConnectionError):
            self._count(request, OK, (len(body), 0), began)  # its client has left
            raise
        self._count(request, response.status, (len(body), response.content_length or response.body_length), began)
        return response

    def _count(self, request: web.Request, status: int, sizes: tuple[int, int], began: float) -> None:
        resource = request.match_info.route.resource
        path = resource.canonical if resource else request.path if status == TEMPORARY_REDIRECT else "none"
        if request.path not in _UNCOUNTED:
            self.engine.metrics.http(path, request.method, status, sizes, time.perf_counter() - began)

    async def _stamp(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-replica"] = self.settings.replica


def _refused(request: web.Request, error: web.HTTPException) -> web.Response:
    """By the router: FastAPI's words, and its way of taking a slash off an address."""
    path = request.path.rstrip("/")
    known = {resource.canonical for resource in request.app.router.resources()}
    if error.status == NOT_FOUND and path != request.path and path in known:
        query = f"?{request.query_string}" if request.query_string else ""
        return web.Response(status=TEMPORARY_REDIRECT, headers={"Location": f"http://{request.host}{path}{query}"})
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return as_json({"detail": error.reason}, error.status, headers)
