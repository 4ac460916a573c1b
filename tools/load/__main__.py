"""`make load`: how fast a deployed model really is, step by step, beside what the plan says.

Runs `vllm bench serve` as a Job in the cluster, or on this machine against another address (`make demo`, say), whose key is then taken
from OPENAI_API_KEY.

Exit codes: 0 the plan's number was reached, 1 an objective was missed before, 2 no test could be made; why is printed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from config import catalog
from config.errors import Problem, StackError
from config.settings import Settings
from config.stack_config import load_stack_file
from planning.plan import Plan, make_plan, performance_of
from tools.doctor.reading import ClusterError, connect
from tools.load import cluster, report
from tools.load.job import as_yaml, job, network_policies
from tools.load.load_test import LoadTest, load_test
from tools.load.steps import MARK
from tools.stacks import print_problems, stack_file

NO_VLLM = "no `vllm` on PATH: against another address its `vllm bench serve` runs here, and its version should be the pinned one"


def main(arguments: list[str] | None = None) -> int:
    given = _arguments(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        settings = load_stack_file(stack_file(given.stack))
        plan = make_plan(settings)
        model = _model(settings, given.model)
        if given.dry_run:
            test = load_test(settings, plan, model, replicas=plan.models[model].floor, client=given.client)
            print(as_yaml([job(settings, test), *network_policies(test)]), end="")
            return 0
        if given.url:
            test = load_test(settings, plan, model, replicas=plan.models[model].floor, client=given.client, url=given.url)
            return _report(console, settings, plan, test, _here(test))
        api, context = connect(settings.cluster, given.context)
        test = load_test(settings, plan, model, replicas=cluster.ready_replicas(api, model), client=given.client)
        console.print(f"Load test of {model} in {context}: {', '.join(map(str, test.steps))} requests in flight", markup=False)
        with cluster.created(api, job(settings, test), network_policies(test)) as name:
            return _report(console, settings, plan, test, cluster.follow(api, name))
    except StackError as error:
        print_problems(console, f"Stack {given.stack} cannot be tested", error.problems, "red")
    except (ClusterError, cluster.Unfinished) as error:
        console.print(Text.assemble((f"Stack {given.stack}: ", "red"), str(error)), soft_wrap=True)
    except KeyboardInterrupt:
        console.print("Interrupted; nothing is left in the cluster.")
    return 2


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="load", description="Test a deployed model under load.")
    parser.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    parser.add_argument("--model", help="key under `models`; default: the only one")
    parser.add_argument("--client", help="whose key is sent; default: the first client that may use the model without limits")
    parser.add_argument("--context", help="context of the kubeconfig; default: the stack's, else the current one")
    parser.add_argument("--url", help="another address of the gateway, without a path: `vllm` on PATH runs here")
    parser.add_argument("--dry-run", action="store_true", help="print what would be created, and create nothing")
    return parser.parse_args(arguments)


def _model(settings: Settings, wanted: str | None) -> str:
    if wanted in settings.models:
        return wanted
    if wanted is None and len(settings.models) == 1:
        return next(iter(settings.models))
    message = f"there is no model '{wanted}'" if wanted else "there are several models, and one is tested at a time"
    raise StackError([Problem("models", message, "say which: MODEL=" + ", MODEL=".join(settings.models))])


def _here(test: LoadTest) -> Iterator[str]:
    """The lines of the steps, run on this machine."""
    if shutil.which("vllm") is None:
        raise cluster.Unfinished(NO_VLLM)
    script = Path(__file__).with_name("steps.py")
    command = [sys.executable, str(script), json.dumps(test.argument(None))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        yield from process.stdout or ()
    if process.returncode:
        raise cluster.Unfinished("`vllm bench serve` failed; what it said is above")


def _report(console: Console, settings: Settings, plan: Plan, test: LoadTest, lines: Iterable[str]) -> int:
    """Each step as it ends, then all of them beside the plan."""
    steps: list[report.Step] = []
    with closing(iter(lines)) as following:  # ty: ignore[invalid-argument-type]
        for line in following:
            if not report.is_step(line):
                continue
            step = report.read_step(json.loads(line.removeprefix(MARK)), test.slo)
            steps.append(step)
            console.print(f"{step.in_flight} in flight: {step.output_tokens_per_second:,.0f} tokens/s, {step.ttft:.2f} s to the first")
    if not steps:
        raise cluster.Unfinished("the test gave no result")
    planned, performance = plan.models[test.model], performance_of(settings, plan, test.model)
    console.print(report.table(test, steps, [report.planned(performance, planned, test, step) for step in steps]))
    console.print(report.verdict(test, steps), markup=False)
    version = catalog.image("vllm").tag.removeprefix("v")
    row = report.measured_speed(test, planned, settings.models[test.model].parallelism, version, steps)
    if row:
        print("# Under the model in the stack file, for the plan to use.")
        written = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        print(yaml.safe_dump({"measuredSpeed": [written]}, sort_keys=False, default_flow_style=False, width=120), end="")
    return 1 if steps[-1].ended else 0


if __name__ == "__main__":
    sys.exit(main())
