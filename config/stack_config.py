"""Reads a stack's configuration: from Pulumi inside a program, or from the stack's YAML file without Pulumi.

The only module of `config` that imports Pulumi, and only inside functions: `make check` runs without Pulumi.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

from config.catalog import Loader
from config.errors import Problem, StackError
from config.local_files import local_file_problems
from config.merge_patch import merge_patch
from config.parsing import parse
from config.secrets import is_encrypted, masked
from config.settings import PROJECT, SECTIONS, Settings, is_read
from config.tokens import TOKEN, looks_random

SECRETS = f"{PROJECT}:secrets"
# Limit on nested brackets, and on characters of indentation. A stack has about 10 and 20.
_MOST_NESTED = 500


class DuplicateKeyError(ConstructorError):
    """A key is given twice in one mapping."""


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
                name = TOKEN if looks_random(key.value) else key.value
                raise DuplicateKeyError(problem=f"the key '{name}' is given twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def load_settings(written: Mapping[str, Any] | None = None) -> Settings:
    """The settings of the running Pulumi program's stack, without any secret's value.

    `written`: sections that the program itself writes, such as `{"models": {...}}`; the stack's configuration is laid over them, key by
    key, where null removes a key.

    Raises:
        StackError: see `config.parsing.parse`.
    """
    from pulumi.runtime.config import CONFIG, is_config_secret
    from pulumi.runtime.settings import SETTINGS

    config = {key: _decoded(key, value) for key, value in CONFIG.get().items()}
    encrypted = sorted(key for key in config if is_config_secret(key))
    if misplaced := [key for key in encrypted if key != SECRETS and is_read(key)]:
        fix = f"values are encrypted under {SECRETS} only; set it without --secret"
        raise StackError(Problem(key.removeprefix(f"{PROJECT}:"), "is encrypted, and the plan prints settings", fix) for key in misplaced)
    if SECRETS in encrypted:
        # Pulumi passes a mapping as a secret if any value in it is encrypted; only the stack file tells which values are.
        file = _own_stack_file()
        config[SECRETS] = _as_in(read_stack_file(file).get(SECRETS) if file else None, config[SECRETS])
    config = without_secret_values(config)
    settings = parse(_laid_over(written, config) if written else config)
    missing = tuple(local_file_problems(settings)) if SETTINGS.root_directory else ()  # None: no engine runs the program
    return replace(settings, problems=settings.problems + missing)


def _laid_over(written: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    if "secrets" in written:
        fix = "pulumi config set --secret --path vllm-platform:secrets.<key>"
        raise StackError([Problem("secrets", "written in the program, and read from the stack's configuration", fix)])
    return merge_patch({f"{PROJECT}:{section}": value for section, value in written.items()}, config)


def _own_stack_file() -> Path | None:
    """The file of the running stack. None offline, and where the configuration comes from an environment or another file."""
    import pulumi
    from pulumi.runtime.settings import SETTINGS

    if SETTINGS.root_directory is None:
        return None
    path = Path(SETTINGS.root_directory) / f"Pulumi.{pulumi.get_stack()}.yaml"
    return path if path.is_file() else None


def _as_in(written: Any, value: Any) -> Any:
    """The decrypted values, as `{secure: ...}` where the stack file has them encrypted. A value that the file lacks counts as encrypted."""
    if isinstance(value, dict):
        known = written if isinstance(written, dict) and not is_encrypted(written) else {}
        return {key: entry if key == "source" else _as_in(known.get(key), entry) for key, entry in value.items()}
    return value if value == written or not isinstance(value, str) or not value else {"secure": value}


def read_stack_file(path: Path) -> dict[str, Any]:
    """The `config:` of a stack file; encrypted values appear as they stand, `{secure: ...}`.

    Raises:
        StackError: the file does not exist or is not the YAML of a stack.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if _is_deep(text):
            raise RecursionError
        content = yaml.load(text, StackLoader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        stacks = sorted(other.name.split(".")[1] for other in path.parent.glob("Pulumi.*.yaml"))
        raise StackError([Problem(path.name, "there is no such stack file", "stacks here: " + (", ".join(stacks) or "none"))]) from None
    except yaml.YAMLError as error:
        raise StackError([Problem(path.name, f"is not valid YAML: {_reason(error)}", "correct it")]) from None
    except RecursionError:
        raise StackError([Problem(path.name, "is nested too deeply", "no key of a stack is more than ten levels deep")]) from None
    except UnicodeDecodeError as error:
        raise StackError([Problem(path.name, f"is not text: {error.reason} at byte {error.start}", "save it as UTF-8")]) from None
    except OSError as error:
        raise StackError([Problem(path.name, f"cannot be read: {error.strerror}", "give a readable file")]) from None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise StackError([Problem(path.name, "has no `config:` mapping", "start from one of the shipped stack files")])
    return {str(key): value for key, value in config.items()}


def _is_deep(text: str) -> bool:
    """Whether the YAML may be nested so deeply that libyaml, which has no limit, would crash."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest > _MOST_NESTED or re.search(rf"^[ ?:-]{{{_MOST_NESTED},}}", text, re.MULTILINE) is not None


def _reason(error: yaml.YAMLError) -> str:
    """The YAML parser's message without the words that it quotes from the file, any of which may be a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        problem = error.problem if isinstance(error, DuplicateKeyError) else re.sub(r"'[^']{2,}'", "'...'", str(error.problem))
        return f"{problem}, in line {error.problem_mark.line + 1}"
    return "it holds characters that YAML forbids"


def load_stack_file(path: Path) -> Settings:
    """The settings of a stack file, without Pulumi and without decrypting anything.

    Raises:
        StackError: see `read_stack_file` and `config.parsing.parse`.
    """
    return parse(without_secret_values(read_stack_file(path)))


def _decoded(key: str, value: str) -> Any:
    """Decodes a section, which Pulumi passes as JSON."""
    if key.partition(":")[2] not in SECTIONS or not key.startswith(f"{PROJECT}:"):
        return value
    try:
        return json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        return value


def without_secret_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with marks in place of the values under `secrets`: see `config.secrets.masked`."""
    return {**config, SECRETS: masked(config[SECRETS])} if SECRETS in config else dict(config)
