"""What a change does to the stack, where there is a base to compare with. tools/review fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from tools.preview.report.table import Table
from tools.preview.report.verdict import Findings


@dataclass(frozen=True)
class ChangedField:
    """`before` or `after` is None where the field is not there."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ChangedResource:
    verb: str
    """`created`, `updated`, `replaced`, `deleted`."""
    kind: str
    name: str
    because: str
    """What cannot be changed in place; empty unless it is replaced."""
    fields: tuple[ChangedField, ...]


@dataclass(frozen=True)
class Changes:
    base: str
    money: str
    alarms: tuple[str, ...]
    """What must not be missed, most severe first."""
    tables: tuple[Table, ...]
    findings: tuple[Findings, ...]
    counts: str
    resources: tuple[ChangedResource, ...]
