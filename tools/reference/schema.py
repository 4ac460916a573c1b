"""`make schema`: the JSON Schema of a stack file, for editors that complete and check `Pulumi.<stack>.yaml` while it is written.

Owns the shape around the sections (Pulumi's own keys, secrets, keys of other namespaces); the sections themselves come from the
settings models. Rules between keys are the preview's: a schema cannot say them.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal, get_args

from pydantic import AliasChoices, BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from config.architecture import Architecture
from config.budget import Budget
from config.cluster import Cluster
from config.gateway import Gateway
from config.models import BANNED_NAMES, Model
from config.node_pools import NodePool
from config.platform import Platform
from config.secrets import Secrets, SecretSource
from config.section import Name
from config.settings import PROJECT
from tools.stacks import ROOT

FILE = ROOT / "schema" / "stack.schema.json"
_SECURE = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"secure": {"type": "string"}}, "required": ["secure"], "additionalProperties": False},
    ]
}
_DESCRIPTIONS = {
    "cluster": "Where the platform runs: a GKE cluster that this program owns, or any cluster that a kubeconfig reaches.",
    "nodePools": "The machines that model servers run on, by name.",
    "models": "The models to serve, by name.",
    "platform": "What every model shares.",
    "gateway": "The one address of all models, who may call it, and how it is reached.",
    "budget": "What a month may cost.",
    "secrets": "Tokens and passwords, set with `pulumi config set --secret --path`.",
}


class _Untitled(GenerateJsonSchema):
    """Leaves out titles made of field names: editors would show them instead of the description."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def stack_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `Pulumi.<stack>.yaml`."""
    sections, definitions = _sections()
    config = {
        "type": "object",
        "properties": {f"{PROJECT}:{name}": {"description": _DESCRIPTIONS[name], **schema} for name, schema in sections.items()},
        "patternProperties": {rf"^(?!{PROJECT}:)[^:]+:.": {}},
        "required": [f"{PROJECT}:cluster"],
        "additionalProperties": False,
    }
    text = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack of vllm-platform",
        "type": "object",
        "properties": {"config": config, "encryptionsalt": text, "secretsprovider": text, "encryptedkey": text, "environment": {}},
        "required": ["config"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _sections() -> tuple[dict[str, Any], dict[str, Any]]:
    """Schemas of the sections, and the definitions that they share."""
    types: dict[str, Any] = {
        "cluster": Cluster,
        "nodePools": dict[Name, NodePool],
        "models": dict[Name, Model],
        "platform": Platform,
        "gateway": Gateway,
        "budget": Budget,
        "secrets": Secrets,
    }
    adapters: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (name, "validation", TypeAdapter(kind)) for name, kind in types.items()
    ]
    schemas, shared = TypeAdapter.json_schemas(adapters, by_alias=True, schema_generator=_Untitled)
    definitions = shared["$defs"]
    _accept_spellings(definitions["Architecture"], Architecture)
    _accept_encrypted(definitions["Secrets"])
    clients = definitions["Gateway"]["properties"]["clients"]
    clients |= _by_name(definitions, clients)
    del clients["patternProperties"]
    sections = {name: dict(schemas[name, "validation"]) for name in types}
    for name in ("nodePools", "models"):
        sections[name] = _by_name(definitions, sections[name])
    return sections, definitions


def _by_name(definitions: dict[str, Any], mapping: dict[str, Any]) -> dict[str, Any]:
    """A mapping whose keys are names. pydantic writes the key's pattern as a pattern of properties, which lets others through."""
    (entry,) = mapping["patternProperties"].values()
    names = TypeAdapter(Name).json_schema()
    if entry == {"$ref": "#/$defs/Model"}:
        names = {**names, "not": {"enum": sorted(BANNED_NAMES)}}
    return {"type": "object", "propertyNames": names, "additionalProperties": entry}


def _accept_spellings(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Every spelling of a key that has several, and at least one of them where it is required."""
    for name, field in model.model_fields.items():
        if not isinstance(field.validation_alias, AliasChoices):
            continue
        spellings = [str(choice) for choice in field.validation_alias.choices]
        described = schema["properties"][name]
        for other in spellings[1:]:
            schema["properties"][other] = {**described, "description": f"As {name}. {described['description']}"}
        if name in schema["required"]:
            schema["required"].remove(name)
            schema.setdefault("allOf", []).append({"anyOf": [{"required": [spelling]} for spelling in spellings]})


def _accept_encrypted(schema: dict[str, Any]) -> None:
    for name, value in schema["properties"].items():
        kept = {key: value[key] for key in ("description", "default") if value.get(key) is not None}
        kinds = {
            "source": {"type": "string", "enum": [*get_args(SecretSource)]},
            "clientKeys": {"type": "object", "additionalProperties": _SECURE},
        }
        schema["properties"][name] = {**kept, **kinds.get(name, _SECURE)}


def as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def main() -> int:
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(as_text(stack_schema()))
    print(f"wrote {FILE.parent.name}/{FILE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
