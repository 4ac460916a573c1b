"""Reads a stack's configuration: from Pulumi inside a program, or from the stack's YAML file without Pulumi.

The one module of `config` that knows Pulumi, and it imports it only when asked: `make check` does without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

from config.catalog import Loader
from config.errors import Problem, StackError
from config.settings import PROJECT, SECTIONS, Settings

SECRETS = f"{PROJECT}:secrets"
MASK = "[secret]"


class StackLoader(Loader):
    """Reads YAML as Pulumi does: times stay text, and no key may be given twice."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                raise ConstructorError(problem=f"the key '{key.value}' is given twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def load_settings() -> Settings:
    """The settings of the running Pulumi program's stack, without any secret's value.

    Raises:
        StackError: see `Settings.parse`.
    """
    from pulumi.runtime.config import CONFIG

    config = {key: _decoded(key, value) for key, value in CONFIG.get().items()}
    return Settings.parse(without_secret_values(config))


def read_stack_file(path: Path) -> dict[str, Any]:
    """The `config:` of a stack file; encrypted values appear as they stand, `{secure: ...}`.

    Raises:
        StackError: the file does not exist or is not the YAML of a stack.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), StackLoader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        stacks = sorted(other.name.split(".")[1] for other in path.parent.glob("Pulumi.*.yaml"))
        raise StackError([Problem(path.name, "there is no such stack file", "stacks here: " + (", ".join(stacks) or "none"))]) from None
    except yaml.YAMLError as error:
        raise StackError([Problem(path.name, f"is not valid YAML: {_reason(error)}", "correct it")]) from None
    except UnicodeDecodeError as error:
        raise StackError([Problem(path.name, f"is not text: {error.reason} at byte {error.start}", "save it as UTF-8")]) from None
    except OSError as error:
        raise StackError([Problem(path.name, f"cannot be read: {error.strerror}", "give a file that can be")]) from None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise StackError([Problem(path.name, "has no `config:` mapping", "start from one of the shipped stack files")])
    return {str(key): value for key, value in config.items()}


def _reason(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem}, in line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())


def load_stack_file(path: Path) -> Settings:
    """The settings of a stack file, without Pulumi and without decrypting anything.

    Raises:
        StackError: see `read_stack_file` and `Settings.parse`.
    """
    return Settings.parse(without_secret_values(read_stack_file(path)))


def _decoded(key: str, value: str) -> Any:
    """Pulumi hands structured values over as JSON."""
    if key.partition(":")[2] not in SECTIONS or not key.startswith(f"{PROJECT}:"):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def without_secret_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Ids in Secret Manager stay; values of secrets become a mark that they are given, whatever shape they have."""
    secrets = config.get(SECRETS)
    if secrets is None or (isinstance(secrets, dict) and secrets.get("source") == "secret-manager"):
        return dict(config)
    if not isinstance(secrets, dict):
        return {**config, SECRETS: MASK}
    return {**config, SECRETS: {name: _without_value(name, value) for name, value in secrets.items()}}


def _without_value(name: str, value: Any) -> Any:
    if name == "clientKeys" and isinstance(value, dict) and set(value) != {"secure"}:
        return {client: _masked(key) for client, key in value.items()}
    return value if name == "source" else _masked(value)


def _masked(value: Any) -> Any:
    """Nothing stays nothing, and what cannot be a secret stays wrong."""
    given = isinstance(value, str) or (isinstance(value, dict) and set(value) == {"secure"})
    return (MASK if value else value) if given or value is None else [MASK]
