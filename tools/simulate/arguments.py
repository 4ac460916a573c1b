"""What both commands of this verb take, and the run that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config.errors import Problem, StackError
from config.settings import Settings
from config.stack_config import load_stack_file
from planning.plan import Plan, make_plan
from tools.simulate import traces
from tools.simulate.planned import Changes, for_trace, objective_of, site_of
from tools.simulate.policies import Setting
from tools.simulate.runs import Run
from tools.simulate.traces import Trace
from tools.stacks import stack_file

# Ten minutes of a real service, where no trace is given.
SHIPPED = Path(__file__).parent / "data" / "conversation-10min.csv"


@dataclass(frozen=True)
class Asked:
    settings: Settings
    model: str
    run: Run
    title: str


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=prog, description=description)
    made.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    made.add_argument("--model", help="key under `models`; default: the first whose speed is planned")
    made.add_argument("--trace", help="CSV file, or day:5, week:5, bursts:5 (requests/s); default: ten minutes of a real one")
    made.add_argument("--multiply", type=float, default=1.0, help="this many times the trace's requests")
    made.add_argument("--ceiling", type=int, help="most replicas, instead of the plan's and the pool's")
    made.add_argument("--ttft", type=float, help="objective in seconds; default: the model's `slo`, else twice what is planned")
    made.add_argument("--tpot", type=float, help="the same, per output token")
    made.add_argument("--slower", type=float, default=1.0, help="replicas take this many times as long as planned")
    made.add_argument("--node-seconds", type=float, default=0.0, help="nodes take this much longer than planned")
    made.add_argument("--reclaims", type=float, default=0.0, help="how often an hour a spot node is taken away")
    made.add_argument("--seed", type=int, default=0)
    return made


def read(given: argparse.Namespace) -> Asked:
    """Raises StackError where the stack, the model or the trace will not do."""
    settings = load_stack_file(stack_file(given.stack))
    plan = make_plan(settings)
    trace = traces.multiplied(_trace(given.trace, given.seed), given.multiply, seed=given.seed)
    name = _model(settings, plan, given.model)
    one = _run(settings, plan, name, trace, given)
    load = f"{name}, {trace.name}: {len(trace.times):,} requests in {trace.seconds / 3600:.1f} h"
    within = f"within {one.objective.ttft:.2g} s and {one.objective.tpot * 1000:.0f} ms"
    return Asked(settings, name, one, f"{load}; {within}")


def _run(settings: Settings, plan: Plan, name: str, trace: Trace, given: argparse.Namespace) -> Run:
    site = site_of(settings, plan, name, Changes(given.slower, given.node_seconds, given.reclaims, given.ceiling))
    planned = plan.models[name]
    target = planned.scaling
    if target is None:
        raise StackError([Problem(f"models.{name}", "no scaling is planned for it", "choose another: MODEL=<key>")])
    objective = objective_of(settings, plan, name)
    if given.ttft or given.tpot:
        objective = replace(objective, ttft=given.ttft or objective.ttft, tpot=given.tpot or objective.tpot)
        target = replace(target, tpot_seconds=given.tpot or target.tpot_seconds)
    setting = Setting(site, target, trace, planned.capacity.target_in_flight)
    return Run(site, setting, replace(setting, target=for_trace(target, trace)), objective, given.seed)


def _model(settings: Settings, plan: Plan, wanted: str | None) -> str:
    if wanted in settings.models:
        return wanted
    if wanted is not None:
        raise StackError([Problem("models", f"there is no model '{wanted}'", "say which: MODEL=" + ", MODEL=".join(settings.models))])
    return next((name for name, planned in plan.models.items() if planned.scaling), next(iter(plan.models)))


def _trace(wanted: str | None, seed: int) -> Trace:
    """A file, or `day:<requests/s>`, `week:<requests/s>`, `bursts:<requests/s>`."""
    if wanted is None:
        return traces.read(SHIPPED)
    made = {"day": traces.day, "week": traces.week, "bursts": traces.bursts}
    kind, _, mean = wanted.partition(":")
    try:
        return made[kind](float(mean or 1), seed) if kind in made else traces.read(Path(wanted))
    except (OSError, KeyError, ValueError) as error:
        message = f"'{wanted}' is no trace: {error!r}"
        fix = "give a CSV file with TIMESTAMP,ContextTokens,GeneratedTokens, or day:5, week:5 or bursts:5 (requests/s)"
        raise StackError([Problem("TRACE", message, fix)]) from None


def policies(known: Sequence[str], wanted: str) -> list[str]:
    if wanted == "all":
        return list(known)
    keys = wanted.split(",")
    unknown = [one for one in keys if one not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no policy '{unknown[0]}': all, or some of {', '.join(known)}")
    return keys
