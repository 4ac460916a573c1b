"""One question to a server, by HTTP as it is on the wire, and what is said of it in the end: answer, events of a stream, counts.

What no client may rely on is left out: see `shapes`.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.pinned_vllm.answers.shapes import shape, without_repeats

TIMEOUT_SECONDS = 120
_POLL_SECONDS = 0.02
_HEADERS = ("content-type", "allow", "location", "retry-after")
# Counts of requests; those of tokens depend on the model, sums and buckets on the machine.
_COUNTED = re.compile(
    r"^(?P<sample>vllm:(?:request_success_total|e2e_request_latency_seconds_count|"
    r"request_(?:params_n|params_max_tokens|prompt_tokens|queue_time_seconds)_count|admission_rejections_total)|"
    r"http_requests_total)\{(?P<labels>.*)\} (?P<value>\S+)$",
    re.MULTILINE,
)
_RUNNING = re.compile(r"^vllm:num_requests_(?:running|waiting)\{[^}]*\} (\S+)$", re.MULTILINE)
_KEPT_LABEL = re.compile(r'(?:finished_reason|reason|handler|method|status)="[^"]*"')


@dataclass(frozen=True)
class Question:
    """A request. A body that is bytes is sent as it is, any other as JSON."""

    path: str
    body: Any = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    leaves: bool = False
    """The client is gone once the answer has begun, or, where it is no stream, once the request runs."""

    @property
    def content(self) -> bytes | None:
        return self.body if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body).encode()


def ask(host: str, port: int, question: Question, settled_seconds: float = 0.25) -> dict[str, Any]:
    """Answer and counts as data. `settled_seconds`: for which counts that stand still are the last ones."""
    before = _counts(host, port)
    answer = _leave(host, port, question) if question.leaves else _answer(host, port, question)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while _busy(host, port) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    after = _settled(host, port, settled_seconds)
    counted = {name: after[name] - before.get(name, 0) for name in sorted(after) if after[name] != before.get(name, 0)}
    return answer | {"counted": counted}


def _answer(host: str, port: int, question: Question) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        response = _sent(connection, question)
        content = response.read()
    finally:
        connection.close()
    headers = {name: value for name in _HEADERS if (value := response.getheader(name))}
    if "location" in headers:
        headers["location"] = headers["location"].replace(f"{host}:{port}", "HOST")
    answer: dict[str, Any] = {"status": response.status, "headers": headers}
    if headers.get("content-type", "").startswith("text/event-stream"):
        return answer | {"events": without_repeats([_event(text) for text in content.decode().split("\n\n") if text])}
    return answer | ({"body": shape(json.loads(content))} if content else {})


def _leave(host: str, port: int, question: Question) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    streams = isinstance(question.body, dict) and question.body.get("stream")
    if streams:
        _sent(connection, question).read(1)
    else:
        connection.request(question.method, question.path, question.content, _headers(question))
        while not _busy(host, port):
            time.sleep(_POLL_SECONDS)
    connection.close()
    return {}


def _sent(connection: http.client.HTTPConnection, question: Question) -> http.client.HTTPResponse:
    connection.request(question.method, question.path, question.content, _headers(question))
    return connection.getresponse()


def _headers(question: Question) -> dict[str, str]:
    return ({"content-type": "application/json"} if question.body is not None else {}) | dict(question.headers)


def _event(text: str) -> Any:
    """The name of an event, where it has one, and the shape of its data."""
    lines = dict(line.split(": ", 1) for line in text.split("\n"))
    data = lines["data"]
    found = data if data == "[DONE]" else shape(json.loads(data))
    return {"event": lines["event"], "data": found} if "event" in lines else found


def _scraped(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _busy(host: str, port: int) -> bool:
    return any(float(value) for value in _RUNNING.findall(_scraped(host, port)))


def _counts(host: str, port: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for found in _COUNTED.finditer(_scraped(host, port)):
        labels = ", ".join(_KEPT_LABEL.findall(found["labels"]))
        name = found["sample"] + (f"{{{labels}}}" if labels else "")
        counts[name] = counts.get(name, 0) + int(float(found["value"]))
    return counts


def _settled(host: str, port: int, seconds: float) -> dict[str, int]:
    """The counts once they stand still: an engine tells them after the answer."""
    found = _counts(host, port)
    while True:
        time.sleep(seconds)
        again = _counts(host, port)
        if again == found:
            return found
        found = again
