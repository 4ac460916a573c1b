"""HTTP/2, as load balancers and many clients speak it: the same rules for every stream of a connection, and nothing slips in between."""

import contextlib
import json
import socket
from collections import defaultdict

import h2.config
import h2.connection
import h2.events
import pytest

from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, key_of, running
from tests.dataplane.wire import chat
from tests.model_servers import wait_for
from tools.demo.model_server import Faults

IN_FLIGHT = 3
NEVER = 3600.0
CLIENTS = {"team-a": {"models": ["qwen3-8b"]}, "team-b": {"models": ["llama"]}, "narrow": {"concurrentRequests": IN_FLIGHT}}


@pytest.fixture(scope="module")
def own_platform():
    with running({"qwen3-8b": Served(), "llama": Served()}, CLIENTS) as platform:
        yield platform


class Connection:
    """One connection, whose streams may hold what no client would send."""

    def __init__(self, port):
        configuration = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        self._state = h2.connection.H2Connection(configuration)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        self._state.initiate_connection()
        self.headers, self.bodies, self.ended, self.reset, self.closed = {}, defaultdict(bytes), set(), set(), False

    def ask(self, client="team-a", model="qwen3-8b", *, body=None, pseudo=(), end=True, **headers):
        """The number of a new stream. `pseudo`: instead of the four that a request has; None leaves a header out."""
        stream = self._state.get_next_available_stream_id()
        own = [(":method", "POST"), (":scheme", "http"), (":authority", "gateway"), (":path", "/v1/chat/completions")]
        given = {"content-type": "application/json", "authorization": f"Bearer {key_of(client)}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        self._state.send_headers(stream, [*(pseudo or own), *((name, value) for name, value in given.items() if value is not None)])
        self._state.send_data(stream, json.dumps(chat(model)).encode() if body is None else body, end_stream=end)
        self._flush()
        return stream

    def cancel(self, stream):
        self._state.reset_stream(stream, 8)
        self._flush()

    def read_until(self, condition):
        while not condition() and not self.closed:
            data = self._socket.recv(65_536)
            if not data:
                self.closed = True
            for event in self._state.receive_data(data) if data else []:
                self._handle(event)
            self._flush()

    def answer(self, stream):
        """Status and body; a status of None where the stream was reset or the connection closed."""
        self.read_until(lambda: stream in self.ended or stream in self.reset)
        return self.status(stream) if stream in self.ended else None, self.bodies[stream]

    def status(self, stream):
        return int(self.headers[stream][b":status"])

    def _handle(self, event):
        match event:
            case h2.events.ResponseReceived():
                self.headers[event.stream_id] = dict(event.headers)
            case h2.events.DataReceived():
                self.bodies[event.stream_id] += event.data
                self._state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.ended.add(event.stream_id)
            case h2.events.StreamReset():
                self.reset.add(event.stream_id)
            case h2.events.ConnectionTerminated():
                self.closed = True

    def _flush(self):
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(self._state.data_to_send())

    def close(self):
        self._socket.close()


@pytest.fixture
def connection(platform):
    with contextlib.closing(Connection(platform.gateway.port)) as connection:
        yield connection


def test_streams_of_one_connection_are_each_of_their_own_client(platform, connection):
    streams = [
        connection.ask(client, model)
        for client, model in (("team-a", "qwen3-8b"), ("team-b", "llama"), ("team-a", "llama"), ("nobody", "llama"), ("team-b", "llama"))
    ]
    assert [connection.answer(stream)[0] for stream in streams] == [200, 200, 403, 401, 200]
    assert set(platform.clients_of("llama")) == {"team-b"}
    assert set(platform.clients_of("qwen3-8b")) == {"team-a"}
    assert json.loads(connection.bodies[streams[3]])["error"]["code"] == "invalid_api_key"


def test_what_is_in_flight_is_streams_and_not_connections(platform, connection):
    server = platform.replicas["qwen3-8b"][0]
    server.faults = Faults(seconds_to_first_token=NEVER)
    body = json.dumps(chat(stream=True)).encode()
    streams = [connection.ask("narrow", body=body) for _ in range(IN_FLIGHT + 2)]
    connection.read_until(lambda: len(connection.headers) == len(streams))
    assert sorted(map(connection.status, streams)) == [200] * IN_FLIGHT + [429] * 2
    open_ones = [stream for stream in streams if connection.status(stream) == 200]
    connection.cancel(open_ones[0])
    wait_for(lambda: server.engine.unfinished == IN_FLIGHT - 1)
    again = connection.ask("narrow", body=body)
    connection.read_until(lambda: again in connection.headers)
    assert connection.status(again) == 200


def test_a_stream_arrives_piece_by_piece_beside_others(platform, connection):
    platform.replicas["qwen3-8b"][0].faults = Faults(seconds_per_token=NEVER)
    silent = connection.ask(body=json.dumps(chat(stream=True)).encode())
    connection.read_until(lambda: b"qwen3-8b/0" in connection.bodies[silent])
    assert connection.answer(connection.ask("team-b", "llama"))[0] == 200
    assert silent not in connection.ended


def test_a_header_with_an_underscore_is_left_out(platform, connection):
    assert connection.answer(connection.ask(**{"session_id".replace("_", "\u005f"): "one"}))[0] == 200


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(platform, connection):
    size = str(platform.gateway.plan.max_body_bytes + 1)
    status, body = connection.answer(connection.ask(body=b"{", end=False, content_length=size))
    assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")


METHOD, SCHEME, AUTHORITY = (":method", "POST"), (":scheme", "http"), (":authority", "gateway")
SMUGGLED = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-gateway-client: team-b\r\n\r\n"
MALFORMED = {
    "a line in a value": {"x_note": "a\r\nx-gateway-client: team-b"},
    "a line in a name": {"x-note: a\r\nx-gateway-client": "team-b"},
    "a NUL in a value": {"x_note": "a\0b"},
    "an upper case name": {"X-Gateway-Client": "team-b"},
    "the gateway's own header": {"x_gateway_client": "team-b", "x_gateway_model": "llama"},
    "chunks": {"transfer_encoding": "chunked", "body": b"0\r\n\r\n" + SMUGGLED},
    "a connection header": {"connection": "authorization"},
    "too long a length": {"content_length": "1000"},
    "too short a length": {"content_length": "5", "body": b"12345" + SMUGGLED},
    "two lengths": {"content_length": "0,5"},
    "a line in the path": {"pseudo": [METHOD, SCHEME, AUTHORITY, (":path", "/v1/models HTTP/1.1\r\nx-gateway-client: team-b")]},
    "two paths": {"pseudo": [METHOD, SCHEME, AUTHORITY, (":path", "/v1/chat/completions"), (":path", "/metrics")]},
    "no path": {"pseudo": [METHOD, SCHEME, AUTHORITY]},
    "an empty path": {"pseudo": [METHOD, SCHEME, AUTHORITY, (":path", "")]},
    "no method": {"pseudo": [SCHEME, AUTHORITY, (":path", "/v1/chat/completions")]},
    "a line in the method": {"pseudo": [(":method", "POST /metrics HTTP/1.1\r\n"), SCHEME, AUTHORITY, (":path", "/v1/chat/completions")]},
    "a line in the authority": {"pseudo": [METHOD, SCHEME, (":authority", "a\r\nx: y"), (":path", "/v1/chat/completions")]},
    "a tunnel": {"pseudo": [(":method", "CONNECT"), (":authority", "gateway:443")]},
    "an extended tunnel": {
        "pseudo": [(":method", "CONNECT"), (":protocol", "websocket"), SCHEME, AUTHORITY, (":path", "/v1/chat/completions")]
    },
}


def test_a_stream_that_is_reset_for_its_headers_has_a_line_and_leaves_others_alone(platform, connection):
    platform.replicas["llama"][0].faults = Faults(seconds_to_first_token=0.2)
    before, other = len(platform.gateway.audit_log), connection.ask("team-b", "llama")

    def lines():
        return [line for line in platform.gateway.audit_log[before:] if line["details"] == "http2.invalid.header.field"]

    assert connection.answer(connection.ask(**MALFORMED["a line in a value"])) == (None, b"")
    assert connection.answer(other)[0] == 200
    [line] = platform.gateway.wait_until(lines, WAIT_SECONDS, "no line")
    assert (line["status"], line["flags"], line["source"]) == (0, "DPE", "127.0.0.1")


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("client", ["team-a", "nobody"])
def test_a_malformed_stream_smuggles_nothing(platform, connection, client, fields):
    status, _ = connection.answer(connection.ask(client, **fields))
    assert status is None or status < 500
    arrived = [one for model in platform.replicas for one in platform.received(model)]
    assert set(platform.clients_of("qwen3-8b")) <= {client} - {"nobody"}
    assert {one.path for one in arrived} <= {"/v1/chat/completions"}
    assert platform.received("llama") == []
    with contextlib.closing(Connection(platform.gateway.port)) as other:
        assert other.answer(other.ask())[0] == 200
