"""A stand-in for the Hugging Face Hub: the answers that downloads and verifications of one repository need."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

LARGE = ".safetensors"


class Hub:
    """`files`: what the tree says of the repository. `served`: what is sent instead, for a file that arrives damaged."""

    def __init__(self, repository: str, revision: str, files: dict[str, bytes]) -> None:
        self.repository, self.revision, self.files = repository, revision, files
        self.served: dict[str, bytes] = {}
        self.downloads: list[str] = []
        self.url = ""

    def tree(self) -> list[dict[str, object]]:
        return [_entry(path, content) for path, content in self.files.items()]


def _entry(path: str, content: bytes) -> dict[str, object]:
    """As GET /api/models/<repository>/tree/<revision> lists it: sha256 for files in LFS, git's blob id for all."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324 - git names blobs by SHA-1
    entry: dict[str, object] = {"type": "file", "oid": blob, "size": len(content), "path": path}
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


@contextlib.contextmanager
def serving(hub: Hub) -> Generator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    api = f"/api/models/{hub.repository}"

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

        def do_HEAD(self) -> None:
            self._file(body=False)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == f"{api}/revision/{hub.revision}":
                siblings = [{"rfilename": name} for name in hub.files]
                self._answer(json.dumps({"id": hub.repository, "sha": hub.revision, "siblings": siblings}).encode())
            elif path == f"{api}/tree/{hub.revision}":
                self._answer(json.dumps(hub.tree()).encode())
            else:
                self._file(body=True)

        def _file(self, *, body: bool) -> None:
            name = self.path.partition(f"/{hub.repository}/resolve/{hub.revision}/")[2]
            if name not in hub.files:
                self.send_error(404)
                return
            entry = _entry(name, hub.files[name])
            large = entry.get("lfs")
            etag = large["oid"] if isinstance(large, dict) else entry["oid"]
            if body:
                hub.downloads.append(name)
            self._answer(hub.served.get(name, hub.files[name]), {"ETag": f'"{etag}"', "X-Repo-Commit": hub.revision}, body=body)

        def _answer(self, content: bytes, headers: dict[str, str] | None = None, *, body: bool = True) -> None:
            self.send_response(200)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    return Handler
