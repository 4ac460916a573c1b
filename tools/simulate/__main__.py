"""`make simulate`: what a trace would cost and how it would be served, policy by policy, on the planned stack.

Writes build/<stack>/simulate/: replicas.png and .svg, and with --pareto front.png and .svg.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from config.errors import StackError
from tools.simulate import arguments as command_line
from tools.simulate import report
from tools.simulate.policies import POLICIES, schedule
from tools.simulate.runs import Run, run
from tools.simulate.simulation import Outcome
from tools.stacks import preview_folder, print_problems


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_line.parser("simulate", "Replay a trace against a planned model.")
    parser.add_argument(
        "--policy", default="all", type=partial(command_line.policies, list(POLICIES)), help=f"all, or some of {', '.join(POLICIES)}"
    )
    parser.add_argument("--pareto", action="store_true", help="sweep the knob of every policy")
    parser.add_argument("--no-pictures", action="store_true")
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 190, highlight=False)
    try:
        asked = command_line.read(given)
    except StackError as error:
        print_problems(console, f"Stack {given.stack} cannot be simulated", error.problems, "red")
        return 2
    folder = None if given.no_pictures else preview_folder(given.stack) / "simulate"
    with ProcessPoolExecutor() as pool:
        outcomes = _compared(console, pool, asked.run, given.policy, asked.title)
        first = outcomes[given.policy[0]]
        console.print(report.over_time(given.policy[0], first))
        if first.starved(asked.run.site.ceiling) and not given.ceiling:
            most = 2 * max(schedule(asked.run.known, POLICIES["known"].usual), default=1)
            console.print(f"The trace needs more than {asked.run.site.ceiling} replicas (`make advise` says how many). Were there {most}:")
            site = replace(asked.run.site, ceiling=most, most_burst_nodes=math.inf)
            free = replace(asked.run, site=site, setting=replace(asked.run.setting, site=site), known=replace(asked.run.known, site=site))
            outcomes = _compared(console, pool, free, given.policy, asked.title)
        if folder:
            from tools.simulate import pictures  # matplotlib takes half a second to import

            _say(console, pictures.replicas(folder / "replicas", asked.title, outcomes))
        if given.pareto:
            _pareto(console, pool, asked.run, given.policy, asked.title, folder)
    return 0


def _compared(console: Console, pool: ProcessPoolExecutor, one: Run, keys: Sequence[str], title: str) -> dict[str, Outcome]:
    outcomes = dict(zip(keys, pool.map(partial(run, one), keys), strict=True))
    console.print(report.compared(f"{title}, from {one.site.floor} to {one.site.ceiling} replicas", outcomes, one.site.gpus))
    return outcomes


def _pareto(console: Console, pool: ProcessPoolExecutor, one: Run, keys: Sequence[str], title: str, folder: Path | None) -> None:
    jobs = [(key, knob) for key in keys for knob in POLICIES[key].sweep]
    found = list(pool.map(partial(run, one), *zip(*jobs, strict=True)))
    points = {key: [(knob, outcome) for (other, knob), outcome in zip(jobs, found, strict=True) if other == key] for key in keys}
    console.print(report.front(title, points, {key: POLICIES[key].knob for key in keys}))
    if folder:
        from tools.simulate import pictures

        _say(console, pictures.front(folder / "front", title, points))


def _say(console: Console, written: Sequence[Path]) -> None:
    console.print(Text(f"Pictures: {', '.join(str(path) for path in written)}"), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
