"""Editors check a stack file with the JSON Schema; it must be the settings models' own."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tools.reference.schema import FILE, stack_schema

ROOT = Path(__file__).parent.parent.parent
STACKS = sorted(ROOT.glob("Pulumi.*.yaml"))
SCHEMA = json.loads(FILE.read_text())


def test_the_file_is_what_the_settings_models_say():
    assert stack_schema() == SCHEMA, "run `make schema`"


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_every_stack_file_is_valid_and_tells_the_editor_so(path):
    text = path.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=./schema/stack.schema.json"
    jsonschema.validate(yaml.safe_load(text), SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("models", {"qwen3-8b": {"source": "Qwen/Qwen3-8B", "nodePool": "l4", "engine": {"maxModelen": 1}}}),
        ("models", {"Upper": {"source": "Qwen/Qwen3-8B", "nodePool": "l4"}}),
        ("cluster", {"provider": "eks", "name": "x"}),
        ("budget", {"monthlyUsd": "9000 dollars"}),
        ("nodePols", {}),
    ],
    ids=["typo", "name", "provider", "unit", "section"],
)
def test_what_the_program_refuses_the_editor_refuses(section, change):
    stack = copy.deepcopy(yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text()))
    stack["config"][f"vllm-platform:{section}"] = change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(stack, SCHEMA, cls=jsonschema.Draft202012Validator)
