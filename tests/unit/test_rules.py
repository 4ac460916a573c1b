"""Rules and alerts name only metrics that exist, with labels that they carry, and Prometheus' own tools accept them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from components.observability.capacity import POD_LABELS, node_labels
from components.observability.metrics import catalogue
from components.observability.rules import Alert, Group, Recording, prometheus_rule_spec
from components.observability.stack import model_groups, shared_groups
from config.stack_config import load_stack_file
from planning.plan import Plan, make_plan
from tests import prometheus_tools
from tests.program.conftest import ROOT, STACKS
from tests.promql import QueryError, labels_of


def stack_groups(name: str) -> tuple[Plan, list[Group]]:
    settings = load_stack_file(ROOT / f"Pulumi.{name}.yaml")
    plan = make_plan(settings)
    return plan, [*shared_groups(settings, plan), *(group for model in plan.models for group in model_groups(settings, plan, model))]


def recordings(groups: list[Group]) -> Iterator[Recording]:
    return (rule for group in groups for rule in group.rules if isinstance(rule, Recording))


def known(name: str) -> dict[str, frozenset[str]]:
    plan, groups = stack_groups(name)
    return catalogue(recordings(groups), node_labels(plan.pools), POD_LABELS)


@pytest.mark.parametrize("name", STACKS)
def test_recording_rules_name_what_exists_and_carry_what_they_say(name):
    series = known(name)
    for rule in recordings(stack_groups(name)[1]):
        try:
            found = labels_of(rule.expr, series) | set(rule.labels)
        except QueryError as error:
            raise AssertionError(f"{rule.record}: {error}\n{rule.expr}") from None
        assert found == frozenset(rule.carries), f"{rule.record} carries {sorted(found)}"


def alerts(groups: list[Group]) -> list[Alert]:
    return [rule for group in groups for rule in group.rules if isinstance(rule, Alert)]


@pytest.mark.parametrize("name", STACKS)
def test_alerts_name_what_exists_and_say_only_what_they_know(name):
    series = known(name)
    for alert in alerts(stack_groups(name)[1]):
        try:
            carried = labels_of(alert.expr, series) | set(alert.labels)
        except QueryError as error:
            raise AssertionError(f"{alert.name}: {error}\n{alert.expr}") from None
        used = set(re.findall(r"\$labels\.(\w+)", f"{alert.summary} {alert.description}"))
        assert used <= carried, f"{alert.name} carries {sorted(carried)}"


@pytest.mark.parametrize("name", STACKS)
def test_every_alert_has_one_name_and_a_page(name):
    names = [alert.name for alert in alerts(stack_groups(name)[1])]
    assert len(names) == len(set(names))
    for one in names:
        page = (ROOT / "docs/runbooks" / f"{one}.md").read_text()
        assert page.startswith(f"# {one}\n")
        assert [line for line in page.splitlines() if line.startswith("## ")] == ["## What it means", "## What to look at", "## What to do"]
        assert "```sh" in page, "a page has commands"


@pytest.mark.parametrize("name", STACKS)
def test_promtool_accepts_the_rules(name, tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(prometheus_rule_spec(stack_groups(name)[1], "docs/runbooks")))
    prometheus_tools.run("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)
