"""Ways in which a connection goes wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import NoReturn

from aiohttp import web


async def never() -> NoReturn:
    """Until the connection ends, which cancels the handler."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def die(request: web.Request) -> NoReturn:
    reset(request.transport)
    await never()


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Ends a connection by RST, so that nobody takes it for the end of an answer."""
    if isinstance(transport, asyncio.Transport):
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
