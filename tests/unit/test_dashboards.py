"""Dashboards ask only for what exists, and say what they show; that they show it under load is tests/dataplane/test_observed.py."""

from __future__ import annotations

import itertools
import re

import pytest

from components.observability.alerts.prometheus import monitoring
from components.observability.dashboards.panels import TAG, WIDTH
from components.observability.dashboards.stack import dashboards, file_content
from components.observability.rules import Alert
from components.observability.stack import shared_groups
from config.stack_config import load_stack_file
from planning.plan import make_plan
from tests import stacks
from tests.program.conftest import ROOT, STACKS
from tests.promql import QueryError, aggregated, labels_of
from tests.unit.test_rules import known

CONFIG_MAP_BYTES = 1024**2
# What is an average already, or a point of a distribution.
NO_SUMMANDS = re.compile(r":ratio|:avg|:quantile|:usd1h")
LEGEND_LABEL = re.compile(r"{{(\w+)}}")
FIXED_LABEL = re.compile(r'(\w+)="')
LABEL_VALUES = re.compile(r"label_values\(([\w:]+), (\w+)\)")


def boards(name):
    settings = load_stack_file(ROOT / f"Pulumi.{name}.yaml")
    return dashboards(settings, make_plan(settings))


def panels(name):
    return [(f"{uid}: {panel['title']}", panel) for uid, one in boards(name).items() for panel in one["panels"] if panel["type"] != "row"]


def targets(name):
    return [(where, panel, target) for where, panel in panels(name) for target in panel["targets"]]


@pytest.mark.parametrize("name", STACKS)
def test_panels_ask_for_what_exists_by_labels_that_it_carries(name):
    series = known(name)
    for where, panel, target in targets(name):
        try:
            labels = labels_of(target["expr"], series)
        except QueryError as error:
            raise AssertionError(f"{where}: {error}\n{target['expr']}") from None
        assert set(LEGEND_LABEL.findall(target["legendFormat"])) <= labels, f"{where}: its legend names a label that is not there"
        # A model is in one pool, so the plan's figures of a model differ by nothing else.
        unnamed = labels - set(LEGEND_LABEL.findall(target["legendFormat"])) - set(FIXED_LABEL.findall(target["expr"])) - {"pool"}
        if panel["type"] in ("stat", "timeseries"):
            assert not unnamed, f"{where}: several series that differ by {sorted(unnamed)} look alike"


@pytest.mark.parametrize("name", STACKS)
def test_variables_are_values_of_labels_that_exist(name):
    series = known(name)
    for uid, one in boards(name).items():
        variables = {variable["name"]: variable for variable in one["templating"]["list"]}
        assert variables.pop("datasource")["query"] == "prometheus"
        for variable in variables.values():
            ((metric, label),) = LABEL_VALUES.findall(variable["query"]["query"])
            assert label == variable["name"]
            assert label in series[metric]
        used = {name for panel in one["panels"] for target in panel.get("targets", ()) for name in re.findall(r"\$(\w+)", target["expr"])}
        assert used == variables.keys(), f"{uid}: a variable that no panel uses, or none has"


@pytest.mark.parametrize("name", STACKS)
def test_nothing_averages_averages_or_adds_up_quantiles(name):
    for where, _, target in targets(name):
        for operation, metric in aggregated(target["expr"]):
            assert operation in ("max", "min", "last_over_time", "max_over_time") or not NO_SUMMANDS.search(metric), (
                f"{where}: {operation} of {metric}"
            )


def test_an_average_of_quantiles_would_be_found():
    assert ("avg", "model:x:quantile5m") in aggregated("avg by (model) (model:x:quantile5m)")
    assert ("avg_over_time", "model:x:ratio_rate5m") in aggregated("avg_over_time(model:x:ratio_rate5m[5m]) > 0")


@pytest.mark.parametrize("name", STACKS)
def test_every_panel_says_its_unit_what_it_answers_and_what_nothing_means(name):
    for where, panel in panels(name):
        assert panel["description"].endswith("."), where
        if panel["type"] != "table":
            unit = panel["options"]["yAxis"]["unit"] if panel["type"] == "heatmap" else panel["fieldConfig"]["defaults"]["unit"]
            assert unit, where
        if panel["type"] in ("stat", "timeseries", "table"):
            assert panel["fieldConfig"]["defaults"]["noValue"], where
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, where


@pytest.mark.parametrize("name", STACKS)
def test_panels_lie_on_the_grid_beside_one_another(name):
    for uid, one in boards(name).items():
        assert len({panel["id"] for panel in one["panels"]}) == len(one["panels"])
        areas = [panel["gridPos"] for panel in one["panels"]]
        assert all(area["x"] + area["w"] <= WIDTH for area in areas)
        for a, b in itertools.combinations(areas, 2):
            apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
            assert apart, f"{uid}: {a} lies on {b}"


@pytest.mark.parametrize("name", STACKS)
def test_dashboards_lead_to_one_another(name):
    made = boards(name)
    for one in made.values():
        assert one["tags"] == one["links"][0]["tags"] == [TAG]
        assert one["links"][0]["keepTime"]
        for panel in one["panels"]:
            for override in panel.get("fieldConfig", {}).get("overrides", ()):
                for link in (link for entry in override["properties"] if entry["id"] == "links" for link in entry["value"]):
                    assert link["url"].removeprefix("/d/").partition("?")[0] in made


def test_every_alert_on_what_the_platform_does_has_a_panel_that_leads_to_its_runbook():
    address = "https://git.acme.example/llm/docs/runbooks"
    keys = {
        "gateway.authentication": "api-key",
        "gateway.clients": {"chat": {"monthlyTokens": 1000}},
        "secrets.clientKeys": {"chat": {"secure": "given"}},
    }
    balanced = {"gateway.exposure": "load-balancer", "gateway.tls": {"secretName": "llm"}, **keys}
    settings = stacks.settings(
        {"platform.monitoring.alerting.runbooksUrl": address, "budget.monthlyUsd": 20_000, "budget.hourlyUsd": 20, **balanced}
    )
    plan = make_plan(settings)
    linked = {link["url"] for one in dashboards(settings, plan).values() for panel in one["panels"] for link in panel.get("links") or ()}
    alerts = {rule.name for group in shared_groups(settings, plan) for rule in group.rules if isinstance(rule, Alert)}
    of_itself = {rule.name for rule in monitoring()}
    assert linked == {f"{address}/{alert}.md" for alert in alerts - of_itself}


def test_where_runbooks_have_no_address_a_panel_says_their_path():
    panel = next(panel for where, panel in panels("dev") if where == "vllm-overview: KV cache")
    assert panel["description"].endswith("Runbooks: docs/runbooks/KvCacheSaturated.md.")
    assert (ROOT / "docs/runbooks/KvCacheSaturated.md").is_file()
    assert not panel.get("links")


@pytest.mark.parametrize("name", STACKS)
def test_a_dashboard_fits_into_a_config_map_and_is_the_same_every_time(name):
    for uid, one in boards(name).items():
        assert list(file_content(one)) == [f"{uid}.json"]
        assert file_content(one) == file_content(boards(name)[uid])
        assert len(file_content(one)[f"{uid}.json"]) < CONFIG_MAP_BYTES / 4


def test_a_dashboard_is_there_only_where_it_can_have_data():
    def uids(changes):
        settings = stacks.settings(changes)
        return set(dashboards(settings, make_plan(settings)))

    everything = {"vllm-overview", "vllm-model", "vllm-gpu", "vllm-gateway", "vllm-scaling", "vllm-cost"}
    assert uids({}) == everything
    assert uids({"platform.gpuOperator.enabled": False}) == everything - {"vllm-gpu"}
    assert set(boards("local")) == everything - {"vllm-gpu", "vllm-scaling", "vllm-cost"}
    assert uids({"platform.autoscaler.enabled": False}) == everything - {"vllm-scaling"}
    no_gateway = stacks.stack()
    assert "vllm-platform:gateway" in no_gateway
    assert uids({"vllm-platform:gateway": None}) == everything - {"vllm-gateway"}


def test_the_library_makes_the_schema_of_the_newest_grafana():
    """An open pin takes the release for the oldest: its versions begin with a time of building."""
    assert boards("dev")["vllm-overview"]["schemaVersion"] >= 42
