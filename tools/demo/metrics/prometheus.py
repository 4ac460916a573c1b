"""Prometheus on this machine: the real program, with a stack's own rules, scraping what runs here at the pace of a demonstration.

Owns the process and its folder. What it is told of a target are the labels that the cluster's PodMonitors would give it.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tools.ports import free_port

HOST = "127.0.0.1"
START_SECONDS = 60
NO_PROMETHEUS = "no `prometheus` on PATH; install it as your system does (Debian: `apt-get install prometheus`), or from prometheus.io"


@dataclass(frozen=True)
class Target:
    """What is scraped. `honour`: labels of the series win over those of the target, as for kube-state-metrics."""

    job: str
    port: int
    path: str = "/metrics"
    labels: Mapping[str, str] = field(default_factory=dict)
    honour: bool = False


@dataclass(frozen=True)
class Series:
    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]
    """Unix time and value; what is no number is left out."""


class LocalPrometheus:
    """A running Prometheus. Enter it to start it; nothing of it is left afterwards.

    Raises:
        RuntimeError: there is no Prometheus, or it does not scrape; the message ends with its log.
    """

    def __init__(self, targets: Sequence[Target], rules: Mapping[str, Any], *, every_seconds: int) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="prometheus-")
        self._folder = Path(self._scratch.name)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.until: float | None = None
        """The moment that is asked for, in Unix time. None: now."""
        self._targets = len(targets)
        self._write("rules.yml", {"groups": [_at_once(group) for group in rules["groups"]]})
        self._write("prometheus.yml", _configuration(targets, every_seconds))

    def __enter__(self) -> LocalPrometheus:
        binary = shutil.which("prometheus")
        if binary is None:
            self._scratch.cleanup()
            raise RuntimeError(NO_PROMETHEUS)
        data = f"--storage.tsdb.path={self._folder / 'data'}"
        command = [binary, f"--config.file={self._folder / 'prometheus.yml'}", data, f"--web.listen-address={HOST}:{self.port}"]
        self._log = (self._folder / "log").open("w")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            self._wait_until_it_scrapes()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()
        self._scratch.cleanup()

    def _write(self, name: str, content: object) -> None:
        (self._folder / name).write_text(json.dumps(content))  # JSON is YAML

    def _wait_until_it_scrapes(self) -> None:
        """It looks for new targets every five seconds."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
                scraped = [one for one in self.ask("targets")["activeTargets"] if one["health"] != "unknown"]
                if len(scraped) == self._targets:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"Prometheus does not scrape within {START_SECONDS} s:\n{(self._folder / 'log').read_text()[-4000:]}")

    def ask(self, path: str, **parameters: Any) -> Any:
        """The `data` of an answer of its API.

        Raises:
            ValueError: it does not accept the query; says why.
        """
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None

    @property
    def moment(self) -> float:
        return time.time() if self.until is None else self.until

    def query(self, expression: str) -> list[Series]:
        """Its series now."""
        found = self.ask("query", query=expression, time=self.moment)
        if found["resultType"] == "scalar":
            return [Series({}, _numbers([found["result"]]))]
        return [Series(one["metric"], _numbers([one["value"]])) for one in found["result"]]

    def query_range(self, expression: str, seconds: float, step: float) -> list[Series]:
        """Its series over the last `seconds`."""
        found = self.ask("query_range", query=expression, start=self.moment - seconds, end=self.moment, step=step)
        return [Series(one["metric"], _numbers(one["values"])) for one in found["result"]]


def _numbers(points: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in points if math.isfinite(float(value))]


def _at_once(group: Mapping[str, Any]) -> dict[str, Any]:
    """Without an interval of its own, which is made for days and not for minutes."""
    return {key: value for key, value in group.items() if key != "interval"}


def _configuration(targets: Sequence[Target], every_seconds: int) -> dict[str, Any]:
    jobs: dict[str, dict[str, Any]] = {}
    for target in targets:
        job = jobs.setdefault(
            target.job,
            {
                "job_name": target.job,
                "metrics_path": target.path.partition("?")[0],
                "params": urllib.parse.parse_qs(target.path.partition("?")[2], keep_blank_values=True),
                "honor_labels": target.honour,
                "static_configs": [],
            },
        )
        job["static_configs"].append({"targets": [f"{HOST}:{target.port}"], "labels": dict(target.labels)})
    pace = f"{every_seconds}s"
    return {
        "global": {"scrape_interval": pace, "scrape_timeout": pace, "evaluation_interval": pace},
        "rule_files": ["rules.yml"],
        "scrape_configs": list(jobs.values()),
    }
