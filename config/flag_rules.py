"""Rules between the entries of a model's `extraArgs`, and between them and its other settings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

from config.engine_flags import Flag, catalogue, parse
from config.errors import Problem
from config.models import Model


def flag_rules(path: str, model: Model) -> Iterator[Problem]:
    flags = [parse(argument) for argument in model.engine.extra_args]
    for index, flag in enumerate(flags):
        entry = f"{path}.engine.extraArgs[{index}]"
        for earlier in flags[:index]:
            yield from _twice(entry, flag, earlier)
        yield from _needs(entry, flag, flags, model)
        if flag.name == "--load-format" and model.weights.uri:
            yield Problem(entry, "weights in a bucket are loaded with --load-format=runai_streamer", "remove it, or weights.uri")


def _twice(entry: str, flag: Flag, earlier: Flag) -> Iterator[Problem]:
    """vLLM uses the last of two equal flags, and of `--flag=<JSON>` beside `--flag.key=<value>` only the dotted keys."""
    if flag.name == earlier.name and _overlap(flag.keys, earlier.keys):
        opposite = catalogue()["flags"][flag.name]["boolean"] and flag.value != earlier.value
        yield Problem(entry, f"{flag} is given {'with its opposite' if opposite else 'twice'}, and the last would win", "remove one")
    for one, other in ((flag, earlier), (earlier, flag)):
        same = catalogue()["flags"][one.name].get("same_as", "")
        said = other.name == same.partition(".")[0] and (str(other) == same or (not other.keys and same.partition(".")[2] in other.value))
        if same and said:
            yield Problem(entry, f"{one} and {same} say the same thing, and vLLM refuses to choose", "remove one")


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one dotted path contains the other. `key+=` appends to a list and may be repeated."""
    shortest = min(len(one), len(other))
    return one[:shortest] == other[:shortest] and not (one == other and one[-1:] and one[-1].endswith("+"))


def _needs(entry: str, flag: Flag, flags: list[Flag], model: Model) -> Iterator[Problem]:
    row = catalogue()["flags"][flag.name]
    if "needs" not in row or flag.value is False:
        return
    needed = row["needs"]
    if needed.startswith("--"):
        name, _, value = needed.partition("=")
        met = any(other.name == name and other.value == (value or True) for other in flags)
    else:
        met = bool(reduce(_member, needed.split("."), model))
    if not met:
        yield Problem(entry, f"{flag.name} needs {needed}: {row['because']}", f"set {needed}, or remove it")


def _member(section: Any, name: str) -> Any:
    return getattr(section, name, None)
