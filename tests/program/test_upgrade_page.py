"""docs/upgrade-a-model.md shows what each of its steps does: made again here from the page's own YAML, and compared."""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Any

import yaml
from rich.console import Console

from components.serving.checks import jobs
from components.serving.in_place import changed_pods
from config.parsing import parse
from config.stack_config import without_secret_values
from planning.plan import make_plan
from tests.program.conftest import ROOT, configuration
from tests.unit.checks import run, serving
from tests.unit.test_gate import GOOD, judged
from tests.unit.test_smoke import replica
from tools.preview import offline
from tools.preview.tables import fit_table

PAGE = ROOT / "docs" / "upgrade-a-model.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODEL = "qwen3-8b"


def blocks(kind: str) -> list[str]:
    return [text for name, text in BLOCK.findall(PAGE.read_text()) if name == kind]


@cache
def steps() -> list[dict[str, Any]]:
    """The stack before the first step, and after each."""
    stack = configuration("dev")
    models = stack["vllm-platform:models"]
    return [stack, *({**stack, "vllm-platform:models": models | yaml.safe_load(text)} for text in blocks("yaml"))]


@cache
def resources(step: int) -> dict[str, tuple[offline.Resource, Any]]:
    recording = offline.run(steps()[step], "dev", known=True)
    return {f"{one.type.rpartition(':')[2]} {one.name}": (one, one.inputs) for one in recording.resources if one.custom}


def changes(step: int) -> str:
    """What an update from the step before makes of each resource."""
    before, after = resources(step - 1), resources(step)
    updated = [name for name in sorted(after) if name in before and before[name][1] != after[name][1]]
    lines = [
        *(f"+  {name}" for name in sorted(after) if name not in before),
        *(f"{'+-' if name.startswith('Job') else '~ '} {name}" for name in updated),
        *(f"-  {name}" for name in sorted(before) if name not in after),
    ]
    return "".join(f"{line}\n" for line in lines)


def test_each_step_changes_what_the_page_lists():
    assert blocks("changes") == [changes(step) for step in range(1, len(steps()))]


def test_no_pod_that_answers_clients_is_in_any_list():
    assert not [line for text in blocks("changes")[1:-1] for line in text.splitlines() if line.endswith(f"Deployment {MODEL}-floor")]
    assert not [line for line in blocks("changes")[-1].splitlines() if f"Deployment {MODEL}-green" in line]


def test_a_change_in_place_is_refused_in_these_words():
    changed = {**steps()[1]["vllm-platform:models"]}
    changed[MODEL] = changed[MODEL] | {"engine": {"maxModelLen": 16384}}
    stack = steps()[1] | {"vllm-platform:models": changed}
    after = next(one for one in offline.run(stack, "dev", known=True).resources if one.name == f"{MODEL}-floor" and "apps/v1" in one.type)
    plan = make_plan(parse(without_secret_values(stack))).models[MODEL]
    refusal = changed_pods(plan, f"{MODEL}-floor", resources(1)[f"Deployment {MODEL}-floor"][1], after.inputs)
    assert blocks("refused") == [f"{refusal}\n".replace("; put", ";\nput")]


def test_the_plan_shows_both_colours():
    console = Console(file=io.StringIO(), width=140)
    console.print(fit_table(make_plan(parse(without_secret_values(steps()[2])))))
    assert isinstance(console.file, io.StringIO)
    assert blocks("plan") == ["".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())]


def test_a_failed_smoke_test_says_so():
    settings = parse(without_secret_values(steps()[2]))
    asked = settings.models[MODEL].rollout.candidate
    assert asked
    argument = jobs.smoke_argument(asked, make_plan(settings).candidates[MODEL])
    with serving(replica(names=[MODEL])) as port:
        _, said = run("smoke", argument | {"host": "127.0.0.1", "port": port})
    assert blocks("smoke") == [said]


def test_a_failed_gate_says_so():
    _, said = judged(GOOD | {"ttft": 0.91})
    assert blocks("gate") == [said.replace("; ", ";\n")]
