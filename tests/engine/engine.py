"""Runs Pulumi's engine on the real program, with its own folder for program, state and plugins, and records each operation's steps."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation

from config.settings import PROJECT

ROOT = Path(__file__).parent.parent.parent
_PROGRAM = ("__main__.py", "Pulumi.yaml", "config", "planning", "components")
_PASSPHRASE = "only-of-this-test"
STACK_TYPE = "pulumi:pulumi:Stack"
# Components with the configuration of all models, which change with each model.
SHARED = {"gateway"}


@dataclass
class Operation:
    """Result of a preview, an update or a destroy. `changes`: (operation, URN) of each step that is not `same`."""

    changes: list[tuple[str, str]] = field(default_factory=list)
    output: str = ""
    """All output and events, diagnostics included."""
    failed: str = ""
    """The error; empty if it succeeded."""
    failures: list[str] = field(default_factory=list)
    """Names of the resources that failed."""
    violations: list[str] = field(default_factory=list)
    """Ids of the violated policies."""

    def succeeded(self) -> Operation:
        assert not self.failed, self.failed
        return self

    def of(self, *kinds: str) -> list[str]:
        """Names of the resources with one of these operations, without the stack resource."""
        return sorted(name_of(urn) for kind, urn in self.changes if kind in kinds and type_of(urn) != STACK_TYPE)

    def urns(self) -> list[str]:
        return sorted({urn for _, urn in self.changes if type_of(urn) != STACK_TYPE})


class Program:
    """A copy of this project's program, or of another, with its virtual environment; `edit` changes one of its files."""

    def __init__(self, folder: Path, original: Path = ROOT, files: tuple[str, ...] = _PROGRAM) -> None:
        self.folder = folder
        folder.mkdir()
        for name in files:
            source = original / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)
        releases = folder / "config/catalog/releases.yaml"
        if releases.exists():  # the tests' small charts are not the published ones
            releases.write_text(re.sub(r"^ +digest: .*\n", "", releases.read_text(), flags=re.MULTILINE))

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text, f"{path} no longer says {old!r}"
        (self.folder / path).write_text(text.replace(old, new))


class Stack:
    """A stack of the program, with its state in a folder beside it."""

    def __init__(self, program: Program, name: str, variables: Mapping[str, str]) -> None:
        self.program, self.name = program, name
        home = program.folder.parent / "pulumi-home"
        backend = program.folder.parent / "backend"
        for folder in (home, backend):
            folder.mkdir(exist_ok=True)
        self.variables = {
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            **variables,
        }
        workspace = automation.LocalWorkspace(work_dir=str(program.folder), pulumi_home=str(home), env_vars=self.variables)
        self._stack = automation.Stack.create_or_select(name, workspace)

    def configure(self, config: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> None:
        """Writes `config` to the stack file; `secrets` are set by `pulumi config set --secret`."""
        path = self.program.folder / f"Pulumi.{self.name}.yaml"
        settings = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({**(settings or {}), "config": dict(config)}))
        for key, value in (secrets or {}).items():
            self._stack.set_config(f"{PROJECT}:secrets.{key}", automation.ConfigValue(value, secret=True), path=True)

    def preview(self, **options: Any) -> Operation:
        """`options`: those of the Automation API's `Stack.preview`."""
        return self._run(partial(self._stack.preview, **options))

    def up(self) -> Operation:
        return self._run(self._stack.up)

    def destroy(self) -> Operation:
        """Previews first, as `pulumi destroy` does, and stops if the preview fails."""
        previewed = self._run(self._stack.preview_destroy)
        return previewed if previewed.failed else self._run(self._stack.destroy)

    def state(self) -> dict[str, Any]:
        """The state from `pulumi stack export`; the Automation API would decrypt the secrets."""
        command, variables = self.command("stack", "export")
        exported = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
        return json.loads(exported.stdout)["deployment"]

    def resources(self) -> list[dict[str, Any]]:
        return self.state().get("resources", [])

    def outputs(self) -> dict[str, Any]:
        return {name: output.value for name, output in self._stack.outputs().items()}

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """A `pulumi` command line for this stack, and its environment."""
        return ["pulumi", *words, "--stack", self.name, "--cwd", str(self.program.folder)], {**os.environ, **self.variables}

    def _run(self, operation: Callable[..., Any]) -> Operation:
        done = Operation()
        printed: list[str] = []

        def note(event: automation.EngineEvent) -> None:
            if (step := event.resource_pre_event) and step.metadata.op != automation.OpType.SAME:
                done.changes.append((step.metadata.op.value, step.metadata.urn))
            if failure := event.res_op_failed_event:
                done.failures.append(name_of(failure.metadata.urn))
            if diagnostic := event.diagnostic_event:
                printed.append(diagnostic.message)
            if policy := event.policy_event:
                done.violations.append(policy.policy_name)
                printed.append(policy.message)

        try:
            result = operation(on_event=note, on_output=printed.append, on_error=printed.append, color="never")
            printed.extend([result.stdout, result.stderr])
        except automation.CommandError as error:
            done.failed = str(error)
        done.output = "\n".join([*printed, done.failed])
        return done


def name_of(urn: str) -> str:
    return urn.split("::", 3)[3]


def type_of(urn: str) -> str:
    """The resource's own type."""
    return urn.split("::")[2].rpartition("$")[2]


def owners(operation: Operation, resources: list[dict[str, Any]]) -> set[str]:
    """Names of the resources directly below the stack that an operation changed, or whose descendants it changed.

    `resources`: of the state before and after it.
    """
    parents = {one["urn"]: one.get("parent", "") for one in resources}

    def owner(urn: str) -> str:
        parent = parents.get(urn, "")
        return owner(parent) if parent and type_of(parent) != STACK_TYPE else name_of(urn)

    return {owner(urn) for urn in operation.urns()}
