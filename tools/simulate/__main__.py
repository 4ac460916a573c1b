"""`make simulate`: what a trace would cost and how it would be served, policy by policy, on the planned stack.

Writes build/<stack>/simulate/: replicas.png and .svg, and with --pareto front.png and .svg.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from config.errors import Problem, StackError
from config.settings import Settings
from config.stack_config import load_stack_file
from planning.plan import Plan, make_plan
from tools.simulate import report, traces
from tools.simulate.planned import Changes, for_trace, objective_of, site_of
from tools.simulate.policies import POLICIES, Setting
from tools.simulate.runs import Run, run
from tools.simulate.traces import Trace
from tools.stacks import preview_folder, print_problems, stack_file

# The conversation hour where no trace is given: its head, which ships with the tool.
SHIPPED = Path(__file__).parent / "data" / "conversation-10min.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    console = Console(width=None if sys.stdout.isatty() else 190, highlight=False)
    try:
        settings = load_stack_file(stack_file(given.stack))
        plan = make_plan(settings)
        name = _model(settings, plan, given.model)
        trace = traces.multiplied(_trace(given.trace, given.seed), given.multiply, seed=given.seed)
        one = _run(settings, plan, name, trace, given)
    except StackError as error:
        print_problems(console, f"Stack {given.stack} cannot be simulated", error.problems, "red")
        return 2
    keys = list(POLICIES) if given.policy == "all" else given.policy.split(",")
    title = (
        f"{name}, {trace.name}: {len(trace.times):,} requests in {trace.seconds / 3600:.1f} h, from {one.site.floor} to {one.site.ceiling}"
    )
    within = f"within {one.objective.ttft:.2g} s and {one.objective.tpot * 1000:.0f} ms"
    with ProcessPoolExecutor() as pool:
        outcomes = dict(zip(keys, pool.map(partial(run, one), keys), strict=True))
    console.print(report.compared(f"{title}; {within}", outcomes, one.site.gpus))
    console.print(report.over_time(keys[0], outcomes[keys[0]]))
    folder = preview_folder(given.stack) / "simulate"
    if not given.no_pictures:
        from tools.simulate import pictures  # matplotlib takes half a second to import

        written = pictures.replicas(folder / "replicas", title, outcomes)
        console.print(Text(f"Pictures: {', '.join(str(path) for path in written)}"), soft_wrap=True)
    if given.pareto:
        _pareto(console, one, keys, title, None if given.no_pictures else folder)
    return 0


def _pareto(console: Console, one: Run, keys: Sequence[str], title: str, folder: Path | None) -> None:
    jobs = [(key, knob) for key in keys for knob in POLICIES[key].sweep]
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(partial(run, one), *zip(*jobs, strict=True)))
    points = {key: [(knob, outcome) for (other, knob), outcome in zip(jobs, found, strict=True) if other == key] for key in keys}
    console.print(report.front(title, points, {key: POLICIES[key].knob for key in keys}))
    if folder:
        from tools.simulate import pictures

        written = pictures.front(folder / "front", title, points)
        console.print(Text(f"Pictures: {', '.join(str(path) for path in written)}"), soft_wrap=True)


def _run(settings: Settings, plan: Plan, name: str, trace: Trace, given: argparse.Namespace) -> Run:
    changes = Changes(given.slower, given.node_seconds, given.reclaims, given.ceiling)
    site = site_of(settings, plan, name, changes)
    planned = plan.models[name]
    target = planned.scaling
    if target is None:
        raise StackError([Problem(f"models.{name}", "no scaling is planned for it", "choose another: MODEL=<key>")])
    objective = objective_of(settings, plan, name)
    if given.ttft or given.tpot:
        objective = replace(objective, ttft=given.ttft or objective.ttft, tpot=given.tpot or objective.tpot)
        target = replace(target, tpot_seconds=given.tpot or target.tpot_seconds)
    setting = Setting(site, target, trace, planned.capacity.target_in_flight)
    known = replace(setting, target=for_trace(target, trace))
    return Run(site, setting, known, objective, given.seed)


def _model(settings: Settings, plan: Plan, wanted: str | None) -> str:
    if wanted in settings.models:
        return wanted
    if wanted is None:
        return next(name for name, model in plan.models.items() if model.scaling or len(plan.models) == 1)
    raise StackError([Problem("models", f"there is no model '{wanted}'", "say which: MODEL=" + ", MODEL=".join(settings.models))])


def _trace(wanted: str | None, seed: int) -> Trace:
    """A file, or `day:<requests/s>`, `week:<requests/s>`, `bursts:<requests/s>`."""
    if wanted is None:
        return traces.read(SHIPPED)
    made = {"day": traces.day, "week": traces.week, "bursts": traces.bursts}
    kind, _, mean = wanted.partition(":")
    if kind in made:
        return made[kind](float(mean or 1), seed)
    try:
        return traces.read(Path(wanted))
    except (OSError, KeyError, ValueError) as error:
        message = f"'{wanted}' is no trace: {error!r}"
        fix = "give a CSV file with TIMESTAMP,ContextTokens,GeneratedTokens, or day:5, week:5 or bursts:5 (requests/s)"
        raise StackError([Problem("TRACE", message, fix)]) from None


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulate", description="Replay a trace against a planned model.")
    parser.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    parser.add_argument("--model", help="key under `models`; default: the first whose speed is planned")
    parser.add_argument("--trace", help="CSV file, or day:5, week:5, bursts:5 (requests/s); default: ten minutes of a real one")
    parser.add_argument("--policy", default="all", type=_policies, help=f"all, or some of {', '.join(POLICIES)}")
    parser.add_argument("--multiply", type=float, default=1.0, help="this many times the trace's requests")
    parser.add_argument("--ceiling", type=int, help="most replicas, instead of the plan's, the pool's and the budget's")
    parser.add_argument("--ttft", type=float, help="objective in seconds; default: the model's `slo`, else twice what is planned")
    parser.add_argument("--tpot", type=float, help="the same, per output token")
    parser.add_argument("--slower", type=float, default=1.0, help="replicas take this many times as long as planned")
    parser.add_argument("--node-seconds", type=float, default=0.0, help="nodes take this much longer than planned")
    parser.add_argument("--reclaims", type=float, default=0.0, help="how often an hour a spot node is taken away")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pareto", action="store_true", help="sweep the knob of every policy")
    parser.add_argument("--no-pictures", action="store_true")
    return parser.parse_args(arguments)


def _policies(wanted: str) -> str:
    unknown = [one for one in wanted.split(",") if one != "all" and one not in POLICIES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no policy '{unknown[0]}': all, or some of {', '.join(POLICIES)}")
    return wanted


if __name__ == "__main__":
    sys.exit(main())
