"""`make preview` and `make check`: the plan and resources of a stack, without account, cluster or Pulumi CLI.

Exit codes: 0 the stack can work, 2 it cannot, or the preview cannot be written, 3 a mandatory policy forbids it (each problem is printed
with its fix).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from config.errors import Problem, StackError
from config.local_files import local_file_problems
from config.settings import Settings
from config.stack_config import load_stack_file, read_stack_file
from planning.plan import Plan, make_plan
from policy.rules import LevelsError, Violation
from tools.policies import as_problem, levels, violated
from tools.preview import tables
from tools.stacks import preview_folder, print_problems, stack_file

if TYPE_CHECKING:  # `make check` needs no page
    from tools.preview.report.changes import Changes

_MOST_IN_TREE = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="preview", description="Plan a stack and, unless --plan-only, run the program offline.")
    parser.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    parser.add_argument("--plan-only", action="store_true", help="check and plan, but do not run the program")
    arguments = parser.parse_args()
    return preview(arguments.stack, plan_only=arguments.plan_only)


def preview(stack: str, *, plan_only: bool = False, changes: Changes | None = None) -> int:
    """`changes`: what tools/review found against a base, for the report."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    try:
        settings = load_stack_file(stack_file(stack))
        plan = make_plan(settings)
    except StackError as error:
        print_problems(console, f"Stack {stack} cannot work; nothing would be changed", error.problems, "red")
        return 2
    tables.print_plan(console, settings, plan)
    local = local_file_problems(settings)
    print_problems(console, "From this machine `pulumi up` would be refused", local, "yellow")
    if plan_only:
        return 0
    try:
        return run_program(console, stack, settings, plan, local, changes)
    except LevelsError as error:
        console.print(str(error), style="red", markup=False)
        return 2
    except OSError as error:
        message, fix = f"cannot be written: {error.strerror}", "the previous preview is kept; correct the cause and try again"
        problem = Problem(f"build/{stack}", message, fix)
        print_problems(console, "The preview was not written", [problem], "red")
        return 2
    except KeyboardInterrupt:
        return 130


def run_program(console: Console, stack: str, settings: Settings, plan: Plan, local: Sequence[Problem], changes: Changes | None) -> int:
    with console.status("Running the program..."):
        from tools.preview import manifests, offline
        from tools.preview.report.page import Previewed, render

        recording = offline.run(read_stack_file(stack_file(stack)), stack)
    console.print(tables.resource_tree(recording, _MOST_IN_TREE))
    found = violated(recording.resources, stack)
    report = render(Previewed(stack, settings, plan, recording, levels(stack), found, local, changes))
    count = manifests.write(preview_folder(stack), plan, recording, report)
    console.print(f"build/{stack}/: {count} manifests, plan.json, resources.json, report.html")
    console.print("This preview has no state: every resource shows as a create. `pulumi preview` compares with what exists.")
    return print_policies(console, found)


def print_policies(console: Console, found: Sequence[Violation]) -> int:
    """What the rules of policy/ say; 3 if a mandatory one is violated."""
    for level, heading, style in (("mandatory", "Forbidden by policies", "red"), ("advisory", "Policies advise against it", "yellow")):
        print_problems(console, heading, (as_problem(one) for one in found if one.level == level), style)
    return 3 if any(one.level == "mandatory" for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
