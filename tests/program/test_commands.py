"""Each command of the documentation is run, or held against what it names, or a table here says why it cannot be.

`kubectl`, `pulumi` and `curl` are not run: there is no cluster. What their commands name must be in the recorded preview
of a shipped stack.
"""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from config.parsing import parse
from config.stack_config import load_stack_file, without_secret_values
from planning.plan import make_plan
from tests import commands
from tests.commands import Command
from tests.program.conftest import configuration
from tests.program.test_adopt_page import known
from tests.stacks import changed
from tools.preview import __main__ as preview
from tools.reference.schema import stack_schema
from tools.stacks import ROOT
from tools.truth import __main__ as truth

SHIPPED = ("dev", "prod")
FOUND = list(commands.commands())
MAKE = sorted({one.words for one in FOUND if one.program == "make" and "..." not in one.words and len(one.words) > 1})

# Commands that are not run, by how they begin, and why.
EXCUSED = {
    "gcloud": "needs a Google Cloud project",
    "make": "the name alone",
    "make simulate ... PARETO=1": "the dots stand for other variables",
    ".ci/run": "runs all tests, this one among them",
    "cd": "tests/program/test_examples.py runs the program of that folder",
    "pulumi": "the name alone",
}
# Text filters after a pipe: their input is a cluster's.
FILTERS = {"grep", "head", "tail", "jq", "sort", "uniq", "base64", "openssl"}

# Sub-commands of pulumi, and the test that runs them on the engine; None: the reason is the text.
PULUMI = {
    "config set": "test_a_setting_that_a_page_sets_exists",
    "stack output": "test_a_stack_output_of_a_page_exists",
    "stack init": "tests/engine",
    "install": "tests/engine/test_examples.py",
    "preview": "tests/engine",
    "up": "tests/engine",
    "destroy": "tests/engine",
    "cancel": "tests/engine/test_interruptions.py",
    "import": "tests/engine/test_adoption.py",
}

# Targets whose tool does not run here, and why. Their arguments are parsed by the tool all the same.
NOT_RUN = {
    "answers": "needs a vLLM",
    "advise": "run by tests/unit/test_simulate.py",
    "bench-diff": "minutes",
    "bench-gateway": "needs wrk; minutes",
    "bench-plan": "minutes",
    "bench-policy": "half an hour",
    "bench-preview": "minutes",
    "bench-simulate": "minutes",
    "calibrate": "needs a log of vLLM; run by tests/unit/test_engine_log.py",
    "check": "run by test_what_the_readme_shows_is_what_comes_out and test_a_shipped_stack_passes_make_check",
    "demo": "run by tests/dataplane",
    "describe-model": "run by tests/unit/test_describe_model.py, against a stand-in for the hub",
    "diff": "run by tests/program/test_review.py",
    "digests": "asks registries; run by tests/unit/test_digests.py",
    "doctor": "run by tests/unit/test_doctor.py and tests/cluster, on a cluster",
    "fit": "run by tests/unit/test_truth.py",
    "lint": "a step of .ci/run",
    "load": "run by tests/unit/test_load.py",
    "lock": "asks the package index",
    "mutants": "minutes",
    "new-stack": "run by tests/unit/test_new_stack.py",
    "pictures": "minutes",
    "policy-pack": "installs packages",
    "preview": "run by tests/program/test_preview.py",
    "reconcile": "needs Prometheus; run by tests/unit/test_reconcile.py",
    "reference": "compared by tests/unit/test_reference.py",
    "release": "makes a commit; run by tests/unit/test_release.py",
    "rendered": "compared by tests/program/test_rendered.py",
    "schema": "compared by tests/unit/test_schema.py",
    "simulate": "run by tests/unit/test_simulate.py",
    "test": "a step of .ci/run",
    "test-browser": "a step of .ci/run",
    "test-charts": "a step of .ci/run",
    "test-cluster": "a step of .ci/run",
    "test-engine": "a step of .ci/run",
    "test-mutations": "a step of .ci/run",
    "test-policy": "a step of .ci/run",
    "truth": "run by test_the_measured_points_are_compared",
    "types": "a step of .ci/run",
}


def excuse(one: Command) -> str | None:
    text = " ".join(one.words)
    return EXCUSED.get(text) or (EXCUSED.get(one.program) if one.program not in ("make", "pulumi") else None)


@pytest.mark.parametrize("page", sorted({page for page, _ in commands.blocks()}))
def test_each_block_is_valid_shell(page):
    text = "\n".join(text for name, text in commands.blocks() if name == page)
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert not checked.stderr


def test_every_command_has_a_rule():
    ruled = {"make", "python", "pulumi", "kubectl", "curl"} | FILTERS
    missing = [str(one) for one in FOUND if one.program not in ruled and not excuse(one)]
    assert not missing, "no rule covers these: write a test for the program, or give the reason in EXCUSED of this file"


def test_a_line_of_shell_is_its_commands():
    pipeline = "A=1 make x B='c d' | grep e && curl f   # why\n$(pulumi stack output g)  # it\n"
    text = f"{pipeline}for h in i; do gcloud h \\\n  j; done & kubectl <pod>"
    assert [one.words for one in commands.split("page", commands.filled(text))] == [
        ("make", "x", "B=c d"),
        ("grep", "e"),
        ("curl", "f"),
        ("pulumi", "stack", "output", "g"),
        ("gcloud", "h", "j"),
        ("kubectl", "placeholder"),
    ]


def test_what_is_said_to_be_run_elsewhere_is_there():
    reasons = [*NOT_RUN.values(), *PULUMI.values(), *EXCUSED.values()]
    for path in {path for reason in reasons for path in re.findall(r"tests/[\w/.]*\w", reason)}:
        assert (ROOT / path).exists(), path
    for name in {name for reason in reasons for name in re.findall(r"\btest_\w+\b(?!\.py)", reason)}:
        assert name in globals(), name


def dry_run(*words: str) -> str:
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\\n", " ")


@pytest.mark.parametrize("words", MAKE, ids=shlex.join)
def test_a_make_command_has_a_target_that_uses_its_variables_and_a_tool_that_takes_them(words, monkeypatch):
    targets, variables = [one for one in words[1:] if "=" not in one], [one for one in words[1:] if "=" in one]
    for target in targets:
        assert target in NOT_RUN, f"say in NOT_RUN in tests/program/test_commands.py what runs `make {target}`, or why nothing can"
    said = dry_run(*words[1:])
    for one in variables:
        name, _, value = one.partition("=")
        assert value == "1" or value in said, f"the target does not use {name}"
        assert dry_run(*targets, f"{name}={'' if value == '1' else 'other'}") != said, f"the target does not use {name}"
    if variables:
        for module, arguments in re.findall(r"^.*/python -m (tools\.[\w.]+)(.*)$", said, re.MULTILINE):
            assert parses(module, shlex.split(arguments), monkeypatch)


@pytest.mark.parametrize("one", [one for one in FOUND if one.program == "python"], ids=str)
def test_a_module_that_a_page_runs_exists(one):
    """They write files of this repository, or need a vLLM."""
    assert one.words[1] == "-m"
    assert find_spec(one.words[2])


class _ParsedError(Exception):
    """Ends a tool once it has read its arguments."""


def parses(module: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    found = find_spec(module)
    assert found, module
    name = f"{module}.__main__" if found.submodule_search_locations else module
    parse_args = argparse.ArgumentParser.parse_args

    def read(parser: argparse.ArgumentParser, given: Any = None) -> None:
        parse_args(parser, given)
        raise _ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", read)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(_ParsedError):
        importlib.import_module(name).main()
    return True


@pytest.mark.parametrize("one", list(commands.sessions()), ids=str)
def test_what_the_readme_shows_is_what_comes_out(one, monkeypatch, capsys):
    assert one.words == ("make", "check", "STACK=dev"), "write here how the new one is run"
    stack = changed(configuration("dev"), {"models.qwen3-8b.engine.maxModelLen": 32768})
    monkeypatch.setattr(preview, "load_stack_file", lambda _: parse(without_secret_values(stack)))
    monkeypatch.setattr(sys, "argv", ["preview", "dev", "--plan-only"])
    assert preview.main() == 2
    assert " ".join(capsys.readouterr().out.split()) == " ".join(one.shown.split())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_stack_passes_make_check(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["preview", name, "--plan-only"])
    assert preview.main() == 0
    assert "Fit: GiB per GPU" in capsys.readouterr().out


def test_the_measured_points_are_compared(capsys):
    assert truth.main([]) == 0
    assert capsys.readouterr().out


def pulumi_commands(kind: str = "") -> list[Command]:
    return [one for one in FOUND if one.program == "pulumi" and " ".join(one.words[1:]).startswith(kind) and not excuse(one)]


@pytest.mark.parametrize("one", pulumi_commands(), ids=str)
def test_a_pulumi_command_is_one_that_a_test_runs(one):
    assert any(" ".join(one.words[1:]).startswith(kind) for kind in PULUMI), "say in PULUMI which test runs it"
    options = iter(one.words)
    for option in options:
        if option.startswith("--policy-pack"):
            path = next(options)
            assert path.startswith("placeholder/") or (ROOT / path).exists(), path


def setting(one: Command) -> tuple[str, list[str]]:
    """Path and values of a `pulumi config set`."""
    path, *values = [word for word in one.words[3:] if not word.startswith("--")]
    return path.removeprefix("vllm-platform:"), values


@pytest.mark.parametrize("one", [one for one in pulumi_commands("config set") if len(one.words) > 5], ids=str)
def test_a_setting_that_a_page_sets_exists(one):
    path, values = setting(one)
    section, *keys = path.split(".")
    sections = stack_schema()["properties"]["config"]["properties"]
    named = 0 if section in ("models", "nodePools") else 1 if keys[0] == "clientKeys" else None  # the key that is a name of the stack's own
    names = [f"<{key}>" if place == named else key for place, key in enumerate(keys)]
    assert known(sections[f"vllm-platform:{section}"], names), path
    if "--secret" not in one.words and "$" not in values[0]:
        assert any(accepted(name, path, yaml.safe_load(values[0])) for name in SHIPPED), f"no shipped stack takes {path} {values[0]}"


def accepted(name: str, path: str, value: Any) -> bool:
    section, *keys = path.split(".")
    stack = without_secret_values(configuration(name))
    if section in ("models", "nodePools") and keys[0] not in stack[f"vllm-platform:{section}"]:
        return False
    return not parse(changed(stack, {path: value})).problems


@pytest.mark.parametrize("one", pulumi_commands("stack output"), ids=str)
def test_a_stack_output_of_a_page_exists(program, one):
    assert all(one.words[3] in program(name).outputs for name in SHIPPED)


def test_the_stacks_that_make_commands_name_are_shipped():
    for words in MAKE:
        for name in (name for word in words if word.startswith("STACK=") for name in word.removeprefix("STACK=").split()):
            assert make_plan(load_stack_file(ROOT / f"Pulumi.{name}.yaml")).models
