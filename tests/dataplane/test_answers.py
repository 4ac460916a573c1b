"""Answers as no stand-in gives them: cut anywhere by the network, which the audit log's tokens do not notice, and redirections."""

import contextlib
import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from config.gateway import ANONYMOUS, Gateway
from config.models import Affinity
from planning.gateway import GatewayPlan, RoutedClient, RoutedModel
from tests.dataplane.wire import request, send
from tests.model_servers import DEADLINE_SECONDS
from tools.demo.local_gateway import LocalGateway

USAGE = '"usage": {"prompt_tokens": 11, "prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens": 7}'
SPOKEN = json.dumps(USAGE.replace("11", "99").replace("7", "88"))  # by the model: the quotes are escaped
EVENTS = (
    '{"choices": [], "usage": null}',
    f'{{"choices": [{{"delta": {{"content": {SPOKEN}}}}}]}}',
    f'{{"choices": [], {USAGE}}}',
    "[DONE]",
)
BODY = "".join(f"data: {event}\n\n" for event in EVENTS).encode()


class InTwoParts(BaseHTTPRequestHandler):
    """Answers with BODY, cut where the request's header says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/moved":
            self.send_response(307)
            self.send_header("location", f"http://{self.headers['host']}/v1/there?x=1")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        cut = int(self.headers["x-cut"])
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        for part in (BODY[:cut], BODY[cut:]):
            self.wfile.write(part)
            time.sleep(0.002)  # so that they arrive as two

    def log_message(self, format, *_):  # noqa: A002 - named so by the class that it overrides
        pass


@pytest.fixture
def gateway():
    server = ThreadingHTTPServer(("127.0.0.1", 0), InTwoParts)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    model = RoutedModel("m", ("m",), 10, Affinity(), 8192)
    plan = GatewayPlan({"m": model}, {ANONYMOUS: RoutedClient(ANONYMOUS, None, 10, ("m",), None)}, Gateway(authentication="none"))
    with contextlib.ExitStack() as stack:
        stack.callback(server.server_close)
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield stack.enter_context(LocalGateway(plan, [ModelRoute(model, [Backend("blue", [("127.0.0.1", server.server_port)])])], {}))


def test_tokens_are_counted_wherever_the_stream_is_cut(gateway):
    cuts = range(len(BODY))
    for cut in cuts:
        headers = {"Content-Type": "application/json", "x-cut": str(cut)}
        request = urllib.request.Request(f"{gateway.url}/v1/chat/completions", b'{"model": "m"}', headers)
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            assert answer.read() == BODY
    gateway.wait_until(lambda: len(gateway.audit_log) == len(cuts), DEADLINE_SECONDS, "the audit log is not whole")
    assert {(line["prompt_tokens"], line["completion_tokens"]) for line in gateway.audit_log} == {(11, 7)}


def test_a_redirection_does_not_name_the_scheme_that_the_gateway_speaks_to_model_servers(gateway):
    """A client that speaks https would be sent to http."""
    answer = send(gateway.port, request("/v1/moved", {"model": "m"}, client=None))
    assert (answer.status, answer.headers["location"]) == (307, "/v1/there?x=1")
