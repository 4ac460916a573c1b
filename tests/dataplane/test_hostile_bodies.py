"""What one client sends, however large and however slowly, neither takes a pod's memory nor keeps other clients and probes waiting."""

import contextlib
import json
import select
import socket
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from planning.gateway import BODY_COPIES
from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, running
from tests.dataplane.wire import chat, request, send
from tests.model_servers import wait_for
from tools.demo.model_server import Faults

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
MEBIBYTE = 1024**2
SIZE = 31 * MEBIBYTE
POD_MIB, PATIENCE_SECONDS = 1024, 1.0
BEGIN = b'{"model": "absent", "messages": [], "x": '


def filled(before, unit, after):
    """A body of SIZE that is `unit` over and over."""
    return before + unit * ((SIZE - len(before) - len(after)) // len(unit)) + after


WORST = {
    "numbers": filled(BEGIN + b"[", b"1,", b"1]}"),
    "empty lists": filled(BEGIN + b"[", b"[],", b"1]}"),
    "empty objects": filled(BEGIN + b"[", b"{},", b"1]}"),
    "token ids": filled(BEGIN + b"[", b"15339,", b"1]}"),
    "strings": filled(BEGIN + b"[", b'"",', b"1]}"),
    "an image": filled(BEGIN + b'"', b"iVBORw0KGgo", b'"}'),
    "quotes": filled(BEGIN + b'"', rb"\"", b'"}'),
    "backslashes": filled(BEGIN + b'"', rb"\\", b'"}'),
    "depth": BEGIN + b"[" * (SIZE // 2) + b"]" * (SIZE // 2) + b"}",
    "white space": filled(BEGIN, b" ", b"1}"),
    "members": filled(b"{", b'"a": 1, ', b'"model": "absent"}'),
    "models": filled(b"{", b'"model": "a", ', b'"model": "absent"}'),
    "a key": filled(b'{"', b"k", b'": 1, "model": "absent"}'),
    "an escaped key": filled(b'{"', rb"\u006d", b'": 1, "model": "absent"}'),
    "a name": filled(b'{"model": "', b"n", b'"}'),
}


@pytest.fixture(scope="module")
def own_platform():
    with running({"qwen3-8b": Served()}, {"greedy": {}, "team-a": {}}, memoryGiB=POD_MIB / 1024) as platform:
        yield platform


@pytest.fixture
def others(platform):
    """What another client and the kubelet see meanwhile: the longest of their waits."""
    waits, over = [0.0], threading.Event()

    def look():
        while not over.is_set():
            began = time.monotonic()
            assert send(platform.gateway.port, request("/v1/chat/completions", chat())).status == 200
            assert urllib.request.urlopen(f"http://127.0.0.1:{platform.gateway.operations_port}/ready", timeout=60).status == 200
            waits.append(time.monotonic() - began)

    thread = threading.Thread(target=look)
    thread.start()
    yield lambda: max(waits)
    over.set()
    thread.join()


def memory_mib(platform):
    """The most that Envoy has had."""
    lines = Path(f"/proc/{platform.gateway.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@pytest.mark.parametrize("body", WORST.values(), ids=WORST)
def test_the_worst_bodies_take_little_more_memory_than_they_are_long_and_little_time(platform, others, body):
    answer = send(platform.gateway.port, request("/v1/chat/completions", body, client="greedy"))
    assert answer.status in {400, 404}
    assert others() < PATIENCE_SECONDS
    assert memory_mib(platform) < POD_MIB / 4


@contextlib.contextmanager
def uploads(platform, count, *, chunked=False):
    """As many uploads of a client, all but their end, or as much of them as is read before they are answered."""
    body = b"%x\r\n" % SIZE + WORST["an image"] if chunked else WORST["an image"]
    coding: dict[str, Any] = {"content_length": str(SIZE)}
    if chunked:
        coding = {"content_length": None, "transfer_encoding": "chunked"}
    data = memoryview(request("/v1/chat/completions", b"", client="greedy", **coding) + body[: SIZE - 100])
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", platform.gateway.port))) for _ in range(count)]
        for one in held:
            sent = 0
            while sent < len(data):
                answered, ready, _ = select.select([one], [one], [], WAIT_SECONDS)
                if answered:
                    break
                assert ready
                sent += one.send(data[sent : sent + MEBIBYTE])
        yield held


def statuses(connections):
    """Of those that have been answered."""
    answers = []
    for one in connections:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            answers.append(int(one.recv(4096).split()[1]))
    return answers


def room(platform):
    """Bodies of SIZE that one client may have at one time."""
    return platform.gateway.plan.client_body_memory_bytes // (BODY_COPIES * SIZE)


@pytest.mark.parametrize("chunked", [False, True], ids=["Content-Length", "chunked"])
def test_held_uploads_leave_the_pod_and_everybody_else_alone(platform, others, chunked):
    with uploads(platform, 100, chunked=chunked) as held:
        answers = statuses(held)
        assert set(answers) == {503}
        assert len(answers) >= 100 - room(platform)
        assert send(platform.gateway.port, request("/v1/chat/completions", chat(user="y" * SIZE))).status == 200
        assert send(platform.gateway.port, request("/v1/chat/completions", chat(), client="greedy")).status == 200
        assert others() < PATIENCE_SECONDS
        assert memory_mib(platform) < POD_MIB / 2


def test_an_upload_that_is_broken_off_gives_its_room_back(platform):
    large = json.dumps(chat(user="y" * SIZE)).encode()
    for _ in range(3):
        with uploads(platform, room(platform)) as held:
            assert statuses(held) == []
            assert send(platform.gateway.port, request("/v1/chat/completions", large, client="greedy")).status == 503
        wait_for(lambda: send(platform.gateway.port, request("/v1/chat/completions", large, client="greedy")).status == 200)


def test_a_body_counts_until_its_stream_ends(platform):
    """Envoy keeps it as long, for another try."""
    large = json.dumps(chat(user="y" * SIZE, stream=True)).encode()
    platform.replicas["qwen3-8b"][0].faults = Faults(seconds_per_token=3600)
    with contextlib.ExitStack() as stack:
        for _ in range(room(platform)):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", platform.gateway.port)))
            connection.sendall(request("/v1/chat/completions", large, client="greedy"))
            assert connection.recv(20).startswith(b"HTTP/1.1 200")
        answer = send(platform.gateway.port, request("/v1/chat/completions", large, client="greedy"))
        assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "overloaded", "2")
        assert memory_mib(platform) < POD_MIB / 2
    platform.heal()
    wait_for(lambda: send(platform.gateway.port, request("/v1/chat/completions", large, client="greedy")).status == 200)
