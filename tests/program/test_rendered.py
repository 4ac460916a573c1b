"""What the shipped stacks become is in the repository: a change of it is a diff that somebody has read."""

from __future__ import annotations

import difflib

import pytest

from tests.program.conftest import STACKS
from tools.preview.rendered import FOLDER, files


def difference(name, kept, found):
    return "\n".join(difflib.unified_diff(kept.splitlines(), found.splitlines(), f"kept {name}", f"now {name}", lineterm=""))


@pytest.mark.parametrize("stack", STACKS)
def test_the_render_is_the_one_in_the_repository(program, stack):
    found = files(program(stack, True))
    kept = {path.name: path.read_text() for path in (FOLDER / stack).iterdir()}
    changed = [name for name in found.keys() | kept.keys() if found.get(name) != kept.get(name)]
    differences = [difference(name, kept.get(name, ""), found.get(name, "")) for name in sorted(changed)]
    assert not differences, "\n".join(["read the difference, then run `make rendered`", *differences])
