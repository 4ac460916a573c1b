"""A run of tests in a process of its own, which has the large libraries already and imports one module with a mistake in it."""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import select
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
_FOLDERS = ("tests/unit", "tests/program")
# They read no plan and render nothing, or take most of the time and look at what others look at too.
_LEFT_OUT = (
    "test_structure.py",
    "test_model_server.py",
    "test_model_server_faults.py",
    "test_client_lines.py",
    "test_odd_stacks.py",
    "test_secrets.py",
    "test_schema.py",
)
_SLOW = "not generated and not strictly_valid and not match_their_definitions and not is_judged"
_LIMIT_SECONDS = 300
PACKAGES = ("planning/", "components/")
MODULE = 0  # the line of what is outside of functions
_CALLS = "calls_of_the_tests"


@dataclass(frozen=True)
class Trial:
    pid: int
    answer: int
    """End of a pipe; what comes out of it is the file of tests that failed, or nothing."""
    until: float


class _Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports files of planning/ and components/ from a tree that is made of them."""

    def __init__(self, tree_of: Callable[[str], ast.Module | None]) -> None:
        self.tree_of = tree_of

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        file = f"{fullname.replace('.', '/')}.py"
        if not file.startswith(PACKAGES) or not (ROOT / file).is_file() or (tree := self.tree_of(file)) is None:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=str(ROOT / file))
        spec.has_location, spec.loader_state = True, compile(tree, str(ROOT / file), "exec")
        return spec

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__:
            exec(module.__spec__.loader_state, module.__dict__)  # noqa: S102 - a module of this repository


class _FirstFailure:
    """Tells the file of the test that failed first."""

    file = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.file:
            self.file = report.nodeid.partition("::")[0]


def warm_up() -> None:
    """Runs the program once for what it fills: the libraries' modules and their caches. Of this project nothing that is mutated stays."""
    gc.set_threshold(1_000_000)
    offline = importlib.import_module("tools.preview.offline")
    offline.run(importlib.import_module("tests.stacks").stack(), "test")
    for name in ("hypothesis", "jsonschema", "kubernetes_validate", "rich.console"):
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("planning", "components", "tools", "tests")]:
        if not name.startswith("tests.mutations"):
            del sys.modules[name]
    gc.freeze()


def test_files() -> list[str]:
    paths = [path for folder in _FOLDERS for path in sorted((ROOT / folder).glob("test_*.py"))]
    return [str(path.relative_to(ROOT)) for path in paths if path.name not in _LEFT_OUT]


def start(file: str, tree: ast.Module, files: list[str]) -> Trial:
    """Runs files of tests, in this order, with the module of `file` replaced by `tree`."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(reading)
        sys.meta_path.insert(0, _Importer({file: tree}.get))
        _read_as_text(ROOT / file, ast.unparse(tree))
        first = _FirstFailure()
        code = _pytest(files, first)
        if code != pytest.ExitCode.OK:
            os.write(writing, (first.file or files[0]).encode())
        os._exit(0)
    os.close(writing)
    return Trial(pid, reading, time.monotonic() + _LIMIT_SECONDS)


def _read_as_text(file: Path, text: str) -> None:
    """For what runs as a text, such as the programs of a rollout's Jobs: they are read, not imported."""
    read_text = Path.read_text

    def reading(path: Path, *arguments: Any, **options: Any) -> str:
        return text if path.resolve() == file else read_text(path, *arguments, **options)

    Path.read_text = reading


def next_ended(trials: list[Trial]) -> tuple[int, str | None]:
    """Waits for a trial to end; its process, and the file of tests that failed. One that does not end has failed."""
    while True:
        remaining = max(0, min(one.until for one in trials) - time.monotonic())
        ready, _, _ = select.select([one.answer for one in trials], [], [], remaining)
        ended = next((one for one in trials if one.answer in ready or one.until < time.monotonic()), None)
        if ended is None:
            continue
        failed = os.read(ended.answer, 1000).decode() if ended.answer in ready else "no end"
        with contextlib.suppress(ProcessLookupError):
            os.killpg(ended.pid, signal.SIGKILL)  # with what the tests started and did not get to stop
        os.waitpid(ended.pid, 0)
        os.close(ended.answer)
        return ended.pid, failed or None


def _pytest(files: list[str], *plugins: object) -> int:
    """Runs without a word; hypothesis gives the same examples every time."""
    os.environ["CI"] = "1"
    os.chdir(ROOT)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", _SLOW, *files], plugins=[*plugins])


def traced(processes: int) -> tuple[dict[str, dict[str, frozenset[int]]], dict[str, float]]:
    """Of each file of tests, the functions of planning/ and components/ that it calls, by their first lines, and its seconds.

    Raises:
        SystemExit: a file of tests fails without any mistake.
    """
    functions: dict[str, dict[str, frozenset[int]]] = {}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        waiting, running = test_files()[::-1], dict[int, str]()
        while waiting or running:
            while waiting and len(running) < processes:
                test = waiting.pop()
                pid = os.fork()
                if pid == 0:
                    _trace(test, Path(folder) / f"{os.getpid()}.json")
                running[pid] = test
            pid, _ = os.wait()
            test = running.pop(pid)
            found = json.loads((Path(folder) / f"{pid}.json").read_text())
            if found["code"] not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                sys.exit(f"{test} fails without a mistake")
            functions[test] = {file: frozenset(numbers) for file, numbers in found["functions"].items()}
            seconds[test] = found["seconds"]
    return functions, seconds


def _trace(test: str, into: Path) -> None:
    """Runs a file of tests with functions that say when they are called, and ends the process."""
    called: defaultdict[str, set[int]] = defaultdict(set)
    sys.modules[_CALLS] = module = ModuleType(_CALLS)
    setattr(module, "say", lambda file, line: called[file].add(line))  # noqa: B010 - a module has no such attribute
    sys.meta_path.insert(0, _Importer(_saying_when_called))
    began = time.monotonic()
    code = _pytest([test])
    found = {file: sorted(lines) for file, lines in called.items()}
    into.write_text(json.dumps({"code": int(code), "functions": found, "seconds": time.monotonic() - began}))
    os._exit(0)


def _saying_when_called(file: str) -> ast.Module:
    tree = ast.parse((ROOT / file).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Module):
            line = getattr(node, "lineno", MODULE)
            first = next((index for index, one in enumerate(node.body) if not isinstance(one, ast.ImportFrom | ast.Expr)), len(node.body))
            node.body.insert(first, ast.parse(f"__import__('{_CALLS}').say({file!r}, {line})").body[0])
    return ast.fix_missing_locations(tree)
