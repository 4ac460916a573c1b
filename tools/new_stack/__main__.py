"""Writes `Pulumi.<name>.yaml`, which passes `make check`, and says what comes next. Exit codes: 0 written, 2 not, with every reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import yaml
from rich.console import Console

from config.stack_config import load_stack_file
from planning.plan import make_plan
from tools.new_stack.answers import Answers, completed, parser, read
from tools.new_stack.choice import choose, unpinned
from tools.stacks import print_problems, stack_file


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    try:
        given = completed(parser().parse_args(), input if sys.stdin.isatty() else None)
    except (EOFError, KeyboardInterrupt):
        return 130
    answers, problems = read(given)
    config = None
    if answers:
        with console.status("Planning it on every machine type..."):
            config, problems = choose(answers)
    if answers is None or config is None:
        print_problems(console, "Nothing was written", problems, "red")
        return 2
    stack_file(answers.name).write_text(text(answers, config))
    _say_what_comes_next(console, answers, config)
    return 0


def text(answers: Answers, config: dict[str, Any]) -> str:
    """A stack file in the style of the shipped ones: a section a block, an entry a line."""
    lines = ["# yaml-language-server: $schema=./schema/stack.schema.json"]
    lines += [f"# {answers.name}: {', '.join(answers.models)}. All settings: docs/reference.md", "config:"]
    for section, value in config.items():
        lines += [f"  {section}: {value}"] if isinstance(value, str) else [f"  {section}:", *_entries(value)]
    return "\n".join(lines) + "\n"


def _entries(section: dict[str, Any]) -> Iterator[str]:
    for key, value in section.items():
        if isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()):
            yield f"    {key}:"
            yield from (f"      {inner}: {_flow(entry)}" for inner, entry in value.items())
        else:
            yield f"    {key}: {_flow(value)}"


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).removesuffix("\n").removesuffix("\n...")


def _say_what_comes_next(console: Console, answers: Answers, config: dict[str, Any]) -> None:
    plan = make_plan(load_stack_file(stack_file(answers.name)))
    for name, model in plan.models.items():
        console.print(f"{name}: {model.pool.machine.name}, {model.floor} to {model.floor + model.burst} replicas")
    console.print(
        f"A month is expected to cost ${plan.cost.total.expected:,.0f}; the budget is ${config['vllm-platform:budget']['monthlyUsd']:,}."
    )
    secrets = config.get("vllm-platform:secrets", {})
    ids = [secrets["huggingFaceToken"]] if "huggingFaceToken" in secrets else []
    console.print(f"\nPulumi.{answers.name}.yaml is written. Next:", style="bold")
    steps = [f"make preview STACK={answers.name}"]
    steps += [
        f"gcloud secrets create {one} --project {answers.project} --data-file=-" for one in [*ids, *secrets.get("clientKeys", {}).values()]
    ]
    steps += [f"pulumi stack init {answers.name}", "pulumi up"]
    steps += [f"pin the revision of {source}: huggingface.co/{source}/commits/main" for source in unpinned(answers.models)]
    for step in steps:
        console.print(f"  {step}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
