"""A page of a stack's dashboards, drawn from this machine's Prometheus while somebody looks."""

from __future__ import annotations

import contextlib
import html
import threading
import urllib.parse
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from components.observability.dashboards.panels import MODEL_DASHBOARD
from tools.demo.metrics.drawing import drawn
from tools.demo.metrics.prometheus import LocalPrometheus

HOST = "127.0.0.1"
SECONDS = 300
_REFRESH_SECONDS = 5
_STYLE = "body{font:14px sans-serif;margin:12px;background:#f4f5f5}a{margin-right:14px}a.here{font-weight:bold}img{max-width:100%}"


@contextmanager
def page(dashboards: Mapping[str, dict[str, Any]], models: Sequence[str], prometheus: LocalPrometheus) -> Generator[str]:
    """Its address."""
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urllib.parse.urlsplit(self.path)
            name = address.path.strip("/") or next(iter(dashboards))
            chosen = {"model": models[0]} if name.startswith(MODEL_DASHBOARD) else {}
            chosen |= dict(urllib.parse.parse_qsl(address.query))
            picture = name.removesuffix(".png")
            if picture not in dashboards:
                self.send_error(404)
            elif picture == name:
                self._send("text/html; charset=utf-8", _html(dashboards, models, name, chosen, prometheus.url).encode())
            else:
                with one_at_a_time:
                    content = drawn(dashboards[picture], prometheus, SECONDS, chosen)
                self._send("image/png", content)

        def _send(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # nobody looks any more
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, name="page", daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def _html(dashboards: Mapping[str, dict[str, Any]], models: Sequence[str], uid: str, chosen: Mapping[str, str], prometheus: str) -> str:
    links = [_link(f"/{one}", board["title"], here=one == uid) for one, board in dashboards.items()]
    of_model = (_link(f"/{MODEL_DASHBOARD}?model={model}", model, here=model == chosen.get("model")) for model in models)
    choice = f"<p>{''.join(of_model)}</p>" if uid == MODEL_DASHBOARD else ""
    picture = html.escape(f"/{uid}.png?{urllib.parse.urlencode(chosen)}")
    again = f"setInterval(()=>document.images[0].src='{picture}&at='+Date.now(),{_REFRESH_SECONDS * 1000})"
    said = (
        f"Drawn by matplotlib from what Prometheus (<a href='{prometheus}'>{prometheus}</a>) answers to each panel's query. Models are "
        "stand-ins; so is all that is said of a cluster: nodes, pods, GPUs, cost."
    )
    return (
        f"<!doctype html><title>{html.escape(dashboards[uid]['title'])}</title><style>{_STYLE}</style>"
        f"<p>{''.join(links)}</p>{choice}"
        f"<p>{html.escape(dashboards[uid]['description'])}</p><img src='{picture}' alt=''><p>{said}</p><script>{again}</script>"
    )


def _link(address: str, text: str, *, here: bool) -> str:
    return f"<a href='{html.escape(address)}'{' class=here' if here else ''}>{html.escape(text)}</a>"
