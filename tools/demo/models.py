"""The model servers of `make demo`: one stand-in per replica, or one real vLLM for CPU for all model names.

Both yield what serves each model, and leave no process behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from planning.plan import ModelPlan, Plan
from tools.demo.model_server import ServerSettings, fleet
from tools.ports import free_port

HOST = "127.0.0.1"
# Slow enough to see a stream, and not to wait for it.
SECONDS_TO_FIRST_TOKEN, SECONDS_PER_TOKEN, ANSWER_TOKENS = 0.15, 0.03, 40
# Small enough for two cores and 8 GiB; one server answers for all models of the stack.
VLLM_MODEL, VLLM_MAX_MODEL_LEN = "Qwen/Qwen3-0.6B", 4096
# Its KV cache in GiB, unless the environment says otherwise. Left to itself vLLM takes 92 % of the machine's memory, and does not start
# where more than the rest is in use.
VLLM_KV_CACHE = ("VLLM_CPU_KVCACHE_SPACE", "1")
# The weights may have to be downloaded first.
VLLM_START_SECONDS, VLLM_STOP_SECONDS = 1200, 30
NO_VLLM = "no `vllm` on PATH; install vLLM for CPU as its documentation says, or leave MODEL_SERVER out for stand-ins"
# How a line of a log ends in which Python tells an exception, or a command line a mistake: the first one is the cause of the others.
_CAUSE = re.compile(r"(?<![\w.])(?:(?:\w+\.)*[A-Z]\w*(?:Error|Exception)|(?:\w+ )*\w+: error): .+")
_NOT_FATAL = re.compile(r"\b(?:DEBUG|INFO|WARNING)\b|[A-Z]\w*Warning: ")
_LAST_LINES = 20


@dataclass(frozen=True)
class Served:
    """What answers for a model: addresses as the gateway's routes want them, and tokens of context."""

    addresses: list[tuple[str, int]]
    max_model_len: int


def replicas(model: ModelPlan) -> int:
    """The floor, at least one."""
    return max(1, model.floor)


@contextmanager
def stand_ins(plan: Plan) -> Generator[dict[str, Served]]:
    """One for every replica of every floor, with the names and limits that the plan gives to vLLM."""
    names = [name for name, model in plan.models.items() for _ in range(replicas(model))]
    with fleet(_replica(model, index) for model in plan.models.values() for index in range(replicas(model))) as servers:
        served = {name: Served([], model.memory.max_model_len) for name, model in plan.models.items()}
        for name, server in zip(names, servers, strict=True):
            served[name].addresses.append((HOST, server.port))
        yield served


def _replica(model: ModelPlan, index: int) -> ServerSettings:
    return ServerSettings(
        served_model_name=model.served_names,
        replica=f"{model.name}-{index}",
        seconds_to_first_token=SECONDS_TO_FIRST_TOKEN,
        seconds_per_token=SECONDS_PER_TOKEN,
        answer_tokens=ANSWER_TOKENS,
        max_model_len=model.memory.max_model_len,
        max_num_seqs=model.limits.max_num_seqs,
        max_num_queued_reqs=model.capacity.most_in_flight,
        enable_force_include_usage=model.force_include_usage,
        enable_auto_tool_choice=model.parsers.tool_call is not None,
        multimodal=model.takes_images,
    )


@contextmanager
def vllm(plan: Plan) -> Generator[dict[str, Served]]:
    """vLLM with one small model, which every name of the stack leads to.

    Raises:
        RuntimeError: there is no vLLM, or it did not become ready; the message says why, as far as its log tells, and ends with it.
    """
    port = free_port()
    command = _command(plan, port)
    print(f"vLLM starts with {VLLM_MODEL}, which answers for every model here; the first time it downloads the weights...", flush=True)
    with tempfile.TemporaryDirectory(prefix="vllm-") as scratch, (Path(scratch) / "log").open("w+") as log:
        environment = dict([VLLM_KV_CACHE]) | os.environ
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)  # noqa: S603
        try:
            _wait_until_healthy(process, port, Path(log.name))
            yield {name: Served([(HOST, port)], VLLM_MAX_MODEL_LEN) for name in plan.models}
        finally:
            _stop(process)


def _command(plan: Plan, port: int) -> list[str]:
    binary = shutil.which("vllm")
    if binary is None:
        raise RuntimeError(NO_VLLM)
    names = [name for model in plan.models.values() for name in model.served_names]
    usage = ["--enable-force-include-usage"] if any(model.force_include_usage for model in plan.models.values()) else []
    address = [f"--host={HOST}", f"--port={port}"]
    return [binary, "serve", VLLM_MODEL, *address, f"--max-model-len={VLLM_MAX_MODEL_LEN}", *usage, "--served-model-name", *names]


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + VLLM_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):
            return
        time.sleep(0.5)
    ended = process.poll()
    what = f"vLLM is not ready within {VLLM_START_SECONDS} s" if ended is None else f"vLLM has ended with exit code {ended}"
    raise RuntimeError(_report(what, log.read_text(errors="replace")))


def _report(what: str, log: str) -> str:
    """The cause first: vLLM tells it before dozens of lines of what follows from it."""
    lines = log.splitlines()
    causes = (found for line in lines if not _NOT_FATAL.search(line) and (found := _CAUSE.search(line)))
    cause = next(causes, None)
    return "\n".join([f"{what}: {cause[0]}" if cause else what, "The end of its log:", *lines[-_LAST_LINES:]])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stops vLLM and the engine processes in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(VLLM_STOP_SECONDS)
