"""`make advise`: the floor and the ceiling that serve a trace within a model's objectives at the least cost, as an edit of the stack.

The target that replicas are scaled to follows from the objectives (planning/scaling.py): one that is asked for is part of the edit.
Exit codes: 0 the edit is written, 1 no floor and ceiling attains what is asked for, 2 the stack cannot be simulated.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.errors import StackError
from config.parsing import parse
from config.stack_config import PROJECT, read_stack_file, without_secret_values
from planning.plan import make_plan
from tools.simulate import arguments as command_line
from tools.simulate.runs import Run, run
from tools.simulate.simulation import Outcome
from tools.stacks import preview_folder, print_problems, stack_file

# A ceiling that no trace reaches by itself: what the scaler asks for at most is then the trace's word.
_BOUNDLESS = 500
_FLOORS = 6


@dataclass(frozen=True)
class Choice:
    floor: int
    ceiling: int
    attained: float
    usd: float
    replica_hours: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_line.parser("advise", "The floor and the ceiling that serve a trace at the least cost.")
    parser.add_argument("--attain", type=float, help="share of requests within the objectives; default: the model's slo.latencyShare")
    given = parser.parse_args(arguments)
    given.ceiling = given.ceiling or _BOUNDLESS
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    try:
        asked = command_line.read(given)
    except StackError as error:
        print_problems(console, f"Stack {given.stack} cannot be simulated", error.problems, "red")
        return 2
    wanted = given.attain or asked.settings.models[asked.model].slo.latency_share
    with ProcessPoolExecutor() as pool:
        choices = list(_choices(asked.run, wanted, pool.map))
    console.print(_table(asked.title, wanted, choices))
    good = [one for one in choices if one.attained >= wanted]
    if not good:
        console.print(f"Nothing attains {wanted:.1%}: the objectives ask for more than a replica can do, or starts take too long.")
        return 1
    best = min(good, key=lambda one: (one.usd, one.replica_hours))
    edit = _edit(asked.model, best, given.ttft, given.tpot)
    path = preview_folder(given.stack) / f"advise-{asked.model}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(edit, sort_keys=False))
    console.print(Text(f"{path} (for {stack_file(given.stack).name}):"), soft_wrap=True)
    print(yaml.safe_dump(edit, sort_keys=False), end="")
    for keys, value in _leaves(edit["config"][f"{PROJECT}:models"]):
        print(f"pulumi config set --path '{PROJECT}:models.{'.'.join(keys)}' {value}")
    _check(console, given.stack, edit)
    return 0


def _choices(one: Run, wanted: float, each: Callable[..., Iterator[Outcome]]) -> Iterator[Choice]:
    """Some floors up to the most that the scaler asks for, each with the lowest ceiling that attains what is wanted."""
    free = run(one, "ours")
    most = max((moment.active for moment in free.moments), default=1)
    floors = sorted({max(1, round(1 + (most - 1) * index / (_FLOORS - 1))) for index in range(_FLOORS)} | {1})
    runs = [replace(one, site=replace(one.site, floor=floor)) for floor in floors]
    for floor, outcome in zip(floors, each(partial(_ours), runs), strict=True):
        reached = max((moment.active for moment in outcome.moments), default=floor)
        yield Choice(floor, max(floor, reached), outcome.attained(), sum(outcome.usd.values()), outcome.total_replica_hours)
        lower = [ceiling for ceiling in (round(reached * 0.85), round(reached * 0.7)) if max(1, floor) <= ceiling < reached]
        if outcome.attained() >= wanted and lower:
            cut = [replace(one, site=replace(one.site, floor=floor, ceiling=ceiling)) for ceiling in lower]
            for ceiling, other in zip(lower, each(partial(_ours), cut), strict=True):
                yield Choice(floor, ceiling, other.attained(), sum(other.usd.values()), other.total_replica_hours)


def _ours(one: Run) -> Outcome:
    return run(one, "ours")


def _table(title: str, wanted: float, choices: Sequence[Choice]) -> Table:
    table = Table(title=f"{title}; wanted {wanted:.1%}", title_justify="left")
    for heading in ("floor", "ceiling", "attained", "replica-hours", "$ of the trace"):
        table.add_column(heading, justify="right")
    for one in choices:
        table.add_row(str(one.floor), str(one.ceiling), f"{one.attained:.2%}", f"{one.replica_hours:.2f}", f"{one.usd:,.2f}")
    return table


def _edit(model: str, best: Choice, ttft: float | None, tpot: float | None) -> dict[str, Any]:
    slo = {key: value for key, value in (("ttftSeconds", ttft), ("tpotSeconds", tpot)) if value is not None}
    entry = {"scaling": {"floor": best.floor, "ceiling": best.ceiling}, **({"slo": slo} if slo else {})}
    return {"config": {f"{PROJECT}:models": {model: entry}}}


def _leaves(node: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(node, dict):
        yield keys, node
        return
    for key, value in node.items():
        yield from _leaves(value, (*keys, key))


def _check(console: Console, stack: str, edit: dict[str, Any]) -> None:
    """What the preview would say to the edit: pools that are too small, the budget."""
    config = copy.deepcopy(read_stack_file(stack_file(stack)))
    for keys, value in _leaves(edit["config"]):
        target = config
        for key in keys[:-1]:
            target = target.setdefault(key, {})
        target[keys[-1]] = value
    try:
        make_plan(parse(without_secret_values(config)))
        console.print("With it the stack's preview has no problem.")
    except StackError as error:
        print_problems(console, "With it the preview asks for more", error.problems, "yellow")


if __name__ == "__main__":
    sys.exit(main())
