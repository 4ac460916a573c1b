"""What works is accepted: a rule that refuses too much shows here."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings
from tests.unit import right_engines, right_flags, right_memory, right_platforms, right_settings

TABLES = (right_settings, right_flags, right_engines, right_memory, right_platforms)
RIGHT = {name: row for table in TABLES for name, row in table.RIGHT.items()}


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_a_stack_that_works_is_accepted(changes):
    assert make_plan(settings({"platform.requirePinnedRevisions": False} | changes)).models
