"""Every wrong stack is refused with the path of what is wrong and with what to do about it, and all of it at once."""

import pytest

from config.errors import Problem, StackError
from config.parsing import parse
from config.stack_config import read_stack_file, without_secret_values
from planning.plan import make_plan
from tests.stacks import REVISION, settings, stack
from tests.unit import wrong_architectures, wrong_gateways
from tests.unit.tables import rows
from tests.unit.wrong_architectures import TINY
from tests.unit.wrong_models import EXISTING, MODEL, T4

ARCHITECTURES = {
    f"architecture: {name}": (
        {f"{MODEL}.source": "acme/tiny", f"{MODEL}.architecture": TINY | changes},
        f"{MODEL}.architecture{path}",
        reason,
        fix,
    )
    for name, (changes, path, reason, fix) in wrong_architectures.CHANGES.items()
}
WRONG = rows("WRONG") | ARCHITECTURES


def problems(changes) -> tuple[Problem, ...]:
    with pytest.raises(StackError) as caught:
        make_plan(settings(changes))
    return caught.value.problems


def test_the_stack_that_they_are_made_from_works():
    assert make_plan(settings()).models["qwen3-8b"].floor == 1
    assert make_plan(settings(EXISTING)).models["qwen3-8b"].floor == 1


@pytest.mark.parametrize("changes", wrong_gateways.WORK)
def test_the_gateways_that_they_are_made_from_work(changes):
    assert make_plan(settings(changes)).gateway


def test_the_architecture_that_they_are_made_from_works():
    assert make_plan(settings({f"{MODEL}.source": "acme/tiny", f"{MODEL}.architecture": TINY})).models


@pytest.mark.parametrize(("changes", "path", "reason", "fix"), WRONG.values(), ids=WRONG)
def test_a_wrong_stack_is_refused_with_path_reason_and_fix(changes, path, reason, fix):
    found = problems(changes)
    matching = [problem for problem in found if problem.path == path]
    assert matching, f"nothing said at {path}, only: {[str(problem) for problem in found]}"
    assert any(reason in problem.message and fix in problem.fix for problem in matching), [str(problem) for problem in matching]


def test_all_problems_of_a_stack_are_reported_at_once():
    changes = {
        "cluster.systemPol": {},
        "platform.monitoring": {"storageGiB": "50Gi"},
        f"{MODEL}.parallelism.tensor": 2,
        "models.a": {"source": "Qwen/Qwen3-0.6B", "nodePool": "nowhere", "engine": {"extraArgs": ["--task=x", "--nonsense"]}},
        "models.vllm": {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4"},
        "models.b": {"source": "microsoft/DialoGPT-medium", "revision": REVISION, "nodePool": "l4", "engine": {"maxModelLen": 2048}},
        "budget": {"monthlyUsd": 10},
    }
    paths = {problem.path for problem in problems(changes)}
    expected = {"cluster.systemPol", "platform.monitoring.storageGiB", f"{MODEL}.parallelism", "models.vllm"}
    expected |= {"models.a.engine.extraArgs[0]", "models.a.engine.extraArgs[1]", "models.b.engine.maxModelLen", "budget.monthlyUsd"}
    assert expected <= paths


def test_a_typo_in_a_model_does_not_hide_what_else_is_wrong_with_it():
    changes = {f"{MODEL}.engine": {"maxModelen": 8192, "dtype": "bfloat16"}, f"{MODEL}.parallelism.tensor": 3} | T4
    found = {problem.path for problem in problems(changes)}
    assert found == {f"{MODEL}.engine.maxModelen", f"{MODEL}.engine.dtype", f"{MODEL}.parallelism", f"{MODEL}.parallelism.tensor"}


def test_a_pool_that_cannot_be_read_says_nothing_about_the_models_on_it():
    assert {problem.path for problem in problems({"nodePools.l4.spot": {"maxx": 4}})} == {"nodePools.l4.spot.maxx"}


@pytest.mark.parametrize("value", [None, 7, "text", [1, 2], True], ids=str)
@pytest.mark.parametrize("section", ["cluster", "nodePools", "models", "platform", "gateway", "budget", "secrets"])
def test_a_section_of_the_wrong_shape_is_a_problem_and_never_a_traceback(section, value):
    config = stack() | {f"vllm-platform:{section}": value}
    if value is None and section not in ("cluster", "nodePools"):
        make_plan(parse(config))
        return
    with pytest.raises(StackError) as caught:
        make_plan(parse(config))
    assert all(problem.path and problem.message and problem.fix for problem in caught.value.problems)


FILES = {
    "empty": (b"", "no `config:` mapping", "shipped stack files"),
    "a list": (b"- a\n", "no `config:` mapping", "shipped stack files"),
    "a config without anything": (b"config:\n", "no `config:` mapping", "shipped stack files"),
    "not text": (b"\xff\xfe\x00config:", "is not text", "UTF-8"),
    "indented by tabs": (b"config:\n\tx: 1\n", "line 2", "correct it"),
    "one model twice": (b"config:\n  a:b:\n    m: 1\n    m: 2\n", "'m' is given twice, in line 4", "correct it"),
    "a mapping as a key": (b"config:\n  ? {a: b}\n  : 1\n", "unhashable", "correct it"),
}


@pytest.mark.parametrize(("content", "reason", "fix"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_stack_is_refused(tmp_path, content, reason, fix):
    (tmp_path / "Pulumi.x.yaml").write_bytes(content)
    with pytest.raises(StackError) as caught:
        read_stack_file(tmp_path / "Pulumi.x.yaml")
    (problem,) = caught.value.problems
    assert problem.path == "Pulumi.x.yaml"
    assert reason in problem.message
    assert fix in problem.fix


def test_a_file_that_cannot_be_read_is_refused_and_a_missing_one_names_those_that_exist(tmp_path):
    (tmp_path / "Pulumi.dev.yaml").mkdir()
    for name, reason in (("dev", "cannot be read"), ("prod", "stacks here: dev")):
        with pytest.raises(StackError) as caught:
            read_stack_file(tmp_path / f"Pulumi.{name}.yaml")
        assert reason in str(caught.value)


def test_a_time_without_quotes_stays_text(tmp_path):
    (tmp_path / "Pulumi.x.yaml").write_text("config:\n  a:b: {startTime: 2026-01-03T03:00:00Z}\n")
    assert read_stack_file(tmp_path / "Pulumi.x.yaml") == {"a:b": {"startTime": "2026-01-03T03:00:00Z"}}


@pytest.mark.parametrize(
    "secrets", ["hf_VALUE", {"huggingFaceToken": ["hf_VALUE"]}, {"hugingFaceToken": "hf_VALUE"}, ["hf_VALUE"]], ids=str
)
def test_a_misplaced_secret_is_refused_without_its_value(secrets):
    found = problems({"secrets": secrets})
    assert found
    assert "hf_VALUE" not in str(found)


@pytest.mark.parametrize("value", ["hf_VALUE", ["hf_VALUE"], {"a": "hf_VALUE"}, 1.5], ids=str)
@pytest.mark.parametrize("name", ["HF_TOKEN", "NCCL_DEBUG", "VLLM_PORT", "X"])
def test_a_variables_value_is_never_part_of_a_message(name, value):
    if (name, value) == ("NCCL_DEBUG", "hf_VALUE"):
        return
    assert "hf_VALUE" not in str(problems({f"{MODEL}.engine.environment": {name: value}}))


@pytest.mark.parametrize("token", [None, ""])
def test_a_secret_without_a_value_is_not_given(token):
    config = stack({f"{MODEL}.source": "meta-llama/Llama-3.1-8B"}) | {"vllm-platform:secrets": {"huggingFaceToken": token}}
    with pytest.raises(StackError, match=r"gated|nothing is given"):
        make_plan(parse(without_secret_values(config)))
