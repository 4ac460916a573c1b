"""What works is accepted: a rule that refuses too much shows here."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings
from tests.unit import right_engines, right_flags, right_settings

RIGHT = right_settings.RIGHT | right_flags.RIGHT | right_engines.RIGHT


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_a_stack_that_works_is_accepted(changes):
    assert make_plan(settings(changes)).models["qwen3-8b"]
