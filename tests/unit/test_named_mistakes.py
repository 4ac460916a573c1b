"""tests/mutations/named.py still names lines of the program: else `make mutants` would find out after half an hour."""

from pathlib import Path

import pytest

from tests.mutations.named import NAMED

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(("file", "before", "after"), NAMED.values(), ids=NAMED)
def test_a_named_mistake_can_be_made_in_one_place(file, before, after):
    assert (ROOT / file).read_text().count(before) == 1
    assert before != after
