"""A model server that costs as little as Python can: `python -m tools.bench.gateway.upstream PORT`. It answers any chat with the same
words, whole, or streamed with a write for each token. It knows no chunked requests.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

TOKENS = 20
_HEAD = {"id": "chatcmpl-0123456789abcdef", "created": 1767225600, "model": "bench"}
_USAGE = {"prompt_tokens": 256, "completion_tokens": TOKENS, "total_tokens": 256 + TOKENS}
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STREAMED = re.compile(rb'"stream":\s*true')


def _response(body: bytes, content_type: str = "application/json") -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _whole() -> bytes:
    message = {"role": "assistant", "content": " word" * TOKENS}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _response(json.dumps(_HEAD | {"object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode())


def _stream() -> list[bytes]:
    """The writes: headers, a chunk for each token, and the end."""
    kind = {"object": "chat.completion.chunk"}
    choice = {"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None}
    events = [_HEAD | kind | {"choices": [choice]}] * TOKENS + [_HEAD | kind | {"choices": [], "usage": _USAGE}]
    texts = [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]
    chunks = [b"%x\r\n%b\r\n" % (len(text), text) for text in texts]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *chunks[:-2], b"".join(chunks[-2:]) + b"0\r\n\r\n"]


WHOLE, STREAM, HEALTHY = _whole(), _stream(), _response(b"")


class Connection(asyncio.Protocol):
    """Requests of a client that waits for each answer."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a type, for the checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end + 2)
        if len(self._buffer) < end + 4 + (int(length[1]) if length else 0):
            return
        request, self._buffer = self._buffer, b""
        if request.startswith(b"GET"):
            self._transport.write(HEALTHY)
        elif _STREAMED.search(request, end):
            self._write(0)
        else:
            self._transport.write(WHOLE)

    def _write(self, index: int) -> None:
        """A token, and after whatever else is due the next one: streams interleave."""
        self._transport.write(STREAM[index])
        if index + 1 < len(STREAM):
            asyncio.get_running_loop().call_soon(self._write, index + 1)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
