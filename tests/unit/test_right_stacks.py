"""Valid stacks are accepted: fails if a rule is too strict."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings
from tests.unit import right_readings
from tests.unit.tables import rows

RIGHT = rows("RIGHT")


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_a_stack_that_works_is_accepted(changes):
    assert make_plan(settings({"platform.requirePinnedRevisions": False} | changes)).models


@pytest.mark.parametrize(("changes", "tokens"), right_readings.CONTEXTS.values(), ids=right_readings.CONTEXTS)
def test_a_model_that_can_be_read_is_planned_with_its_context(changes, tokens):
    assert make_plan(settings(changes)).models["qwen3-8b"].memory.max_model_len == tokens
