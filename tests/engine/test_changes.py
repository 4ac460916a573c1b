"""Everyday edits of a running stack change only the resources concerned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from config import catalog
from tests.engine.charts import write_chart
from tests.engine.engine import SHARED, Operation, Stack, name_of, owners, type_of
from tests.engine.environment import Environment
from tests.program.conftest import configuration
from tests.stacks import changed

REPLACING = ("replace", "create-replacement", "delete-replaced")
# Room for one more floor, so that the pool needs no change for it.
ROOM = {"nodePools.l4.onDemand.min": 4}
SECRETS = {"huggingFaceToken": "hf_x"}


@dataclass
class Running:
    environment: Environment
    stack: Stack
    config: dict[str, Any]

    def change(self, changes: dict[str, Any]) -> tuple[Operation, list[dict[str, Any]]]:
        """Applies `changes`, asserting that the preview showed the same; also returns the resources before and after."""
        previewed, applied, resources = self.preview_and_apply(changes)
        assert previewed.urns() == applied.urns(), "the preview showed something else"
        return applied, resources

    def preview_and_apply(self, changes: dict[str, Any]) -> tuple[Operation, Operation, list[dict[str, Any]]]:
        config = changed(self.config, changes)
        before = self.stack.resources()
        self.stack.configure(self.environment.with_charts(config), SECRETS)
        previewed, applied = self.stack.preview().succeeded(), self.stack.up().succeeded()
        self.config = config
        return previewed, applied, before + self.stack.resources()


@pytest.fixture(scope="module")
def running(new_environment) -> Iterator[Running]:
    config = changed(configuration("dev"), ROOM)
    with new_environment() as environment:
        stack = environment.stack("dev", config, SECRETS)
        stack.up().succeeded()
        yield Running(environment, stack, config)


def test_editing_one_model_touches_only_that_model(running):
    applied, state = running.change({"models.qwen3-8b.engine.maxModelLen": 4096})
    assert "qwen3-8b-floor" in applied.of("update")
    assert owners(applied, state) - SHARED == {"qwen3-8b"}
    assert applied.of("create", "delete", *REPLACING) == []


def test_adding_and_removing_a_model_touches_no_other(running):
    model = {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4", "scaling": {"floor": 1, "ceiling": 1}}
    added, state = running.change({"models.another": model})
    assert "another-floor" in added.of("create")
    assert owners(added, state) - SHARED == {"another"}

    removed, state = running.change({"models.another": None})
    assert set(removed.of("delete")) == set(added.of("create"))
    assert owners(removed, state) - SHARED == {"another"}


def test_a_new_chart_version_updates_one_release(running):
    old, new = catalog.chart("gpu-operator").version, "v26.7.99"
    write_chart(running.environment.charts, "gpu-operator", new)
    running.stack.program.edit("config/catalog/releases.yaml", f"version: {old}", f"version: {new}")
    applied, _ = running.change({})
    assert [(kind, name_of(urn)) for kind, urn in applied.changes if not type_of(urn).startswith("pulumi:")] == [("update", "gpu-operator")]
    pods = running.environment.cluster.pods("gpu-operator")
    assert any(new in container["image"] for pod in pods for container in pod["spec"]["containers"])


def test_a_change_of_the_cluster_shows_nothing_as_replaced(running):
    """Although the cluster's address is unknown in the preview."""
    previewed, applied, _ = running.preview_and_apply({"cluster.releaseChannel": "STABLE"})
    assert {kind for kind, _ in previewed.changes} == {"update"}
    assert [(kind, name_of(urn)) for kind, urn in applied.changes] == [("update", "llm-dev")]


def test_what_google_cannot_change_is_replaced_and_only_that(running):
    applied, _ = running.change({"cluster.maxPodsPerNode": 48})
    replaced = {name_of(urn) for kind, urn in applied.changes if kind in REPLACING}
    assert replaced == {"l4-on-demand", "l4-spot"}
    assert running.environment.cluster.list("Node", **{"cloud.google.com/gke-accelerator": "nvidia-l4"})
