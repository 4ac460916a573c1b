"""Runs of the whole program, each made once and shared by the tests of a worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from config.stack_config import read_stack_file
from tools.bench.generated import generated
from tools.preview import offline

ROOT = Path(__file__).parent.parent.parent
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
GENERATED = ("generated-1", "generated-50", "generated-300")


def configuration(name: str) -> dict:
    kind, _, count = name.partition("-")
    return generated(int(count)) if kind == "generated" else read_stack_file(ROOT / f"Pulumi.{name}.yaml")


@cache
def _recording(name: str, known: bool) -> offline.Recording:
    return offline.run(configuration(name), name, known=known)


@pytest.fixture
def program() -> Callable[..., offline.Recording]:
    """`program(stack, known=False)`: what the program registers for a stack file, or for a generated stack."""
    return lambda name, known=False: _recording(name, known)
