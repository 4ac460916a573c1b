"""What Prometheus evaluates: recording rules, alerts and groups of them, and the PrometheusRule that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
"""critical: somebody is woken. warning: somebody looks today. info: shown, and sent to nobody."""


@dataclass(frozen=True)
class Recording:
    """A recording rule. Names are `level:metric:operation`; `plan` as the operation is a figure of the plan."""

    record: str
    expr: str
    carries: tuple[str, ...] = ()
    """Labels of its series. Another stack's rule of the same name carries the same."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those of them that the rule itself sets."""

    def rendered(self) -> dict[str, Any]:
        return {"record": self.record, "expr": self.expr, **({"labels": dict(self.labels)} if self.labels else {})}


@dataclass(frozen=True)
class Alert:
    """An alert. Its page is docs/runbooks/<name>.md."""

    name: str
    severity: Severity
    expr: str
    wait: str
    """How long it must hold: `for`."""
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)
    keep: str | None = None
    """`keep_firing_for`: where a fault comes and goes."""

    def rendered(self, runbooks: str) -> dict[str, Any]:
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            **({"keep_firing_for": self.keep} if self.keep else {}),
            "labels": {"severity": self.severity, **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbooks.rstrip('/')}/{self.name}.md",
            },
        }


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other, so that each sees what those before it have just recorded."""

    name: str
    rules: Sequence[Recording | Alert]
    interval: str | None = None


def prometheus_rule_spec(groups: Iterable[Group], runbooks: str) -> dict[str, Any]:
    """The `spec` of a PrometheusRule; as a file it is what promtool reads."""
    return {
        "groups": [
            {
                "name": group.name,
                **({"interval": group.interval} if group.interval else {}),
                "rules": [rule.rendered(runbooks) if isinstance(rule, Alert) else rule.rendered() for rule in group.rules],
            }
            for group in groups
        ]
    }


def joined(*lines: str) -> str:
    """An expression of several lines."""
    return "\n".join(lines)
