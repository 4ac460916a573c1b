"""Runs the programs of the rollout's Jobs as their pods do: the text after `python3 -c`, with a JSON argument."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from components.serving.checks import jobs

Answer = tuple[int, str | bytes]


def run(program: str, argument: dict[str, Any]) -> tuple[int, str]:
    """The exit status, and what it wrote."""
    command = [sys.executable, "-I", "-c", jobs.program(program), json.dumps(argument)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout + ended.stderr


@contextlib.contextmanager
def serving(answer: Callable[[str, bytes], Answer]) -> Generator[int]:
    """A server on 127.0.0.1 that answers every request by its path and body; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, content = answer(self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content.encode() if isinstance(content, str) else content)

        do_POST = do_GET  # noqa: N815 - the base class's name

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's name

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
