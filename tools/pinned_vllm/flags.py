"""Updates `config/catalog/vllm_flags.json` from vLLM's argument parser. Keeps the class of each flag; new flags have none."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import vllm.config
from vllm.entrypoints.common.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser

CATALOGUE = Path(__file__).parents[2] / "config" / "catalog" / "vllm_flags.json"
# Columns that come from the parser; the others are maintained by hand.
PARSED = ("boolean", "negation", "type", "choices", "keys", "nargs")
# Sample values that identify the type of a flag by which of them its reader accepts.
_TEXTS = ("text", "1", "1.5", "1k", "{}", "[]", "{bad")
_TYPES = {
    ("1",): "int",
    ("1", "1.5"): "float",
    ("1", "1k"): "whole number",
    ("{}",): "object",
    ("1", "1.5", "{}", "[]"): "json",
}


def rewrite() -> list[str]:
    """Rewrites the parser's columns; returns the flags without a class."""
    catalogue = json.loads(CATALOGUE.read_text())
    ours = {flag: {key: value for key, value in row.items() if key not in PARSED} for flag, row in catalogue["flags"].items()}
    rows: dict[str, dict[str, Any]] = {}
    for action in make_arg_parser(FlexibleArgumentParser())._actions:
        name = _name(action)
        if name and name != "--help":
            rows[name] = ours.get(name, {}) | _parsed(name, action)
    catalogue |= {"version": vllm.__version__, "flags": dict(sorted(rows.items()))}
    CATALOGUE.write_text(written(catalogue))
    return [flag for flag, row in rows.items() if "class" not in row]


def written(catalogue: dict[str, Any]) -> str:
    """The catalogue as JSON, one row per line."""
    sections = []
    for key, value in catalogue.items():
        if isinstance(value, dict):
            rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in value.items())
            sections.append(f" {json.dumps(key)}: {{\n{rows}\n }}")
        else:
            sections.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _name(action: argparse.Action) -> str | None:
    """The positive spelling: `--enable-x` of an action whose options are `--disable-x` and `--enable-x`."""
    names = [option for option in action.option_strings if option.startswith("--")]
    positive = [name.replace("--disable-", "--enable-", 1) for name in names[:1]]
    return next((name for name in positive if name in names), names[0] if names else None)


def _parsed(name: str, action: argparse.Action) -> dict[str, Any]:
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return {"boolean": True} | ({"negation": negation} if (negation := _negation(name, action)) else {})
    row: dict[str, Any] = {"boolean": False, "type": _type(action)}
    if action.choices:
        row["choices"] = [str(choice) for choice in action.choices]
    if action.nargs:
        row["nargs"] = action.nargs
    if row["type"] == "object" and (keys := _keys(name)):
        row["keys"] = keys
    return row


def _negation(name: str, action: argparse.Action) -> str | None:
    """`--no-enable-x` for an action named `--enable-x`; `--disable-x` for an action with that name."""
    if isinstance(action, argparse._StoreTrueAction):
        return None
    first = action.option_strings[0]
    return first if first.startswith("--disable-") else "--no-" + name.removeprefix("--")


def _type(action: argparse.Action) -> str:
    read: Callable[[str], Any] = action.type if callable(action.type) else str
    if getattr(read, "__name__", "") == "union_dict_and_str":
        return "json or text"
    accepted = tuple(text for text in _TEXTS if _accepts(read, text))
    return _TYPES.get(accepted, "text")


def _accepts(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        return False
    return True


def _keys(name: str) -> list[str]:
    """Fields of the configuration class behind a JSON flag, such as CompilationConfig for `--compilation-config`."""
    wanted = name.removeprefix("--").replace("-", "")
    found = [value for key, value in vars(vllm.config).items() if key.lower() == wanted and dataclasses.is_dataclass(value)]
    return [field.name for field in dataclasses.fields(found[0]) if field.init] if found else []
