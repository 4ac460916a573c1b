"""`make truth`: compares the plan with measured points.

Exit codes: 0, 1 where an aim is missed, 2 with one line where a file cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.truth import memory, report, throughput
from tools.truth.models import Models
from tools.truth.points import CannotRead

DATA = Path(__file__).parent / "data"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="truth", description="Hold the plan against measured points.")
    parser.add_argument("--memory", type=Path, default=DATA / "memory.csv", help="start-up logs of vLLM, as a table")
    parser.add_argument("--throughput", type=Path, default=DATA / "throughput.csv", help="measured throughput of vLLM, as a table")
    parser.add_argument("--configs", type=Path, help="folder of config.json files, named by the model")
    given = parser.parse_args(arguments)
    try:
        models = Models(given.configs)
        tables = [memory.compare(given.memory, models), throughput.compare(given.throughput, models)]
    except CannotRead as error:
        print(error, file=sys.stderr)
        return 2
    for table in tables:
        print("\n".join(report.lines(table)))
    for table in tables:
        for aim in table.missed:
            print(f"missed: {aim}")
    for table in tables:
        print(table.summary)
    return 1 if any(table.missed for table in tables) else 0


if __name__ == "__main__":
    sys.exit(main())
