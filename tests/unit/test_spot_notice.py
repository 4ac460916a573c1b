"""The notice of spot nodes is counted on only where the release channel's control plane can give it."""

from __future__ import annotations

import pytest

from config import catalog
from planning.plan import make_plan
from tests.stacks import settings, stack
from tools.preview import offline

STABLE = {"cluster.releaseChannel": "STABLE"}
WARNED = "cluster.releaseChannel"


def warned(changes: dict) -> list[str]:
    return [one.message for one in make_plan(settings(changes)).warnings if one.path == WARNED]


@pytest.mark.parametrize(
    ("channel", "version", "has"),
    [
        ("1.34.8-gke.1278000", "1.35.0-gke.1171000", False),
        ("1.35.0-gke.1170999", "1.35.0-gke.1171000", False),
        ("1.35.0-gke.1171000", "1.35.0-gke.1171000", True),
        ("1.100.0-gke.1", "1.35.0-gke.1171000", True),
    ],
)
def test_versions_of_gke_compare_by_their_numbers(channel, version, has):
    row = catalog.ReleaseChannel(version=channel, source="test", date="2026-11-28")
    assert row.has(version) is has


@pytest.mark.parametrize(("channel", "seconds"), [("RAPID", 105), ("REGULAR", 105), ("STABLE", 15)])
def test_a_replica_leaves_within_the_notice_that_its_channel_gives(channel, seconds):
    changes = {WARNED: channel}
    assert make_plan(settings(changes)).models["qwen3-8b"].burst_drain.grace_period == seconds
    pools = {one.name: one for one in offline.run(stack(changes), "test").resources if one.type == "gcp:container/nodePool:NodePool"}
    kubelet = pools["l4-spot"].inputs["nodeConfig"]["kubeletConfig"]
    assert kubelet.get("shutdownGracePeriodSeconds") == (120 if seconds == 105 else None)


def test_it_is_said_only_where_it_matters():
    assert "1.34.8" in warned(STABLE)[0]
    assert warned({}) == []
    assert warned(STABLE | {"nodePools.l4.spot": None, "models.qwen3-8b.scaling": {"floor": 1, "ceiling": 1}}) == []
