"""Kubernetes objects as the API returns them, and accessors for the fields that findings use. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Object = Mapping[str, Any]


def name(one: Object) -> str:
    return one["metadata"]["name"]


def namespace(one: Object) -> str:
    return one["metadata"].get("namespace", "")


def labels(one: Object) -> Mapping[str, str]:
    return one["metadata"].get("labels") or {}


def status(one: Object) -> Object:
    return one.get("status") or {}


def condition(one: Object, kind: str) -> Object:
    """The condition of this type; empty if the object has none."""
    return next((each for each in status(one).get("conditions") or () if each["type"] == kind), {})


def is_true(one: Object, kind: str) -> bool:
    return condition(one, kind).get("status") == "True"


def selects(selector: Mapping[str, str], chosen: Mapping[str, str]) -> bool:
    return selector.items() <= chosen.items()


def seconds_since(time: str | None, now: datetime) -> float:
    """Seconds from an API timestamp to `now`; 0 for None."""
    return (now - datetime.fromisoformat(time)).total_seconds() if time else 0.0


def seconds_between(begin: str | None, end: str | None) -> float:
    return seconds_since(begin, datetime.fromisoformat(end)) if end else 0.0


@dataclass(frozen=True)
class Container:
    """A container of a pod, as its kubelet reports it."""

    pod: Object
    name: str
    init: bool
    status: Object

    @property
    def waiting(self) -> Object:
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def running(self) -> Object:
        return (self.status.get("state") or {}).get("running") or {}

    @property
    def ended(self) -> Object:
        """The last `terminated` state; empty if it never ended."""
        ends = [(self.status.get(key) or {}).get("terminated") for key in ("state", "lastState")]
        return next((end for end in ends if end), {})

    @property
    def ended_before(self) -> bool:
        """Whether `ended` is of an earlier run (`lastState`)."""
        return not (self.status.get("state") or {}).get("terminated")

    @property
    def failed(self) -> bool:
        """Whether it ended by a failure; for a server also with exit code 0, which it has after SIGTERM."""
        return bool(self.ended) and (not self.init or self.ended["exitCode"] != 0)

    @property
    def ready(self) -> bool:
        return bool(self.status.get("ready"))


def containers(pod: Object) -> Iterator[Container]:
    """Init containers first, in the order they run."""
    for key, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for one in status(pod).get(key) or ():
            yield Container(pod, one["name"], init, one)


def about(events: Iterable[Object], one: Object) -> list[Object]:
    """The events about this object, newest last."""
    metadata = one["metadata"]
    key = (metadata.get("namespace", ""), metadata["name"])
    found = [event for event in events if _involved(event) == key]
    return sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))


def _involved(event: Object) -> tuple[str, str]:
    involved = event.get("involvedObject") or {}
    return involved.get("namespace", ""), involved.get("name", "")
