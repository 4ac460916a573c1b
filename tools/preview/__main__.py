"""`make preview` and `make check`: what a stack would become, without an account, a cluster or the Pulumi CLI.

Exit codes: 0 the stack can work, 2 it cannot, or the preview cannot be written (each problem is printed with its fix).
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from config.errors import Problem, StackError
from config.stack_config import load_stack_file, read_stack_file
from planning.plan import Plan, make_plan
from tools.preview import tables
from tools.stacks import preview_folder, print_problems, stack_file

_MOST_IN_TREE = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="preview", description="Plan a stack and, unless --plan-only, run the program offline.")
    parser.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    parser.add_argument("--plan-only", action="store_true", help="check and plan, but do not run the program")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, record=not arguments.plan_only, highlight=False)
    try:
        settings = load_stack_file(stack_file(arguments.stack))
        plan = make_plan(settings)
    except StackError as error:
        print_problems(console, f"Stack {arguments.stack} cannot work; nothing would be created", error.problems, "red")
        return 2
    tables.print_plan(console, settings, plan)
    if arguments.plan_only:
        return 0
    try:
        run_program(console, arguments.stack, plan)
    except OSError as error:
        message, fix = f"cannot be written: {error.strerror}", "what was there is still there; mend it and try again"
        problem = Problem(f"build/{arguments.stack}", message, fix)
        print_problems(console, "The preview was not written", [problem], "red")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def run_program(console: Console, stack: str, plan: Plan) -> None:
    with console.status("Running the program..."):
        from tools.preview import manifests, offline

        recording = offline.run(read_stack_file(stack_file(stack)), stack)
    console.print(tables.resource_tree(recording, _MOST_IN_TREE))
    report = console.export_html(clear=False)
    count = manifests.write(preview_folder(stack), plan, recording, report)
    console.print(f"build/{stack}/: {count} manifests, plan.json, resources.json, report.html")
    console.print("This preview knows no state: everything shows as a create. `pulumi preview` compares with what exists.")


if __name__ == "__main__":
    sys.exit(main())
