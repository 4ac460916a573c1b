"""No stack file, however odd, ends in a traceback: it is refused with a path, a reason and a fix, or it is planned and rendered."""

import io
import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from rich.console import Console

from components.gateway.envoy.bootstrap import bootstrap
from components.gateway.pod import process
from components.serving.engine import engine_arguments
from config.errors import StackError
from config.parsing import parse
from config.stack_config import load_stack_file, without_secret_values
from planning.plan import Plan, make_plan
from tests.odd_stacks import DEEP, ODD, STACKS, from_schema, mutated
from tests.stacks import stack
from tools.preview.manifests import plan_as_json
from tools.preview.tables import print_plan

UNPINNED = {"vllm-platform:platform": {"requirePinnedRevisions": False}}
MANY = settings(max_examples=1000, suppress_health_check=list(HealthCheck))


def said(error: StackError) -> str:
    """What the user reads. All of it has a path, a reason and a fix, and can be printed."""
    assert error.problems
    assert all(one.path and one.message and one.fix for one in error.problems), error.problems
    return str(error).encode().decode()


def judged(config) -> Plan | None:
    """The plan; None where the stack is refused. A plan is rendered."""
    try:
        read = parse(without_secret_values(config))
        plan = make_plan(read)
    except StackError as error:
        said(error)
        return None
    json.dumps(plan_as_json(plan))
    for name, model in plan.models.items():
        arguments = engine_arguments(read.models[name], model, model.floor_drain, "/weights")
        assert all(isinstance(argument, str) and argument for argument in arguments)
    if plan.gateway:
        json.dumps(bootstrap(plan.gateway, process(plan.gateway)))
    return plan


@pytest.mark.parametrize("config", STACKS, ids=range(len(STACKS)))
def test_every_stack_that_they_are_made_from_is_planned_and_printed(config):
    console = Console(file=io.StringIO(), width=160)
    assert judged(config | UNPINNED)
    read = parse(without_secret_values(config | UNPINNED))
    print_plan(console, read, make_plan(read))


@MANY
@given(mutated())
def test_a_shipped_stack_with_odd_values_is_judged(config):
    judged(config)


@MANY
@given(from_schema())
def test_a_stack_made_from_the_schema_is_judged(config):
    judged(config)


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize(
    "key", ["gcp:project", "gcp:region", "vllm-platform:cluster", "vllm-platform:models", "vllm-platform:secrets", "x"]
)
def test_odd_values_of_whole_keys_are_judged(key, value):
    judged({**stack(), key: value})


@pytest.mark.parametrize("depth", [50, 2_000, 100_000])
def test_a_deeply_nested_file_is_judged(tmp_path, depth):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(f"config:\n  vllm-platform:models: {'[' * depth}{']' * depth}\n")
    with pytest.raises(StackError):
        load_stack_file(path)


def test_what_refers_to_itself_is_judged(tmp_path):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text("config:\n  vllm-platform:cluster: &a\n    provider: gke\n    name: x\n    zones: *a\n    ranges: *a\n")
    with pytest.raises(StackError):
        load_stack_file(path)


def test_a_file_that_grows_without_end_is_judged(tmp_path):
    """Ten lines of aliases, each ten of the line before."""
    path = tmp_path / "Pulumi.x.yaml"
    lines = ["  a:0: &a0 [x, x]", *(f"  a:{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10))]
    path.write_text("\n".join(["config:", *lines, "  vllm-platform:cluster: *a9", ""]))
    with pytest.raises(StackError, match="too large"):
        load_stack_file(path)


def test_nesting_of_values_is_judged_after_yaml_too():
    judged({**stack(), "vllm-platform:budget": yaml.safe_load(yaml.safe_dump({"monthlyUsd": DEEP}))})
