"""Many stand-ins on an event loop in a thread of their own, for callers that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tools.demo.model_server.server import ModelServer
from tools.demo.model_server.settings import ServerSettings

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Fleet:
    """The running servers, in the order of their settings. `run(servers[0].stop())` kills one, `.start()` brings it back."""

    servers: tuple[ModelServer, ...]
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def __iter__(self) -> Iterator[ModelServer]:
        return iter(self.servers)

    def __getitem__(self, index: int) -> ModelServer:
        return self.servers[index]

    def __len__(self) -> int:
        return len(self.servers)


@contextmanager
def fleet(settings: Iterable[ServerSettings]) -> Generator[Fleet]:
    """Starts a server for each of `settings`; leaving it stops them all.

    Raises:
        OSError: a port is taken.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="model-servers", daemon=True)
    thread.start()
    servers = Fleet(tuple(ModelServer(each) for each in settings), loop)
    try:
        for server in servers:
            servers.run(server.start())
        yield servers
    finally:
        for server in servers:
            servers.run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
