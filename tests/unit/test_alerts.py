"""Every alert fires on its fault, is silent on what looks like it, and ends with it: Prometheus' own evaluation says so."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.rules import Alert, Group, Recording, prometheus_rule_spec
from components.observability.stack import model_groups, shared_groups
from planning.plan import make_plan
from tests import prometheus_tools
from tests.program.conftest import ROOT
from tests.stacks import settings
from tests.unit.alert_cases import CASES
from tests.unit.alert_series import MODEL, STACK, Case, Series


@cache
def groups() -> list[Group]:
    stack = settings(STACK)
    plan = make_plan(stack)
    return [*model_groups(stack, plan, MODEL), *shared_groups(stack, plan)]


def needed(expression: str) -> list[Group]:
    """The rules that an expression or an alert of that name is made of, in their groups: to evaluate all of a stack's takes long."""
    rules = [rule for group in groups() for rule in group.rules]
    kept = [rule for rule in rules if (rule.name == expression if isinstance(rule, Alert) else rule.record in expression)]
    for one in kept:  # grows while it is gone through
        kept += [rule for rule in rules if isinstance(rule, Recording) and rule not in kept and rule.record in one.expr]
    return [Group(group.name, rules) for group in groups() if (rules := [rule for rule in group.rules if rule in kept])]


def alerts() -> list[str]:
    return [rule.name for group in groups() for rule in group.rules if isinstance(rule, Alert)]


def firing(alert: str, at: str, labels: dict[str, str], *, expected: bool) -> dict[str, Any]:
    matchers = ",".join(f'{name}="{value}"' for name, value in {"alertname": alert, "alertstate": "firing", **labels}.items())
    samples = [{"labels": "{}", "value": 1}] if expected else []
    return {"expr": f"count(ALERTS{{{matchers}}})", "eval_time": at, "exp_samples": samples}


def scenario(name: str, step: str, series: Series, *expectations: dict[str, Any]) -> dict[str, Any]:
    given = [{"series": one, "values": values} for one, values in series.items()]
    return {"name": name, "interval": step, "input_series": given, "promql_expr_test": list(expectations)}


def scenarios(name: str, case: Case) -> list[dict[str, Any]]:
    alert, _, _ = name.partition(" ")
    fires, ends = (firing(alert, at, case.labels, expected=at == case.fires) for at in (case.fires, case.resolved))
    silent = [firing(alert, at, {}, expected=False) for at in (case.fires, case.resolved)]
    return [
        scenario("the fault", case.step, case.fault, fires, ends),
        scenario("the near miss", case.step, case.fault | case.near_miss, *silent),
    ]


def evaluated(folder: Path, rules: list[Group], step: str, *tests: dict[str, Any]) -> None:
    """Has promtool evaluate the rules in the scenarios; fails the test where they result in something else."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(prometheus_rule_spec(rules, "docs/runbooks")))
    order = [group.name for group in rules]
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": step, "group_eval_order": order, "tests": list(tests)}
    (folder / "test.yaml").write_text(yaml.safe_dump(content))
    prometheus_tools.run("promtool", "test", "rules", folder / "test.yaml")


def test_every_alert_is_listed_for_those_who_are_told():
    text = (ROOT / "docs" / "alerts.md").read_text()
    assert [name for name in alerts() if f"(runbooks/{name}.md)" not in text] == []
    assert {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} == set(alerts())


def test_every_alert_is_tried():
    assert {name.partition(" ")[0] for name in CASES} == set(alerts())


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_on_its_fault_alone_and_ends_with_it(name, tmp_path):
    case = CASES[name]
    evaluated(tmp_path, needed(name.partition(" ")[0]), case.step, *scenarios(name, case))
