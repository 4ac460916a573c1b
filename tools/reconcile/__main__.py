"""`make reconcile`: the plan's estimates beside what runs, from a Prometheus, and the rows that the plan then prefers.

Exit codes: 0 every estimate is as near as it claims, 1 one is off by more, 2 the stack is wrong or Prometheus cannot be asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config import catalog
from config.errors import StackError
from config.measured import MeasuredSpeed
from config.stack_config import load_stack_file
from planning.plan import make_plan, performance_of
from tools.reconcile.figures import Figure, figures, measured_speed
from tools.reconcile.prometheus import Prometheus, Unanswered
from tools.reconcile.running import read_running
from tools.stacks import preview_folder, print_problems, stack_file

FILE = "measured.yaml"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="reconcile", description="Hold the plan against what runs.")
    parser.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    parser.add_argument("--prometheus", required=True, help="address of Prometheus, such as http://127.0.0.1:9090")
    parser.add_argument("--hours", type=float, default=24, help="how far back the busiest five minutes are looked for; default: 24")
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    try:
        settings = load_stack_file(stack_file(given.stack))
        plan = make_plan(settings)
        running = read_running(Prometheus(given.prometheus), plan.models, given.hours)
    except StackError as error:
        print_problems(console, f"Stack {given.stack} cannot work", error.problems, "red")
        return 2
    except Unanswered as error:
        console.print(Text(str(error), style="red"), soft_wrap=True)
        return 2
    found = [one for name, model in plan.models.items() for one in figures(model, performance_of(settings, plan, name), running[name])]
    console.print(_table(found))
    version = catalog.image("vllm").tag.removeprefix("v")
    rows = {
        name: row
        for name, model in plan.models.items()
        if (row := measured_speed(model, settings.models[name].parallelism, version, running[name].busiest))
    }
    if rows:
        path = preview_folder(given.stack) / FILE
        _write(path, rows)
        console.print(f"{path}: rows of measuredSpeed, for the models of the stack file.", markup=False, soft_wrap=True)
    off = [one for one in found if one.is_off]
    for one in off:
        console.print(Text(_advice(one), style="yellow"), soft_wrap=True)
    return 1 if off else 0


def _table(found: Iterable[Figure]) -> Table:
    table = Table(title="The plan and what runs, of one replica", title_justify="left")
    for heading in ("model", "figure", "plan", "measured", "ratio", "claimed", ""):
        table.add_column(heading, justify="left" if heading in ("model", "figure", "") else "right")
    for one in found:
        table.add_row(
            one.model,
            one.name,
            _text(one.planned, one.unit),
            _text(one.measured, one.unit) if one.measured is not None else "-",
            f"{one.ratio:.2f}" if one.ratio is not None else "-",
            f"{_text(one.least)} to {_text(one.most)}",
            Text("off", style="bold yellow") if one.is_off else "" if one.measured is not None else "not seen",
        )
    return table


def _text(value: float, unit: str = "") -> str:
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


def _advice(figure: Figure) -> str:
    """What to do where the plan is off."""
    said = f"{figure.model}: {figure.name} is {_text(figure.measured or 0, figure.unit)}, planned {_text(figure.planned)}"
    if figure.name == "KV cache":
        return f"{said}; give the plan a start-up log: make calibrate LOG=<log of a replica>"
    if figure.name == "start-up":
        return f"{said}; see docs/runbooks/StartupOverBudget.md, or set weights.mibPerSecond to what the download or disk reads"
    if figure.name == "cost":
        return f"{said}; see which nodes run: kubectl get nodes -L vllm-platform/node-pool"
    return f"{said}; put the model's row of {FILE} into the stack file, and the plan uses it"


def _write(path: Path, rows: dict[str, MeasuredSpeed]) -> None:
    written = {name: {"measuredSpeed": [row.model_dump(mode="json", by_alias=True, exclude_defaults=True)]} for name, row in rows.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(written, sort_keys=False, default_flow_style=False, width=120))


if __name__ == "__main__":
    sys.exit(main())
