"""Targets between clients and model server: none, a TCP proxy, vllm-router, or the gateway with a given number of models."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.messages import extension, socket
from components.gateway.envoy.routes import ModelRoute
from components.gateway.pod import LOG_FLUSH_MILLISECONDS
from config.gateway import Gateway
from config.models import Affinity
from planning.gateway import GatewayPlan, RoutedClient, RoutedModel
from tools.demo.local_gateway import LocalGateway, envoy_binary
from tools.ports import free_port, free_ports
from tools.stacks import ROOT

VLLM_ROUTER = "vllm-router==0.1.17"
ROUTER_FOLDER = ROOT / "build" / "vllm-router"
READY_SECONDS = 60
# Limits that the gateway checks and the runs never reach.
_MOST_IN_FLIGHT, _REQUESTS_PER_MINUTE, _MAX_MODEL_LEN = 10_000, 100_000_000, 8192
_CLIENT, _OTHER_CLIENT = "bench", "other"


@dataclass(frozen=True)
class Target:
    """`pid`: the process that listens on the port. `asked`: number of models that clients request, each equally often."""

    name: str
    port: int
    pid: int
    key: str = "none"
    asked: int = 1


@contextmanager
def upstream() -> Generator[Target]:
    """The model server, reached directly."""
    port = free_port()
    with _process([sys.executable, "-m", "tools.bench.gateway.upstream", str(port)], port) as process:
        yield Target("no gateway", port, process.pid)


@contextmanager
def tcp_proxy(upstream_port: int) -> Generator[Target]:
    """An Envoy that only copies bytes, with as many threads as the gateway's."""
    port = free_port()
    proxy = extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="proxy",
        cluster="upstream",
    )
    host = {"endpoint": {"address": socket("127.0.0.1", upstream_port)}}
    assignment = {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [host]}]}
    listener = {"address": socket("127.0.0.1", port), "filter_chains": [{"filters": [proxy]}]}
    cluster = {"name": "upstream", "type": "STATIC", "load_assignment": assignment}
    configuration = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
    options = ["--concurrency", str(Gateway().cpu), "--log-level", "warning", "--disable-hot-restart"]
    with _process([envoy_binary() or "envoy", "--config-yaml", json.dumps(configuration), *options], port) as process:
        yield Target("TCP proxy", port, process.pid)


@contextmanager
def vllm_router(upstream_port: int) -> Generator[Target]:
    """Raises: RuntimeError: it did not become ready."""
    port, metrics_port = free_ports(2)
    command = [str(ROUTER_FOLDER / "bin" / "vllm-router"), "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    options = ["--worker-urls", f"http://127.0.0.1:{upstream_port}", "--policy", "round_robin", "--prometheus-port", str(metrics_port)]
    with _process([*command, *options], port) as process:
        yield Target(VLLM_ROUTER.replace("==", " "), port, process.pid)


def envoy_version() -> str:
    """From `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`."""
    answer = subprocess.run([envoy_binary() or "envoy", "--version"], check=True, capture_output=True, text=True)  # noqa: S603
    return answer.stdout.split("/")[-4]


def install_vllm_router() -> str | None:
    """Installs vllm-router into its own virtual environment; returns the error, or None."""
    if not (ROUTER_FOLDER / "bin" / "vllm-router").is_file():
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(ROUTER_FOLDER)], check=True, capture_output=True)  # noqa: S603
            install = [str(ROUTER_FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", VLLM_ROUTER]
            subprocess.run(install, check=True, capture_output=True, text=True)  # noqa: S603
        except subprocess.CalledProcessError as error:
            return f"without vllm-router, which could not be installed: {(error.stderr or '').strip().splitlines()[-1:]}"
    return None


@dataclass(frozen=True)
class RunningGateway:
    target: Target
    models: int
    start_seconds: float
    envoy: LocalGateway = field(repr=False)
    upstream_port: int

    def seconds_to_add_a_model(self) -> float:
        """From swapping in Envoy's files with a new model to the first response of that model."""
        name = f"model-{self.models}"
        plan, routes = configuration(self.models + 1, self.upstream_port)
        self.envoy.configure(plan, routes)
        began = time.perf_counter()
        self.envoy.wait_until(lambda: self._answers(name), READY_SECONDS, f"{name} does not answer")
        return time.perf_counter() - began

    def _answers(self, model: str) -> bool:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.target.key}"}
        body = json.dumps({"model": model, "messages": []}).encode()
        request = urllib.request.Request(f"{self.envoy.url}/v1/chat/completions", body, headers)  # noqa: S310
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(request, timeout=5):  # noqa: S310
            return True
        return False


@contextmanager
def gateway(models: int, upstream_port: int) -> Generator[RunningGateway]:
    """The gateway with `models` models, all served by the upstream, and with every check of a request turned on."""
    plan, routes = configuration(models, upstream_port)
    key = secrets.token_hex(24)
    keys = {_CLIENT: key, _OTHER_CLIENT: secrets.token_hex(24)}
    began = time.perf_counter()
    with LocalGateway(plan, routes, keys, log_line=lambda _: None, log_flush_milliseconds=LOG_FLUSH_MILLISECONDS) as envoy:
        seconds = time.perf_counter() - began
        target = Target(f"gateway, {models:,} model{'s' if models > 1 else ''}", envoy.port, envoy.process.pid, key)
        yield RunningGateway(target, models, seconds, envoy, upstream_port)


def configuration(models: int, upstream_port: int) -> tuple[GatewayPlan, Sequence[ModelRoute]]:
    """A client with a rate limit that may use every model, and another that may use none, so that Envoy has rules to check."""
    names = [f"model-{index}" for index in range(models)]
    routed = {name: RoutedModel(name, (name,), _MOST_IN_FLIGHT, Affinity(), _MAX_MODEL_LEN) for name in names}
    clients = {
        _CLIENT: RoutedClient(_CLIENT, _REQUESTS_PER_MINUTE, _MOST_IN_FLIGHT, tuple(names), names[0]),
        _OTHER_CLIENT: RoutedClient(_OTHER_CLIENT, None, None, (), None),
    }
    plan = GatewayPlan(routed, clients, Gateway())
    return plan, [ModelRoute(model, [Backend("blue", [("127.0.0.1", upstream_port)])]) for model in routed.values()]


@contextmanager
def _process(command: Sequence[str], port: int) -> Generator[subprocess.Popen[bytes]]:
    """Starts a process, waits until /health answers through it, and kills it at the end.

    Raises:
        RuntimeError: it did not become ready; the message ends with its output.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not _is_ready(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} is not ready:\n{log.read()[-2000:].decode()}")
                time.sleep(0.02)
            yield process
        finally:
            process.kill()
            process.wait()


def _is_ready(port: int) -> bool:
    address = f"http://127.0.0.1:{port}/health"
    with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=2):
        return True
    return False


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
