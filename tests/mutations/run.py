"""`make mutants`: how many mistakes in planning/ and components/ the tests in process do not notice.

First the named ones (`named.py`), each of which must be noticed; then a random sample, the same for the same seed. Nothing is written to
the files: a process of its own imports the mutated module in place of the file, and runs the tests that reach it, until one fails.

Which those are is traced once: the functions that each file of tests calls. A mistake in a function that none calls survives at once; one
outside of functions is tried on every file of tests that imports the module. Slow tests that look at what others look at are left out
(`trial.py`), so that the share is rather too high than too low.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutations import trial
from tests.mutations.mutants import mistakes, mutated
from tests.mutations.named import NAMED
from tests.mutations.trial import ROOT, Trial

LIKELY = {"tests/program/test_rendered.py": 20, "tests/program/test_settings.py": 4, "tests/program/test_hardening.py": 2}
NOTICED, SURVIVED = "noticed", "survived"


@dataclass(frozen=True)
class Mutant:
    """A file, with a mistake in it at these lines."""

    file: str
    line: int
    what: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@dataclass
class Tests:
    """What each file of tests executes, how long it takes, and how often it was the one that noticed."""

    functions: dict[str, dict[str, frozenset[int]]]
    seconds: dict[str, float]
    kills: Counter[str] = field(default_factory=lambda: Counter(LIKELY))

    def reaching(self, mutant: Mutant) -> list[str]:
        """The likely ones and the quick ones first."""
        function = first_line(mutant)
        found = [test for test, files in self.functions.items() if not files or function in files.get(mutant.file, ())]
        return sorted(found, key=lambda test: -(self.kills[test] + 1) / (self.seconds[test] + 1))

    @classmethod
    def untraced(cls) -> Tests:
        """Every file of tests reaches everything: enough for mistakes that the first ones notice."""
        return cls({test: {} for test in trial.test_files()}, defaultdict(lambda: 10.0))


def first_line(mutant: Mutant) -> int:
    """Of the innermost function that the mistake is in; 0 where it is in none, and runs at import."""
    tree = ast.parse((ROOT / mutant.file).read_text())
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno <= mutant.line <= (node.end_lineno or 0)
    ]
    innermost = max(functions, key=lambda node: node.lineno, default=None)
    return innermost.lineno if innermost else trial.MODULE


def sample(package: str, count: int, seed: int) -> list[Mutant]:
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py"))
    texts = {file: (ROOT / file).read_text() for file in files}
    all_of_them = [(file, number) for file in files for number in range(sum(1 for _ in mistakes(ast.parse(texts[file]))))]
    chosen = random.Random(seed).sample(all_of_them, min(count, len(all_of_them)))  # noqa: S311 - a sample, no secret
    return [_mutant(file, texts[file], number) for file, number in chosen]


def _mutant(file: str, text: str, number: int) -> Mutant:
    mistake = list(mistakes(ast.parse(text)))[number]
    return Mutant(file, mistake.line, mistake.what, mutated(text, number))


def named() -> list[Mutant]:
    found = []
    for name, (file, before, after) in NAMED.items():
        text = (ROOT / file).read_text()
        if text.count(before) != 1:
            sys.exit(f"named.py: {name}: {text.count(before)} times in {file}: {before!r}")
        found.append(Mutant(file, text[: text.index(before)].count("\n") + 1, name, ast.parse(text.replace(before, after))))
    return found


def judged(mutants: Iterable[Mutant], tests: Tests, processes: int) -> dict[str, list[Mutant]]:
    """Every mutant, noticed or not."""
    found: defaultdict[str, list[Mutant]] = defaultdict(list)
    waiting, running = list(mutants)[::-1], dict[int, tuple[Mutant, Trial]]()
    while waiting or running:
        while waiting and len(running) < processes:
            mutant = waiting.pop()
            if files := tests.reaching(mutant):
                started = trial.start(mutant.file, mutant.tree, files)
                running[started.pid] = mutant, started
            else:
                found[SURVIVED].append(mutant)
        if not running:
            continue
        pid, failed = trial.next_ended([one for _, one in running.values()])
        mutant, _ = running.pop(pid)
        found[NOTICED if failed is not None else SURVIVED].append(mutant)
        tests.kills[failed or ""] += 1
        print("." if failed is not None else f"\nsurvived: {mutant}\n", end="", flush=True)
    print()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description="Share of mistakes that the tests in process do not notice.")
    parser.add_argument("--count", type=int, default=150, help="mutants of each package")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--named", action="store_true", help="the named mistakes alone")
    parser.add_argument("--survivors", type=Path, help="where to write the survivors, as JSON")
    arguments = parser.parse_args()
    began = time.monotonic()
    trial.warm_up()
    tests = Tests.untraced() if arguments.named else Tests(*trial.traced(arguments.processes))
    print(f"ready in {time.monotonic() - began:.0f} s: {len(tests.functions)} files")
    missed = judged(named(), tests, arguments.processes)[SURVIVED]
    print(f"named: {len(NAMED) - len(missed)} of {len(NAMED)} noticed")
    survivors = [str(one) for one in missed]
    for package in trial.PACKAGES if not arguments.named else ():
        found = judged(sample(package, arguments.count, arguments.seed), tests, arguments.processes)
        survived, total = len(found[SURVIVED]), sum(len(one) for one in found.values())
        survivors += sorted(str(one) for one in found[SURVIVED])
        print(f"{package} {survived} of {total} survived, {survived / total:.1%} (seed {arguments.seed})")
    if arguments.survivors:
        arguments.survivors.write_text(json.dumps(survivors, indent=1) + "\n")
    print("\n".join(survivors), f"\n{time.monotonic() - began:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
