"""Rolling updates: what the plan chooses, and what a stack may choose instead."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings, stack
from tests.unit.wrong_updates import DISK, FULL, MODEL
from tools.preview import offline


def rollout(changes):
    found = make_plan(settings(changes))
    one = found.models["qwen3-8b"].rollout
    return (one.max_surge, one.max_unavailable), [str(warning) for warning in found.warnings if warning.path == f"{MODEL}.rollout"]


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ({}, (1, 0)),
        (FULL, (0, 1)),
        (DISK, (0, 1)),
        ({f"{MODEL}.rollout": {"maxSurge": 3}}, (3, 0)),
        ({f"{MODEL}.rollout": {"maxSurge": 0}}, (0, 1)),
        ({f"{MODEL}.rollout": {"maxUnavailable": 1}}, (1, 1)),
        (FULL | {f"{MODEL}.rollout": {"maxUnavailable": 2}}, (0, 2)),
    ],
)
def test_a_stack_overrides_what_the_plan_chooses(changes, chosen):
    assert rollout(changes)[0] == chosen


@pytest.mark.parametrize(
    ("changes", "words"),
    [(FULL, "no room for a surge replica"), (DISK, "attached to one node"), ({f"{MODEL}.rollout": {"maxSurge": 0}}, "maxSurge is 0")],
)
def test_a_replica_that_stops_before_its_successor_starts_is_warned_of_with_the_reason(changes, words):
    [warning] = rollout(changes)[1]
    assert words in warning


def test_who_has_said_how_many_may_be_missing_is_not_warned():
    assert rollout(FULL | {f"{MODEL}.rollout": {"maxUnavailable": 1}})[1] == []


def test_the_floor_is_changed_after_the_burst_and_the_stand_ins():
    recording = offline.run(stack({f"{MODEL}.scaling.burst": "spot-preferred"}), "test")
    found = {one.name.removeprefix("qwen3-8b-"): one for one in recording.resources if one.type.endswith(":Deployment")}
    assert {found["burst"].urn, found["burst-on-demand"].urn} <= set(found["floor"].depends_on)
    assert not {found["floor"].urn} & {*found["burst"].depends_on, *found["burst-on-demand"].depends_on}
