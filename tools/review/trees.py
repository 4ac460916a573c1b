"""The two sides of a review: the working tree, and the tree of a git reference, each with its own code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from config.errors import Problem, StackError
from config.stack_config import read_stack_file
from tools.review import snapshot as snapshots
from tools.review.changes import Review
from tools.review.comparison import compare
from tools.review.snapshot import Planned, Snapshot, plan, snapshot
from tools.stacks import ROOT

# What decides about plan and resources, beside the stack's file. Another base runs with its own, but with this environment's packages.
_CODE = (
    *("__main__.py", "config", "planning", "components", "policy", "requirements.txt"),
    *("tools/policies.py", "tools/preview", "tools/stacks.py"),
)

# Changed models from which on the two sides run at the same time.
_WORTH_A_PROCESS = 10


class BaseError(Exception):
    """The git reference cannot be compared with."""


def base_commit(reference: str, root: Path = ROOT) -> str:
    """The commit where the working tree's branch left `reference`: what it gained since then is not part of the change.

    Raises:
        BaseError: there is none.
    """
    try:
        return _git(root, "merge-base", "--end-of-options", reference, "HEAD").decode().strip()
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip() or "it has no commit in common with HEAD"
        raise BaseError(f"{reference}: {reason}") from None


def review(stack: str, commit: str, root: Path = ROOT) -> Review:
    """Compares a stack of the working tree with the same stack at a commit."""
    if _has_other_code(commit, root):
        with tempfile.TemporaryDirectory(prefix="base-") as folder:
            with tarfile.open(fileobj=BytesIO(_git(root, "archive", commit))) as archive:
                archive.extractall(folder, filter="data")
            before, after = _in_own_code(Path(folder), stack), _in_own_code(root, stack)
            return compare(stack, _answer(before), _answer(after))
    with tempfile.TemporaryDirectory(prefix="base-") as folder:
        file = Path(folder) / f"Pulumi.{stack}.yaml"
        try:
            file.write_bytes(_git(root, "show", f"{commit}:{file.name}"))
        except subprocess.CalledProcessError:
            return compare_planned(stack, _absent(stack), _read(root / file.name))
        return compare_planned(stack, _read(file), _read(root / file.name))


def compare_configurations(stack: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Review:
    """Compares two configurations of a stack with the code of this process."""
    return compare_planned(stack, plan(before), plan(after))


def compare_planned(stack: str, before: Planned, after: Planned) -> Review:
    if after.plan is None:
        return compare(stack, Snapshot(), snapshot(after, stack))
    from tools.review.unchanged import program, unchanged_parts  # imports the components

    unchanged = unchanged_parts(before, after)
    sides = [(planned, stack, program(planned, unchanged)) for planned in (before, after)]
    many = len(after.plan.models) - len(unchanged.models) > _WORTH_A_PROCESS
    if many and sys.platform == "linux":  # elsewhere a process may not survive a fork
        with ProcessPoolExecutor(len(sides), get_context("fork")) as pool:
            return compare(stack, *pool.map(snapshot, *zip(*sides, strict=True)))
    return compare(stack, *(snapshot(*side) for side in sides))


def _absent(stack: str) -> Planned:
    return Planned({}, problems=(Problem(f"Pulumi.{stack}.yaml", "is not there before the change", "everything counts as added"),))


def _read(file: Path) -> Planned:
    try:
        return plan(read_stack_file(file))
    except StackError as error:
        return Planned({}, problems=error.problems)


def _has_other_code(commit: str, root: Path) -> bool:
    changed = _git(root, "diff", "--name-only", commit, "--", *_CODE)
    return bool(changed or _git(root, "ls-files", "--others", "--exclude-standard", "--", *_CODE))


def _in_own_code(tree: Path, stack: str) -> subprocess.Popen[bytes]:
    """Starts snapshot.py on the modules of `tree`; both sides run at the same time."""
    command = [sys.executable, "-P", snapshots.__file__, str(tree / f"Pulumi.{stack}.yaml"), stack]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - our own module


def _answer(process: subprocess.Popen[bytes]) -> Snapshot:
    answer, errors = process.communicate()
    if process.returncode:
        raise BaseError(f"its program ended with an error: {(errors.decode(errors='replace').strip().splitlines() or ['none said'])[-1]}")
    return Snapshot(**json.loads(answer))


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True).stdout  # noqa: S603, S607 - git of the PATH
