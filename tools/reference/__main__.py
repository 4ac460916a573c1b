"""`make reference`: docs/reference.md, every key of a stack file with its type, default and meaning, from the settings models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from config.section import INT32
from tools.reference.schema import stack_schema
from tools.stacks import ROOT

FILE = ROOT / "docs" / "reference.md"
_HEADING = """# Reference of the stack configuration

Made by `make reference` from the settings models. Keys are `vllm-platform:<section>` in `Pulumi.<stack>.yaml`; a name in angle
brackets is yours to choose. `architecture` is described by `make describe-model`.
"""

# Longer lists are in the schema, where editors complete them.
_MOST_LISTED = 12


def reference_markdown() -> str:
    schema = stack_schema()
    sections = schema["properties"]["config"]["properties"]
    parts = [_HEADING]
    for key, section in sections.items():
        rows = [f"| `{path}` | {kind} | {default} | {description} |" for path, kind, default, description in _rows(section, "", schema)]
        parts.append(
            f"\n## {key}\n\n{section.get('description', '')}\n\n| key | type | default | meaning |\n|---|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "".join(parts)


def _rows(node: dict[str, Any], prefix: str, schema: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    node = _resolved(node, schema)
    for option in node.get("oneOf", ()):
        provider = _resolved(option, schema)["properties"]["provider"]["const"]
        yield from _rows(option, f"{prefix}(provider {provider}) ", schema)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _rows(node["additionalProperties"], f"{prefix}<name>.", schema)
    for key, value in node.get("properties", {}).items():
        resolved = _resolved(value, schema)
        description = value.get("description") or resolved.get("description", "")
        nested = key != "architecture" and ("properties" in resolved or isinstance(resolved.get("additionalProperties"), dict))
        default = "required" if key in node.get("required", ()) else _default(value, nested=nested)
        yield f"{prefix}{key}", _type(value, schema), default, description.replace("|", "\\|").replace("\n", " ")
        if nested:
            yield from _rows(resolved, f"{prefix}{key}.", schema)


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference, or behind 'this or null' and 'text or this'."""
    if "$ref" in node:
        return schema["$defs"][node["$ref"].rpartition("/")[2]]
    options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
    referenced = [option for option in options if "$ref" in option]
    chosen = options if len(options) == 1 else referenced
    return _resolved(chosen[0], schema) if len(chosen) == 1 else node


def _type(node: dict[str, Any], schema: dict[str, Any]) -> str:
    is_text_too = {"string", None} <= {option.get("type") for option in node.get("anyOf", ())}
    node = _resolved(node, schema)
    if is_text_too:
        return f"string or {node['type']}"
    if "enum" in node:
        if len(node["enum"]) > _MOST_LISTED:
            return f"one of {len(node['enum'])} names"
        return " or ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    if node.get("type") == "array":
        return f"list of {_type(node['items'], schema)}"
    bounds = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    limits = [f"{sign} {node[key]}" for key, sign in bounds.items() if node.get(key, INT32) != INT32]
    return " ".join([str(node.get("type", "string")), ", ".join(limits)]).strip()


def _default(node: dict[str, Any], *, nested: bool) -> str:
    value = node.get("default")
    return "" if value in (None, [], {}) or nested else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> int:
    FILE.write_text(reference_markdown())
    print(f"wrote {FILE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
