"""Prometheus' HTTP API, as far as reconciliation asks it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TIMEOUT_SECONDS = 60


class Unanswered(Exception):  # noqa: N818 - reads as what happened
    """There is no answer to be had; the message says why."""


@dataclass(frozen=True)
class Series:
    labels: Mapping[str, str]
    points: Mapping[float, float]
    """Values by time; of an instant query one."""

    @property
    def value(self) -> float:
        return next(iter(self.points.values()))


class Prometheus:
    """`address`: without a path, as in http://127.0.0.1:9090, or with the prefix that it is served under."""

    def __init__(self, address: str) -> None:
        if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
            raise Unanswered(f"'{address}' is no address; give it as in http://127.0.0.1:9090")
        self._address = address.rstrip("/")

    def now(self, expr: str) -> list[Series]:
        """The newest values.

        Raises:
            Unanswered: it cannot be reached, or refuses the query.
        """
        return [Series(one["metric"], dict([_point(one["value"])])) for one in self._ask("query", query=expr)]

    def between(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """Values at `start`, one `step` later, and so on.

        Raises:
            Unanswered: it cannot be reached, or refuses the query.
        """
        found = self._ask("query_range", query=expr, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step:g}")
        return [Series(one["metric"], dict(map(_point, one["values"]))) for one in found]

    def _ask(self, what: str, **parameters: str) -> list[Any]:
        request = urllib.request.Request(f"{self._address}/api/v1/{what}", data=urllib.parse.urlencode(parameters).encode())  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            said = _error(error.read())
            raise Unanswered(f"Prometheus at {self._address} answers {error.code}: {said or error.reason}") from None
        except (OSError, ValueError, KeyError) as error:
            raise Unanswered(f"Prometheus at {self._address} cannot be asked: {getattr(error, 'reason', error)}") from None


def _point(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _error(body: bytes) -> str:
    try:
        return json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
