"""Envoy's rate limit service with Redis, as the platform runs them: built from its Go module, beside redis-server of the Debian package."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.gateway import rate_limits
from components.gateway.envoy import budgets
from planning.gateway import GatewayPlan
from tests.model_servers import wait_for
from tools.demo.local_gateway import swap_files
from tools.ports import free_ports

MODULE = Path(__file__).parent / "modules" / "ratelimit"


def service_binary() -> Path:
    """The service, built once for each state of its module. Skips the test where Go or Redis is missing, but never where a pull request is
    judged."""
    missing = [name for name in ("go", "redis-server", "redis-cli") if shutil.which(name) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{' and '.join(missing)} not installed")
    assert not missing, f"{missing} not installed"
    digest = hashlib.sha256(b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))).hexdigest()[:16]
    binary = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vllm-platform" / f"ratelimit-{digest}"
    binary.parent.mkdir(parents=True, exist_ok=True)
    with binary.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.is_file():
            fresh = binary.with_suffix(".new")
            environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
            command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), "tool"]
            done = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            fresh.rename(binary)
    return binary


class RateLimits:
    """A context manager that runs both; each can be killed and started again."""

    def __init__(self, plan: GatewayPlan) -> None:
        self._binary = service_binary()
        self._scratch = tempfile.TemporaryDirectory(prefix="rate-limits-")
        self._folder = Path(self._scratch.name)
        self._limits = self._folder / "limits"
        self._limits.mkdir()
        self.redis_port, self.port, self._health_port = free_ports(3)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.configure(plan)

    def __enter__(self) -> RateLimits:
        try:
            self.start_redis()
            self.start_service()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in [*self._processes]:
            self.kill(name)
        self._scratch.cleanup()

    def configure(self, plan: GatewayPlan) -> None:
        """Swaps the limits as the kubelet does."""
        swap_files(self._limits, {rate_limits.LIMITS_FILE: json.dumps(budgets.limits(plan))})

    def start_redis(self) -> None:
        self._run("redis", ["redis-server", *rate_limits.redis_arguments(str(self._folder), self.redis_port), "--bind", "127.0.0.1"])
        wait_for(lambda: self._redis("PING") == "PONG")

    def start_service(self) -> None:
        environment = rate_limits.environment(f"127.0.0.1:{self.redis_port}", str(self._limits), self.port, self._health_port)
        self._run("service", [str(self._binary)], environment)
        wait_for(self._serves)

    def kill(self, name: str) -> None:
        """SIGKILL, which leaves no time to save anything."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def charged(self) -> dict[tuple[str, str], int]:
        """What Redis holds, by client and budget; a key ends with the beginning of its window."""
        found: dict[tuple[str, str], int] = {}
        for key in self._redis("KEYS", "*").split():
            client, budget = key.removeprefix(f"{budgets.DOMAIN}_client_").rpartition("_")[0].split("_budget_")
            found[client, budget] = found.get((client, budget), 0) + int(self._redis("GET", key))
        return {who: units for who, units in found.items() if units}

    def _redis(self, *words: str) -> str:
        command = ["redis-cli", "-p", str(self.redis_port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def _run(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | (environment or {}))

    def _serves(self) -> bool:
        address = f"http://127.0.0.1:{self._health_port}/healthcheck"
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=2) as answer:
            return answer.status == 200 and socket.create_connection(("127.0.0.1", self.port), timeout=2).close() is None
        return False
