"""What a replica has compiled: kept whole by the first that is ready, restored by later ones, shared by equal replicas alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest

from tests.program.pod_security import violations
from tests.program.test_fill_claim import SHARED
from tests.program.test_model_settings import MODEL, objects, pod

KEEPING = SHARED | {f"{MODEL}.weights.compileCache": True}
WAIT_SECONDS = 20


def containers(changes):
    """The containers that keep and restore, by tier."""
    found = objects(KEEPING | changes)
    specs = [pod(found, f"qwen3-8b-{tier}") for tier in ("floor", "burst")]
    return [(spec["initContainers"][0], spec["containers"][1]) for spec in specs]


@pytest.fixture(scope="module")
def program():
    [(restore, keep), _] = containers({})
    assert restore["command"] == keep["command"]
    return keep["command"][2]


@pytest.fixture
def engine():
    """The port of a server, and the event after which its /health answers 200."""
    ready = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if ready.is_set() else 503)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, ready
    server.shutdown()


def start(program, verb, home, kept, engine=None):
    environment = {"PATH": os.environ["PATH"], "API_PORT": str(engine[0] if engine else 0), "EVERY_SECONDS": "0.05"}
    return subprocess.Popen([sys.executable, "-uc", program, verb, home, kept], env=environment, stdout=subprocess.PIPE, text=True)


def compiled(home, text):
    (home / ".cache/vllm").mkdir(parents=True)
    (home / ".cache/vllm/model").write_text(text)


def wait_for(condition):
    limit = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_what_a_ready_replica_has_compiled_is_kept_and_the_next_one_starts_with_it(program, engine, tmp_path):
    first, later, kept = tmp_path / "first", tmp_path / "later", tmp_path / "claim" / "compiled" / "abc"
    compiled(first, "graph")
    later.mkdir()
    keeping = start(program, "keep", first, kept, engine)
    time.sleep(0.5)
    assert not kept.exists(), "an engine that is not ready may still write"
    engine[1].set()
    wait_for(kept.exists)
    assert [one.name for one in kept.parent.iterdir()] == ["abc"]
    keeping.send_signal(signal.SIGTERM)
    assert keeping.wait(WAIT_SECONDS) == 0, "it does not hold up the end of its pod"
    assert start(program, "restore", later, kept).wait(WAIT_SECONDS) == 0
    assert (later / ".cache/vllm/model").read_text() == "graph"


def test_of_replicas_that_are_ready_at_once_one_is_kept_whole(program, engine, tmp_path):
    kept = tmp_path / "compiled" / "abc"
    engine[1].set()
    homes = [tmp_path / str(number) for number in range(4)]
    for home in homes:
        compiled(home, home.name * 1000)
    running = [start(program, "keep", home, kept, engine) for home in homes]
    wait_for(kept.exists)
    for one in running:
        one.send_signal(signal.SIGTERM)
        assert one.wait(WAIT_SECONDS) == 0
    assert (kept / ".cache/vllm/model").read_text() in {home.name * 1000 for home in homes}


def test_nothing_kept_or_a_damaged_copy_never_keeps_an_engine_from_starting(program, tmp_path):
    home, kept = tmp_path / "home", tmp_path / "kept"
    home.mkdir()
    assert start(program, "restore", home, kept).wait(WAIT_SECONDS) == 0
    compiled(kept, "graph")
    (kept / ".cache/vllm/unreadable").mkdir(mode=0)
    assert start(program, "restore", home, kept).wait(WAIT_SECONDS) == 0
    if os.geteuid():
        assert not [*home.iterdir()], "all or nothing"


def test_the_oldest_of_many_is_forgotten(program, engine, tmp_path):
    engine[1].set()
    compiled(tmp_path / "home", "graph")
    for name in ("a", "b", "c", "d"):
        keeping = start(program, "keep", tmp_path / "home", tmp_path / "compiled" / name, engine)
        wait_for((tmp_path / "compiled" / name).exists)
        keeping.send_signal(signal.SIGTERM)
        keeping.wait(WAIT_SECONDS)
    assert sorted(one.name for one in (tmp_path / "compiled").iterdir()) == ["b", "c", "d"]


def keys(changes):
    return {container["args"][2] for pair in containers(changes) for container in pair}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({f"{MODEL}.image": "ghcr.io/acme/vllm:1"}, False),
        ({f"{MODEL}.revision": "9" * 40}, False),
        ({f"{MODEL}.engine.maxModelLen": 4096}, False),
        ({"nodePools.l4.machineType": "a2-highgpu-1g", "cluster.zones": ["us-central1-a", "us-central1-b"]}, False),
        ({f"{MODEL}.scaling.floor": 2}, True),
    ],
    ids=["image", "model", "flag", "GPU", "replicas"],
)
def test_replicas_share_it_if_image_model_gpu_and_flags_are_the_same(changes, same):
    before, after = keys({}), keys(changes)
    assert len(before) == len(after) == 1, "floor and burst share it"
    assert (before == after) is same


def test_the_model_server_cannot_write_to_the_claim_and_its_pod_stays_restricted():
    spec = pod(objects(KEEPING))
    mounts = {one["name"]: {mount["name"]: mount.get("readOnly", False) for mount in one["volumeMounts"]} for one in spec["containers"]}
    assert mounts["vllm"]["weights"] is True
    assert mounts["keep-compiled"]["weights"] is False
    assert violations(spec) == []
