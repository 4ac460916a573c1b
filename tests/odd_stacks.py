"""Odd stacks for property tests: the shipped ones with values replaced, and ones made from the settings' schema with odd values in them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from config.stack_config import read_stack_file
from tests.stacks import BASE, stack
from tests.unit.right_platforms import RIGHT
from tools.reference.schema import stack_schema

ROOT = Path(__file__).parent.parent
STACKS = [BASE, *(read_stack_file(path) for path in sorted(ROOT.glob("Pulumi.*.yaml"))), *(stack(changes) for changes in RIGHT.values())]
SCHEMA = stack_schema()
DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]
# What YAML and JSON can hold beside the expected: other types, numbers without an end, text that means something to somebody.
ODD = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3,
    7,
    1000,
    2**31 - 1,
    2**31,
    2**63,
    10**400,
    -(10**30),
    0.0,
    0.5,
    -0.5,
    1e-300,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "true",
    "null",
    "nan",
    "a" * 5000,
    "a.b",
    "a/b",
    "[red]x[/red]",
    "${x}",
    "{{ x }}",
    "{x}",
    "%s",
    "\x00",
    "\u202e",
    "\ud83d\udca9",
    "\U0001f4a9",
    "\u212a",
    "..",
    "/",
    "--x",
    "a\nb",
    "a=b",
    "\uff11",
    b"bytes",
    {"a"},
    [("a", 1)],
    [],
    {},
    [[]],
    [None],
    [1, "a", {}],
    {"": 1},
    {1: 2},
    {None: {}},
    {"a": {"b": {"c": 1}}},
    {"secure": "v1:x"},
    {"secure": 1},
    DEEP,
]
odd = st.sampled_from(ODD).map(copy.deepcopy) | st.integers() | st.floats() | st.text(max_size=20)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield (*path, key)
            yield from _paths(entry, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index)
            yield from _paths(item, (*path, index))


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A stack that works, with up to four values replaced, removed, moved or put under a key that does not belong there."""
    config = copy.deepcopy(draw(st.sampled_from(STACKS)))
    for _ in range(draw(st.integers(1, 4))):
        paths = [*_paths(config)]
        if not paths:
            break
        *parents, last = draw(st.sampled_from(paths))
        target: Any = config
        for key in parents:
            target = target[key]
        how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "wrap"]))
        if how == "replace":
            target[last] = draw(odd)
        elif how == "remove":
            del target[last]
        elif how == "wrap":
            target[last] = draw(st.sampled_from([[target[last]], {"a": target[last]}, str(target[last])]))
        elif isinstance(target, dict) and parents:
            target[draw(st.text(max_size=12) | st.sampled_from(["a", "(x)", "[key]", "list[int]", "a.b", "7"]))] = draw(odd)
    return config


def _of(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a schema: of the right type mostly, within its bounds often."""
    if "$ref" in schema:
        return st.deferred(lambda: _of(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], depth))
    for key in ("enum", "const"):
        if key in schema:
            return st.sampled_from(schema[key] if key == "enum" else [schema[key]])
    if "anyOf" in schema:
        return st.one_of(*(_of(one, depth) for one in schema["anyOf"]))
    if isinstance(schema.get("type"), list):
        return st.one_of(*(_of(schema | {"type": one}, depth) for one in schema["type"]))
    if "oneOf" in schema:
        return st.one_of(*(_of(one, depth) for one in schema["oneOf"]))
    makers: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "object": lambda: _mapping(schema, depth + 1),
        "array": lambda: st.lists(_of(schema.get("items", {}), depth + 1), max_size=2),
        "integer": lambda: st.sampled_from([schema.get("minimum", 1), schema.get("maximum", 8), 1, 2, 4, 8, 4096, 2**31 - 1]),
        "number": lambda: st.sampled_from([schema.get("minimum", 0.5), schema.get("maximum", 1.0), 0.1, 0.5, 1.0, 16.0, 1e6]),
        "boolean": st.booleans,
        "null": st.none,
        "string": lambda: _text(schema),
    }
    return makers.get(schema.get("type", ""), lambda: odd)()


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    names = st.sampled_from(["l4", "qwen3-8b", "nvidia-l4", "g2-standard-12", "Qwen/Qwen3-8B", "10.0.0.0/20", "us-central1-a", "a", "a.b"])
    return names | (
        st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: len(text) < 300)
        if "pattern" in schema
        else st.text(max_size=8)
    )


def _mapping(schema: dict[str, Any], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    properties: dict[str, Any] = schema.get("properties", {})
    required = {key: _of(properties[key], depth) for key in schema.get("required", []) if key in properties}
    optional = {key: _of(one, depth) for key, one in properties.items() if key not in required}
    if not properties:
        further = schema.get("additionalProperties")
        value = _of(further, depth) if isinstance(further, dict) else odd
        return st.dictionaries(st.sampled_from(["l4", "qwen3-8b", "team-a", "g2-standard-12"]), value, max_size=2)
    return st.fixed_dictionaries(required, optional=optional)


SECTIONS = {name: _of(schema) for name, schema in SCHEMA["properties"]["config"]["properties"].items()}


@st.composite
def from_schema(draw: st.DrawFn) -> dict[str, Any]:
    """A stack that works, with one or two of its sections made from the schema."""
    config = copy.deepcopy(draw(st.sampled_from(STACKS)))
    for name in draw(st.lists(st.sampled_from(sorted(SECTIONS)), min_size=1, max_size=2, unique=True)):
        config[name] = draw(SECTIONS[name])
    return config
