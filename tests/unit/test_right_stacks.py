"""What works is accepted: a rule that refuses too much shows here."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings
from tests.unit import right_engines, right_flags, right_readings, right_settings

RIGHT = right_settings.RIGHT | right_flags.RIGHT | right_engines.RIGHT


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_a_stack_that_works_is_accepted(changes):
    assert make_plan(settings(changes)).models["qwen3-8b"]


@pytest.mark.parametrize(("changes", "tokens"), right_readings.RIGHT.values(), ids=right_readings.RIGHT)
def test_a_model_that_can_be_read_is_planned_with_its_context(changes, tokens):
    assert make_plan(settings(changes)).models["qwen3-8b"].memory.max_model_len == tokens
