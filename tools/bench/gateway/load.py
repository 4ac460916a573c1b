"""Clients: wrk, which waits for each answer and, unless it goes flat out, pauses between requests."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NO_WRK = "no `wrk` on PATH, which is the load generator; install the package wrk (Debian, Ubuntu, Fedora, Homebrew: `wrk`)"
_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Load:
    """`rate`: requests a second of all clients together, about; None: each client asks again at once."""

    kind: str
    """plain or stream."""
    clients: int
    rate: int | None


@dataclass(frozen=True)
class Measured:
    """One run of wrk against one target. Latency is of whole answers, from a request's first byte to its answer's last."""

    requests: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float


def run(port: int, load: Load, seconds: int, *, key: str, asked: int) -> Measured:
    """Raises: RuntimeError: wrk failed, or an answer was missing or no success."""
    pause = load.clients * 1000 / load.rate if load.rate else 0
    # A thread's timers fire at whole milliseconds: clients that share one would come in bursts.
    threads = load.clients if load.rate else 1
    command = ["wrk", f"-c{load.clients}", f"-t{threads}", f"-d{seconds}s", f"-s{_SCRIPT}", f"http://127.0.0.1:{port}"]
    arguments = ["--", key, str(asked), load.kind, f"{pause:g}"]
    done = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True, timeout=seconds + 30)  # noqa: S603
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    measured = Measured(**json.loads(lines[0])) if lines else None
    if measured is None or measured.failed or not measured.requests:
        raise RuntimeError(f"wrk against port {port} with {load}: {measured}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return measured


def is_missing() -> bool:
    return shutil.which("wrk") is None
