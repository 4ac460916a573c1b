"""Starts the `vllm` on PATH, asks it everything, and writes the answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

from tools.pinned_vllm.answers.asking import ask
from tools.pinned_vllm.answers.questions import ADAPTER, MAX_MODEL_LEN, MAX_NUM_QUEUED_REQS, MAX_NUM_SEQS, NAMES, OPTIONS, QUESTIONS
from tools.pinned_vllm.answers.tiny_model import RANK, write_adapter, write_model

ANSWERS = Path(__file__).parents[3] / "tests" / "data" / "vllm_answers.json"
HOST = "127.0.0.1"
_START_SECONDS, _STOP_SECONDS = 600, 60
_SOURCE = "a run of python -m tools.pinned_vllm answers, with a Qwen3 of two layers and random weights"


def rewrite() -> str:
    """Writes `tests/data/vllm_answers.json`, an answer a line."""
    parts = {"vllm": "", "date": datetime.now(UTC).date().isoformat(), "source": _SOURCE}
    answers = {}
    for kind, questions in QUESTIONS.items():
        with _server(OPTIONS[kind]) as port:
            parts["vllm"] = json.loads(_get(port, "/version"))["version"]
            answers[kind] = {name: ask(HOST, port, question) for name, question in questions.items()}
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in parts.items()]
    for kind, found in answers.items():
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(answer)}" for name, answer in found.items())
        lines.append(f" {json.dumps(kind)}: {{\n{rows}\n }},")
    ANSWERS.write_text("{\n" + "\n".join(lines).removesuffix(",") + "\n}\n")
    return f"vLLM {parts['vllm']} has answered {sum(map(len, answers.values()))} questions"


@contextlib.contextmanager
def _server(options: list[str]) -> Generator[int]:
    """The port of a vLLM that is ready.

    Raises:
        RuntimeError: it did not start.
    """
    binary = shutil.which("vllm")
    if binary is None:
        raise RuntimeError("no `vllm` on PATH")
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="vllm-") as scratch, (Path(scratch) / "log").open("w+") as log:
        command = [binary, "serve", *_arguments(Path(scratch), port), *options]
        environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"} | os.environ
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)  # noqa: S603
        try:
            if not _ready(process, port):
                raise RuntimeError(f"vLLM did not start:\n{Path(log.name).read_text()[-8000:]}")
            yield port
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)


def _arguments(folder: Path, port: int) -> list[str]:
    write_model(folder / "model")
    write_adapter(folder / "adapter")
    return [
        str(folder / "model"),
        f"--host={HOST}",
        f"--port={port}",
        "--load-format=dummy",
        "--enforce-eager",
        f"--max-model-len={MAX_MODEL_LEN}",
        f"--max-num-seqs={MAX_NUM_SEQS}",
        f"--max-num-queued-reqs={MAX_NUM_QUEUED_REQS}",
        "--served-model-name",
        *NAMES,
        "--enable-lora",
        f"--max-lora-rank={RANK}",
        f"--lora-modules={ADAPTER}={folder / 'adapter'}",
    ]


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            _get(port, "/health")
            return True
        time.sleep(0.5)
    return False


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()
