"""`make bench-simulate`: how long the simulation of an hour, a day and a week takes, as a table.

The replicas are those of llm-d's benchmark (episode.py), lengths like those of Azure's conversation trace. One process on one core.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from tools.simulate import episode, traces
from tools.simulate.laws import Ours
from tools.simulate.simulation import Simulation
from tools.simulate.traces import Trace

_LOADS: dict[str, Callable[[], Trace]] = {
    "an hour of 5.4 requests/s": lambda: traces.day(5.4, hours=1),
    "a day of 2 requests/s": lambda: traces.day(2),
    "a week of 2 requests/s": lambda: traces.week(2),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-simulate")
    parser.add_argument("--quick", action="store_true", help="the hour alone")
    loads = list(_LOADS.items())[: 1 if parser.parse_args().quick else None]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    table = Table(title=f"simulate, policy ours: {machine}", title_justify="left")
    for heading in ("load", "requests", "most replicas", "seconds", "µs per request"):
        table.add_column(heading, justify="left" if heading == "load" else "right")
    site = replace(episode.site(episode.CENTRE), ceiling=60)
    for name, make in loads:
        trace = make()
        began = time.process_time()
        outcome = Simulation(site, Ours(episode.CENTRE), trace, episode.OBJECTIVE).run()
        seconds, number = time.process_time() - began, len(trace.times)
        table.add_row(name, f"{number:,}", f"{max(one.held for one in outcome.moments)}", f"{seconds:.1f}", f"{seconds / number * 1e6:.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
