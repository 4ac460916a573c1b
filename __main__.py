"""The Pulumi program: reads the stack's settings, plans them, and creates the resources."""

import gc

gc.set_threshold(1_000_000)  # the SDKs define so many classes that garbage collection takes most of their import time

# ruff: noqa: E402
import pulumi

from components.outputs import export_outputs
from components.stack import create_stack
from config.errors import StackError
from config.stack_config import load_settings
from planning.plan import make_plan


def main() -> None:
    settings = load_settings()
    export_outputs(create_stack(settings, make_plan(settings)))


try:
    main()
except StackError as error:
    raise pulumi.RunError(str(error)) from None
