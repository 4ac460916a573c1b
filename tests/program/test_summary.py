"""What the program says above the resources of `pulumi preview`: what fits where, for how many dollars."""

from __future__ import annotations

import pytest

from config.parsing import parse
from config.stack_config import without_secret_values
from planning.plan import make_plan
from planning.summary import summary
from tests.program.conftest import ROOT, STACKS, configuration
from tests.stacks import stack
from tests.unit.wrong_rollouts import candidate
from tools.preview import offline


def said(recording: offline.Recording) -> list[str]:
    """The lines of the one message."""
    (message,) = [one for one in recording.warnings if one.startswith("the plan, in US dollars a month:\n")]
    return [line.strip() for line in message.splitlines()[1:]]


def test_a_preview_says_what_fits_where_and_what_it_costs(program):
    assert said(program("dev")) == [
        "every model fits; expected $1,767, within the budget of $3,500; $1,417 at the floors, $3,014 at the ceilings",
        "model qwen3-8b: $886; 1 x NVIDIA L4 of pool l4; KV cache 3.1 of 22.0 GiB: 2.8 sequences of 8,192 tokens; replicas: 1-4",
        "model qwen3-0-6b: $711; 1 x NVIDIA L4 of pool l4; KV cache 17.3 of 22.0 GiB: 9.9 sequences of 16,384 tokens; replicas: 1-2",
        "pool l4: $1,597; g2-standard-8; nodes: 2-4 on demand, 0-4 spot",
    ]


def test_the_page_shows_that_message(program):
    message = "\n".join(["the plan, in US dollars a month:", *(f"  {line}" for line in said(program("dev")))])
    assert f"```text\n{message}\n```" in (ROOT / "docs" / "review-a-change.md").read_text()


def test_the_engine_can_show_the_dollars_before_and_after(program):
    outputs = program("dev").outputs
    assert outputs["usdPerMonth"]["expected"] == 1767
    assert outputs["models"]["qwen3-8b"]["usdPerMonth"] == 886


@pytest.mark.parametrize("name", STACKS)
def test_an_update_says_nothing_of_it(program, name):
    assert not [one for one in program(name, known=True).warnings if one.startswith("the plan, in")]


def test_it_stands_before_the_warnings(program):
    assert [one.partition("\n")[0] for one in program("local").warnings] == ["the plan, in US dollars a month:", "the plan warns (2):"]


@pytest.mark.parametrize(("usd", "stands"), [(10_000, "within the budget of $10,000"), (1_000, "over the budget of $1,000")])
def test_the_total_is_held_against_the_budget(usd, stands):
    budget = {"monthlyUsd": usd, "onExceed": "warn"}
    settings = parse(without_secret_values(configuration("dev") | {"vllm-platform:budget": budget}))
    assert f", {stands};" in summary(make_plan(settings), settings.budget.monthly_usd)[0]


def test_a_candidate_has_its_own_line():
    changes = candidate({"engine": {"maxModelLen": 4096}}, weight=50)
    lines = summary(make_plan(parse(stack(changes))), None)
    assert [line for line in lines if line.startswith("model qwen3-8b") and "sequences of 4,096 tokens" in line]
    assert sum(line.startswith("model ") for line in lines) == 2


def test_a_price_that_is_not_known_is_not_a_price_of_nothing(program):
    assert [one for one in said(program("local")) if "price unknown" in one and one.startswith(("model", "pool"))]


def test_a_stack_of_hundreds_shows_its_most_expensive_models():
    lines = summary(make_plan(parse(without_secret_values(configuration("generated-300")))), None)
    models = [line for line in lines if line.startswith("model ")]
    assert len(models) == 10
    assert [line for line in lines if line.startswith("and 290 more models: $")]
    assert len(lines) < 25
    dollars = [float(line.partition("$")[2].partition(";")[0].replace(",", "")) for line in models]
    assert dollars == sorted(dollars, reverse=True)
