"""How nodes are replaced: the order, how many at once, and what it does to floors."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_updates import MODEL, POOL, QUOTA

EIGHT = {f"{POOL}.machineType": "a3-highgpu-8g", "cluster.zones": ["us-central1-a"], f"{POOL}.onDemand": {"max": 2}}


def changes(given):
    return make_plan(settings(given)).node_changes["l4"]


def warnings(given):
    return [str(warning) for warning in make_plan(settings(given)).warnings if warning.path == f"{POOL}.upgrade"]


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ({}, "create-first"),
        (QUOTA, "delete-first"),
        ({"cluster.gpuQuota": {"nvidia-l4": 4}}, "create-first"),
        ({f"{POOL}.reservation": "l4", f"{MODEL}.scaling": {"floor": 3, "ceiling": 3}}, "delete-first"),
        ({f"{POOL}.reservation": "l4"}, "create-first"),
        ({f"{POOL}.replacement": "delete-first"}, "delete-first"),
    ],
)
def test_a_pool_is_created_before_the_old_one_goes_if_quota_and_reservation_hold_both(given, order):
    assert changes(given).replacement == order


@pytest.mark.parametrize(
    ("given", "at_once"),
    [
        ({}, (0, 1)),
        ({f"{POOL}.upgrade": {"maxSurge": 1}}, (1, 0)),
        ({f"{POOL}.upgrade": {"maxSurge": 1, "maxUnavailable": 1}}, (1, 1)),
        ({f"{POOL}.upgrade": {"maxUnavailable": 2}}, (0, 2)),
    ],
)
def test_an_upgrade_waits_for_no_gpu_that_may_be_unavailable_unless_it_is_told_to(given, at_once):
    found = changes(given)
    assert (found.max_surge, found.max_unavailable) == at_once


def test_a_floor_that_an_upgrade_interrupts_is_warned_of():
    [warning] = warnings({})
    assert "floor of qwen3-8b" in warning
    assert warnings({f"{MODEL}.scaling.floor": 2}) == []
    [of_one_node] = warnings(EIGHT | {f"{MODEL}.scaling.floor": 2, f"{POOL}.onDemand": {"max": 1}})
    assert "floor of qwen3-8b" in of_one_node


def test_a_drain_that_outlasts_gkes_patience_is_warned_of():
    """Eight replicas of a slow download on one node, one after another: seven times more than ten minutes."""
    slow = EIGHT | {f"{MODEL}.scaling": {"floor": 8, "ceiling": 8}, f"{MODEL}.weights": {"mibPerSecond": 30}}
    [warning] = warnings(slow)
    assert "GKE waits for 60" in warning
    assert warnings(slow | {f"{MODEL}.weights": {"mibPerSecond": 1000}}) == []
