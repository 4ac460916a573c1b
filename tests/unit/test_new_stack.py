"""`make new-stack`: the file that it writes works, on the machine type that is the cheapest to work; what cannot be is refused."""

from __future__ import annotations

import sys
from io import StringIO

import pytest
import yaml

from config.cluster import GkeCluster
from config.stack_config import load_stack_file, read_stack_file
from planning.plan import make_plan
from tools import stacks
from tools.new_stack import __main__ as command
from tools.new_stack import answers
from tools.preview import offline


@pytest.fixture
def new_stack(tmp_path, monkeypatch, capsys):
    """Runs it in a folder of its own; the exit code, the output, and the file."""
    file = tmp_path / "Pulumi.new.yaml"
    for module in (command, answers):
        monkeypatch.setattr(module, "stack_file", lambda stack: tmp_path / f"Pulumi.{stack}.yaml")

    def run(*arguments, typed=None):
        monkeypatch.setattr(sys, "argv", ["new-stack", *arguments])
        monkeypatch.setattr(sys, "stdin", StringIO(typed or ""))
        monkeypatch.setattr(sys.stdin, "isatty", lambda: typed is not None, raising=False)
        code = command.main()
        return code, capsys.readouterr().out, file

    return run


def given(**options):
    chosen = {"project": "acme-llm", "region": "us-central1", "models": "Qwen/Qwen3-8B", **options}
    return ["new", *(f"--{key}={value}" for key, value in chosen.items())]


# Machine type and GPUs of a replica: by hand from weights (bf16 8B: 15 GiB; 70B: 131 GiB; gpt-oss-120b: 61 GiB; DeepSeek-V3: 640 GiB) and
# Google's prices a GPU in us-central1: an L4 $0.71 or more, an RTX PRO 6000 of 96 GB $4.50, an A100 of 80 GB $5.07, an H200 $10.44.
CHOSEN = {
    "Qwen/Qwen3-8B": ("nvidia-l4", 1),
    "openai/gpt-oss-20b": ("nvidia-l4", 1),
    "Qwen/Qwen3-32B-FP8": ("nvidia-l4", 2),
    "openai/gpt-oss-120b": ("nvidia-l4", 4),
    "deepseek-ai/DeepSeek-V3": ("nvidia-rtx-pro-6000", 8),
}


@pytest.mark.parametrize(("model", "expected"), CHOSEN.items())
def test_a_model_gets_the_cheapest_gpus_that_hold_it(new_stack, model, expected):
    code, _, file = new_stack(*given(models=model))
    assert code == 0
    plan = make_plan(load_stack_file(file))
    (placed,) = plan.models.values()
    assert placed.shape.gpus == expected[1]
    assert placed.pool.machine.name in machines_with(expected[0])


def machines_with(accelerator):
    rows = yaml.safe_load((stacks.ROOT / "config" / "catalog" / "machine_types.yaml").read_text())
    return {name for name, row in rows.items() if row.get("accelerator") == accelerator}


@pytest.mark.parametrize("region", ["us-central1", "europe-west4", "asia-southeast1", "us-east5"])
@pytest.mark.parametrize("options", [
    {"models": "Qwen/Qwen3-0.6B"},
    {"models": "Qwen/Qwen3-8B openai/gpt-oss-20b", "floor": "2", "ceiling": "5", "clients": "chat batch"},
    {"models": "Qwen/Qwen3-8B", "context": "32768"},
    {"models": "meta-llama/Llama-3.1-8B-Instruct", "floor": "3", "ceiling": "3"},
], ids=lambda options: options["models"])  # fmt: skip
def test_what_it_writes_is_accepted_and_keeps_what_was_asked_for(new_stack, region, options):
    code, out, file = new_stack(*given(region=region, **options))
    if code == 2:  # a region without GPUs that hold the model says so
        assert "runs on no machine type that" in out
        assert not file.exists()
        assert region == "us-east5"
        return
    settings = load_stack_file(file)
    plan = make_plan(settings)
    floor, ceiling = int(options.get("floor", 1)), int(options.get("ceiling", 2))
    assert {model.source for model in settings.models.values()} == set(options["models"].split())
    assert all((model.floor, model.floor + model.burst) == (floor, ceiling) for model in plan.models.values())
    assert all(model.memory.max_model_len == int(options.get("context", 8192)) for model in plan.models.values())
    assert all(model.rollout.max_surge for model in plan.models.values())
    assert isinstance(settings.cluster, GkeCluster)
    assert settings.gateway
    assert all(zone.startswith(f"{region}-") for zone in settings.cluster.zones)
    assert set(settings.gateway.clients) == set(options.get("clients", "").split())
    assert settings.budget.monthly_usd
    assert plan.cost.total.expected < settings.budget.monthly_usd < 1.4 * plan.cost.total.expected + 100


def test_the_program_runs_with_it(new_stack):
    code, out, file = new_stack(*given(models="meta-llama/Llama-3.1-8B-Instruct", clients="chat"))
    assert code == 0
    assert "gcloud secrets create llm-hugging-face --project acme-llm --data-file=-" in out
    assert "gcloud secrets create llm-client-chat --project acme-llm --data-file=-" in out
    recording = offline.run(read_stack_file(file), "new")
    assert "llama-3-1-8b-instruct-floor" in {one.name for one in recording.resources}
    assert "pin the revision of meta-llama/Llama-3.1-8B-Instruct: " in out


def test_a_terminal_is_asked_for_what_is_missing(new_stack):
    code, _, file = new_stack("new", "--project=acme-llm", typed="\nQwen/Qwen3-4B\n4096\n2\n\n\n")
    assert code == 0
    model = load_stack_file(file).models["qwen3-4b"]
    assert (model.engine.max_model_len, model.scaling.floor, model.scaling.ceiling) == (4096, 2, 3)


def test_a_file_that_is_there_is_not_touched(new_stack):
    code, _, file = new_stack(*given())
    assert code == 0
    before = file.read_text()
    code, out, _ = new_stack(*given(models="Qwen/Qwen3-4B"))
    assert (code, file.read_text()) == (2, before)
    assert "name: Pulumi.new.yaml is there already" in out


WRONG = {
    "project": ("Acme", "--project: 'Acme' is no project id"),
    "region": ("us-moon1", "--region: 'us-moon1' is no region"),
    "models": ("qwen3-8b Qwen/Qwen3-8B", "--models: the catalogue has no qwen3-8b; did you mean "),
    "context": ("8k", "--context: '8k' is no number"),
    "floor": ("0", "--floor: '0' is no number"),
    "ceiling": ("x", "--ceiling: 'x' is no number"),
}


@pytest.mark.parametrize("option", WRONG)
def test_a_wrong_answer_is_refused(new_stack, option):
    code, out, file = new_stack(*given(**{option: WRONG[option][0]}))
    assert code == 2
    assert "Nothing was written (1)" in out
    assert WRONG[option][1] in out
    assert not file.exists()


def test_all_wrong_answers_are_said_at_once(new_stack):
    _, out, _ = new_stack(*given(**{option: wrong for option, (wrong, _) in WRONG.items()}))
    assert f"Nothing was written ({len(WRONG)})" in out


def test_a_context_that_no_machine_holds_is_refused_with_the_reason(new_stack):
    code, out, file = new_stack(*given(context="9000000"))
    assert code == 2
    assert "--models: Qwen/Qwen3-8B runs on no machine type that us-central1 has (on the largest one: " in out
    assert not file.exists()
