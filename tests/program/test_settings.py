"""Every setting changes something, and the tables beside this file say what."""

from __future__ import annotations

import pytest

from tests.program import cluster_effects, gateway_effects, model_effects, rollout_effects
from tests.program.effects import leaves, missing, path
from tests.program.engine_effects import ARGUMENTS
from tests.program.test_model_settings import arguments

EFFECTS = model_effects.EFFECTS | cluster_effects.EFFECTS | gateway_effects.EFFECTS | rollout_effects.EFFECTS
# What the plan counts of the memory that is left; the tests of the plan say how many.
COUNTED = "--max-num-queued-reqs"


def test_no_setting_is_missing_from_the_tables():
    assert set(leaves()) == EFFECTS.keys() | ARGUMENTS.keys()


@pytest.mark.parametrize("key", ARGUMENTS)
def test_an_engine_setting_becomes_exactly_these_arguments(key):
    row = ARGUMENTS[key]
    before, after = (set(arguments(row.stack | changes)) for changes in ({}, row.beside | {path(key): row.value}))
    new, gone = ({one.partition('={"memory_limit')[0] for one in found} for found in (after - before, before - after))
    if not any(one.startswith(COUNTED) for one in row.new):
        new, gone = ({one for one in found if not one.startswith(COUNTED)} for found in (new, gone))
    assert (new, gone) == (row.new, row.gone)


@pytest.mark.parametrize("key", EFFECTS)
def test_a_setting_changes_what_the_table_says(key):
    assert EFFECTS[key].shows
    assert missing(key, EFFECTS[key]) == []
