"""Sends requests as raw bytes, which may be invalid HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Any

from tests.dataplane.gateway_under_test import WAIT_SECONDS, error_of, key_of


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/json", self
        return error_of(self.body)

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]


def request(path: str, body: bytes | object = b"", *, method: str = "POST", client: str | None = "team-a", **headers: Any) -> bytes:
    """An HTTP/1.1 request as bytes. Underscores in header names become hyphens; None leaves a header out."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given: dict[str, str | None] = {"host": "gateway", "content-type": "application/json", "content-length": str(len(content))}
    if client:
        given["authorization"] = f"Bearer {key_of(client)}"
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value is not None)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def send(port: int, data: bytes) -> Answer:
    """The response to one request.

    Raises:
        ConnectionError: the connection closed before the end of the response.
    """
    answers = list(exchange(port, data, count=1))
    if not answers:
        raise ConnectionResetError("no answer")
    return answers[0]


def exchange(port: int, data: bytes, *, count: int, patience_seconds: float | None = None) -> Iterator[Answer]:
    """Up to `count` responses to bytes that are written at once; fewer if the connection closes before.

    `patience_seconds`: a silence of this length ends the responses. Without it, silence is a failure.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=patience_seconds or WAIT_SECONDS) as connection:
        with contextlib.suppress(ConnectionError):  # refused before it was sent completely: the response can still be read
            connection.sendall(data)
        stream = _Stream(connection)
        for _ in range(count):
            answer = HTTPResponse(stream, method="GET")  # ty: ignore[invalid-argument-type]
            try:
                answer.begin()
                yield Answer(answer.status, answer.headers, answer.read())
                if answer.headers["connection"] == "close":
                    return
            except (HTTPException, ConnectionError):
                return
            except TimeoutError:
                if patience_seconds is None:
                    raise
                return


class _Stream:
    """The part of a socket that HTTPResponse uses, with one buffer for all responses."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = _Unclosed(connection.makefile("rb"))

    def makefile(self, _mode: str) -> _Unclosed:
        return self._file


class _Unclosed:
    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """Does nothing: the next response is read from the same buffer."""


def chat(model: str = "qwen3-8b", **fields: Any) -> Mapping[str, Any]:
    """The body of a chat completion."""
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}]} | fields
