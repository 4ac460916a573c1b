"""The tables of stacks: `WRONG` of `wrong_*.py`, which must be refused, and `RIGHT` of `right_*.py`, which must be accepted."""

import importlib
from pathlib import Path
from typing import Any


def rows(name: str) -> dict[str, Any]:
    """The rows of every table of that name.

    Raises:
        ValueError: two rows have the same name.
    """
    found: dict[str, Any] = {}
    for path in sorted(Path(__file__).parent.glob(f"{name.lower()}_*.py")):
        table = getattr(importlib.import_module(f"tests.unit.{path.stem}"), name, {})
        if twice := found.keys() & table.keys():
            raise ValueError(f"{path.name} has names of other tables: {sorted(twice)}")
        found |= table
    return found
