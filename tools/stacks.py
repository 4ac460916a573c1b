"""What every verb shares: where the stacks' files are, and how problems are printed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from config.errors import Problem

ROOT = Path(__file__).parent.parent


def stack_file(stack: str) -> Path:
    return ROOT / f"Pulumi.{stack}.yaml"


def preview_folder(stack: str) -> Path:
    return ROOT / "build" / stack


def print_problems(console: Console, heading: str, problems: Iterable[Problem], style: str) -> None:
    """Each as `path: what is wrong; what to do`."""
    listed = list(problems)
    if not listed:
        return
    console.print(Text(f"{heading} ({len(listed)})", style=f"bold {style}"))
    for problem in listed:
        console.print(Text.assemble("  ", (problem.path, style), f": {problem.message}; {problem.fix}"), soft_wrap=True)
