"""`make doctor`: why a stack does not serve, in a sentence each, with what to do. Reads the cluster and changes nothing.

Exit codes: 0 healthy, 1 faults found, 2 the stack is wrong or the cluster cannot be read.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.text import Text

from config.errors import StackError
from config.stack_config import load_stack_file
from planning.plan import make_plan
from tools.doctor.reading import ClusterError, connect, read_snapshot
from tools.doctor.report import report
from tools.doctor.snapshot import Case
from tools.stacks import print_problems, stack_file


def main() -> int:
    parser = argparse.ArgumentParser(prog="doctor", description="Explain what keeps a stack from serving.")
    parser.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    parser.add_argument("--context", help="context of the kubeconfig; default: the stack's, else the current one")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    try:
        settings = load_stack_file(stack_file(arguments.stack))
        plan = make_plan(settings)
        api, context = connect(settings.cluster, arguments.context)
        case = Case(settings, plan, read_snapshot(api))
    except StackError as error:
        print_problems(console, f"Stack {arguments.stack} cannot work", error.problems, "red")
        return 2
    except ClusterError as error:
        console.print(Text.assemble((f"Stack {arguments.stack}: ", "red"), str(error)), soft_wrap=True)
        return 2
    return report(console, arguments.stack, context, case)


if __name__ == "__main__":
    sys.exit(main())
