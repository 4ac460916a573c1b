"""An interrupted update can be resumed."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.engine.engine import Stack
from tests.engine.test_failures import GOOD, ready_pods
from tests.program.conftest import configuration


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["asked to stop", "killed"])
def test_an_interrupted_update_can_be_resumed(own_environment, how):
    stack = own_environment.stack("local", configuration("local"))
    nodes = own_environment.cluster.list("Node")
    own_environment.cluster.delete_nodes()
    interrupt(stack, own_environment.cluster, how)

    own_environment.cluster.add_nodes([_fresh(node) for node in nodes])
    if how == signal.SIGKILL:
        recover(stack, own_environment.cluster)
    stack.up().succeeded()
    assert len(ready_pods(own_environment.cluster, GOOD)) == 1
    assert stack.preview().changes == []
    stack.destroy().succeeded()


def interrupt(stack: Stack, cluster: Cluster, how: signal.Signals) -> None:
    """Starts an update, and stops it by a signal while it waits for pending pods."""
    command, variables = stack.command("up", "--yes", "--skip-preview", "--non-interactive")
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as update:
        try:
            cluster.wait_for("the update waits for a pod", lambda: cluster.pods("monitoring"))
            update.send_signal(how)
            assert update.wait(timeout=60) != 0
        finally:
            # Plugins outlive an engine that is killed.
            subprocess.run(["pkill", "-KILL", "--session", str(update.pid)], check=False)


def recover(stack: Stack, cluster: Cluster) -> None:
    """The steps of docs/recover-an-update.md for a killed update, whose new resources are not in the state."""
    unlock, variables = stack.command("cancel", "--yes")
    subprocess.run(unlock, env=variables, check=True, capture_output=True)
    for secret in cluster.list("Secret", owner="helm", status="pending-install"):
        cluster.delete("Secret", secret["metadata"]["name"], secret["metadata"]["namespace"])
    stack.variables["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"


def _fresh(node: dict[str, Any]) -> dict[str, Any]:
    keep = {key: node["metadata"][key] for key in ("name", "labels", "annotations")}
    return {**node, "metadata": keep, "spec": {"taints": []}}
