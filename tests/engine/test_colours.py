"""The whole change of a model's colour, by edits of the configuration only: each step changes what docs/upgrade-a-model.md lists."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Any

import pytest

from components.naming import CHECK_LABELS, COLOUR_LABEL, model_namespace
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import BY_HAND
from tests.cluster.updates import end
from tests.engine.engine import Operation, name_of, type_of
from tests.program.test_upgrade_page import MODEL, blocks, steps
from tests.stacks import changed

REPLACING = ("replace", "create-replacement", "delete-replaced")
# Nodes for the floors of both colours: the pool of the page grows by one instead.
ROOM = {"nodePools.l4.onDemand.min": 4}
GROWN = "NodePool l4-on-demand"
GREEN = f"{MODEL}-green"
ONCE, CANDIDATE, CANARY, MORE, PROMOTED = range(1, 6)
LABELS = '{"metadata": {"labels": CHECK_LABELS | MANAGED}, "spec": pod}'


def config(step: int) -> dict[str, Any]:
    return changed(steps()[step], ROOM)


@contextlib.contextmanager
def kubelet_of_jobs(cluster: Cluster, failing: set[str]) -> Generator[None]:
    """Ends the pods of the checks; those of Jobs whose name begins with one in `failing` fail."""
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.wait(0.5):
            for pod in cluster.pods(**CHECK_LABELS):
                if pod["spec"].get("nodeName") and pod.get("status", {}).get("phase") == "Pending":
                    name = pod["metadata"]["labels"]["job-name"]
                    end(cluster, pod, succeeds=not any(name.startswith(one) for one in failing))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def lines(done: Operation) -> set[str]:
    """As the page writes them."""
    signs = {"create": "+ ", "update": "~ ", "delete": "- "}
    found = set()
    for kind, urn in done.changes:
        if not type_of(urn).startswith(("pulumi:", "vllm-platform:")):
            found.add(f"{'+-' if kind in REPLACING else signs[kind]} {type_of(urn).rpartition(':')[2]} {name_of(urn)}")
    return found


def listed(step: int) -> set[str]:
    return {line for line in blocks("changes")[step - 1].splitlines() if not line.endswith(GROWN)}


def pods(cluster: Cluster, colour: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in cluster.pods(model_namespace(MODEL), **{COLOUR_LABEL: colour})}


@pytest.fixture
def failing() -> set[str]:
    return set()


@pytest.fixture
def stack(own_environment, failing):
    found = own_environment.stack("dev", config(0))
    by_hand = LABELS.replace("MANAGED}", f'MANAGED, "annotations": {{"{BY_HAND}": "true"}}}}')
    found.program.edit("components/serving/checks/jobs.py", LABELS, by_hand)
    with kubelet_of_jobs(own_environment.cluster, failing):
        found.up().succeeded()
        yield found


def test_the_cycle_of_a_colour_by_edits_of_the_configuration_only(own_environment, stack, failing):
    cluster = own_environment.cluster

    def up(step: int, changes: dict[str, Any] | None = None) -> Operation:
        stack.configure(own_environment.with_charts(changed(config(step), changes or {})))
        return stack.up()

    assert lines(up(ONCE).succeeded()) == listed(ONCE)
    blue = pods(cluster, MODEL)

    stack.configure(own_environment.with_charts(changed(config(ONCE), {f"models.{MODEL}.engine.maxModelLen": 16384})))
    assert "put the change into rollout.candidate.model" in stack.preview().output
    assert stack.up().failed
    assert pods(cluster, MODEL) == blue

    failing.add(f"{GREEN}-smoke")
    assert up(CANDIDATE).failures == [f"{GREEN}-smoke"]
    assert pods(cluster, MODEL) == blue
    failing.clear()
    up(CANDIDATE).succeeded()
    green = pods(cluster, GREEN)
    assert stack.preview().changes == []

    assert lines(up(CANARY).succeeded()) == listed(CANARY)
    failing.add(f"{GREEN}-gate")
    failed = up(MORE)
    assert failed.failures == [f"{GREEN}-gate"]
    assert "gateway-models" not in failed.of("update")
    failing.clear()
    assert "gateway-models" in up(MORE).succeeded().of("update")

    assert lines(up(PROMOTED).succeeded()) == listed(PROMOTED)
    cluster.wait_for("blue is gone", lambda: not pods(cluster, MODEL))
    assert pods(cluster, GREEN) == green

    back = up(MORE).succeeded()
    assert f"{MODEL}-floor" in back.of("create")
    assert pods(cluster, GREEN) == green

    up(ONCE).succeeded()
    cluster.wait_for("green is gone", lambda: not pods(cluster, GREEN))
