"""The flags of `vllm serve` in the pinned version, and which of them `extraArgs` accepts.

`catalog/vllm_flags.json` lists what vLLM's own argument parser accepts, and gives each flag one of four classes: `owned` (a setting
writes it), `counted` (planning reads it), `free`, and `refused`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from config.errors import rule, suggestion

_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_TOO_LARGE = 2**63
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True)
class Flag:
    """An entry of `extraArgs`, as vLLM's parser reads it."""

    name: str
    """The flag's main name, whichever spelling was used."""
    keys: tuple[str, ...] = ()
    """The keys after the name in dotted notation: `--compilation-config.mode=3`."""
    value: Any = None
    """Of a boolean flag, whether it is on."""

    def __str__(self) -> str:
        return ".".join((self.name, *self.keys))


@cache
def catalogue() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "catalog" / "vllm_flags.json").read_text())


@cache
def flags_of_class(name: str) -> frozenset[str]:
    return frozenset(flag for flag, row in catalogue()["flags"].items() if row["class"] == name)


@cache
def _spellings() -> dict[str, str]:
    """Every accepted spelling -> the flag's main name."""
    names = {flag: flag for flag in catalogue()["flags"]} | catalogue()["aliases"]
    return names | {row["negation"]: flag for flag, row in catalogue()["flags"].items() if "negation" in row}


def checked(argument: str) -> str:
    """Returns `argument` if `parse` accepts it."""
    parse(argument)
    return argument


@cache
def parse(argument: str) -> Flag:
    """Parses one entry of `extraArgs`; raises `rule(...)` if it is malformed, unknown to the pinned vLLM, or not allowed."""
    spelling, has_value, text = argument.partition("=")
    version = catalogue()["version"]
    plain, dot, rest = spelling.partition(".")
    spelling = plain.replace("_", "-") + dot + rest  # as FlexibleArgumentParser of vLLM does
    if not (spelling.startswith("--") or plain in _spellings()) or " " in spelling:
        raise rule(f"'{spelling}' is not a flag", "write each entry as --flag or --flag=value")
    if spelling in catalogue()["removed"]:
        raise rule(f"vLLM {version} has removed {spelling}", catalogue()["removed"][spelling])
    plain, *keys = spelling.split(".")
    if "" in keys:
        raise rule(f"'{spelling}' is not a flag", "write a key after each dot")
    name = _spellings().get(plain)
    if name is None:
        raise rule(f"vLLM {version} has no flag {plain}", suggestion(plain, _spellings(), otherwise="see `vllm serve --help=all`"))
    row = catalogue()["flags"][name]
    _check_class(plain, row)
    if keys:
        return Flag(name, tuple(keys), _dotted(plain, row, spelling, text if has_value else None))
    return Flag(name, (), _value(plain, name, row, text if has_value else None))


def _check_class(spelling: str, row: dict[str, Any]) -> None:
    if row["class"] == "owned":
        raise rule(f"{spelling} is set by this program", f"use {row['setting']}")
    if row["class"] == "refused":
        reason = catalogue()["reasons"][row["reason"]]
        raise rule(f"{spelling} may not be set: {reason['because']}", reason["instead"])


def _dotted(plain: str, row: dict[str, Any], spelling: str, text: str | None) -> Any:
    """Value of one dotted key of a JSON flag, read as vLLM reads it: JSON, else a number with a suffix, else text."""
    if row.get("type") not in _JSON_TYPES:
        raise rule(f"{plain} has no keys", f"write {plain}" if row["boolean"] else f"write {plain}=<value>")
    if text is None:
        raise rule(f"{spelling} needs a value", f"write {spelling}=<value>")
    _check_keys(plain, row, [spelling.removesuffix("+").split(".")[1]])
    if spelling.endswith("+"):
        return text.split(",")
    for read in (json.loads, whole_number):
        try:
            return read(text)
        except (ValueError, RecursionError):
            continue
    return text


def _value(spelling: str, name: str, row: dict[str, Any], text: str | None) -> Any:
    if row["boolean"]:
        if text is None:
            return spelling == name or not spelling.startswith(("--no-", "--disable-"))
        off = row.get("negation", "nothing")
        raise rule(f"{spelling} takes no value, '{text}' would stop the server", f"write {spelling}, or {off} to turn it off")
    if text is None:
        raise rule(f"{spelling} needs a value", f"write {spelling}=<value>")
    _check_choice(spelling, text, [str(choice) for choice in row.get("choices", [])], "")
    _check_choice(spelling, text, row.get("allowed", []), f": {row.get('because')}")
    wanted, read = _READERS[row["type"]]
    try:
        value = read(text)
    except (ValueError, RecursionError):
        raise rule(f"{spelling} cannot be '{text}'", f"give {wanted}") from None
    if "least" in row and value < row["least"]:
        raise rule(f"{spelling} cannot be '{text}'", f"give at least {row['least']}")
    if isinstance(value, dict):
        _check_keys(spelling, row, value)
    return value


def _check_choice(spelling: str, text: str, choices: list[str], because: str) -> None:
    if choices and text not in choices:
        raise rule(f"{spelling} cannot be '{text}'{because}", suggestion(text, choices, otherwise="one of: " + ", ".join(choices)))


def _check_keys(spelling: str, row: dict[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        if "keys" in row and key not in row["keys"]:
            advice = suggestion(key, row["keys"], otherwise="one of: " + ", ".join(row["keys"]))
            raise rule(f"{spelling} has no key '{key}'", advice)


def whole_number(text: str) -> int:
    """A count as vLLM reads it (human_readable_int): 1k is 1,000 and 1K is 1,024; only k, m, g and t take a fraction."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgGtT])", text.strip())
    if match is None:
        return int(text)
    number, suffix = match.groups()
    return int(float(number) * _DECIMAL[suffix]) if suffix in _DECIMAL else int(number) * _BINARY[suffix]


def _bounded(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """`read`, but refusing NaN, infinities and numbers of 2**63 or more."""

    def bounded(text: str) -> Any:
        value = read(text)
        if not abs(value) < _TOO_LARGE:
            raise ValueError
        return value

    return bounded


def _collection(text: str) -> Any:
    value = json.loads(text)
    if not isinstance(value, (dict, list)):
        raise ValueError
    return value


def _object(text: str) -> Any:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError
    return value


def _json_or_text(text: str) -> Any:
    return json.loads(text) if text.lstrip().startswith("{") else text


_MAPPING = "a mapping in JSON, such as '{\"key\": 1}'"
# By type of flag: the expected value in words, and a reader that accepts what vLLM accepts.
_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "int": ("an integer", _bounded(int)),
    "float": ("a number", _bounded(float)),
    "whole number": ("an integer, such as 4096 or 4k", _bounded(whole_number)),
    "object": (_MAPPING, _object),
    "json": ("JSON", _collection),
    "json or text": (_MAPPING, _json_or_text),
    "text": ("text", str),
}
_JSON_TYPES = ("object", "json", "json or text")
