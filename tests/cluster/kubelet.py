"""A stand-in kubelet API: serves container logs over HTTPS to the API server."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextlib.contextmanager
def kubelet(scratch: Path, log: str) -> Generator[int]:
    """Answers every request for a log with `log`; yields the port on 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/containerLogs/")
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(log.encode() if found else b"")

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's name

    certificate, key = scratch / "kubelet.crt", scratch / "kubelet.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kubelet", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
