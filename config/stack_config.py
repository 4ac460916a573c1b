"""Reads a stack's configuration: from Pulumi inside a program, or from the stack's YAML file without Pulumi.

The one module of `config` that knows Pulumi, and it imports it only when asked: `make check` does without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.catalog import Loader
from config.errors import Problem, StackError
from config.settings import PROJECT, SECTIONS, Settings

SECRETS = f"{PROJECT}:secrets"


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
        with path.open() as file:
            content = yaml.load(file, Loader)  # noqa: S506 - CSafeLoader is the safe loader in C
    except FileNotFoundError:
        stacks = sorted(other.name.split(".")[1] for other in path.parent.glob("Pulumi.*.yaml"))
        raise StackError([Problem(path.name, "there is no such stack file", "stacks here: " + (", ".join(stacks) or "none"))]) from None
    except yaml.YAMLError as error:
        raise StackError([Problem(path.name, f"is not valid YAML: {error}", "correct it")]) from None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise StackError([Problem(path.name, "has no `config:` mapping", "start from one of the shipped stack files")])
    return {str(key): value for key, value in config.items()}


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
    """Ids in Secret Manager stay; values of secrets become a mark that they are given."""
    secrets = config.get(SECRETS)
    if not isinstance(secrets, dict) or secrets.get("source") == "secret-manager":
        return dict(config)
    return {**config, SECRETS: {name: value if name == "source" else _masked(value) for name, value in secrets.items()}}


def _masked(value: Any) -> Any:
    """Who has a key is no secret."""
    by_name = isinstance(value, dict) and set(value) != {"secure"}
    return {name: _masked(one) for name, one in value.items()} if by_name else "[secret]"
