"""Every resource of the recording with what Pulumi is asked for, as YAML, without the values of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.tokens import TOKEN, has_token
from tools.preview.lines import as_yaml
from tools.preview.offline import Recording, Resource

SECRET = "[secret]"
_CONTENT_OF_SECRETS = ("data", "stringData")


@dataclass(frozen=True)
class Entry:
    kind: str
    name: str
    namespace: str
    api: str
    """What defines the kind: `apps/v1`, `gcp:container`, `vllm-platform:serving`."""
    manifest: str
    """Empty for a component, which is what is in it."""


@dataclass(frozen=True)
class Group:
    """What is in one of the stack's own components."""

    name: str
    kind: str
    entries: tuple[Entry, ...]


def groups(recording: Recording) -> list[Group]:
    """In the order in which the components are registered; what is in none comes first."""
    by_urn = {one.urn: one for one in recording.resources}
    found: dict[str, list[Resource]] = {}
    for one in recording.resources:
        found.setdefault(_outermost(one, by_urn), []).append(one)
    return [_group(by_urn.get(urn), ones) for urn, ones in sorted(found.items(), key=lambda item: item[0] in by_urn)]


def _outermost(one: Resource, by_urn: Mapping[str, Resource]) -> str:
    """URN of the component that it is in, at any depth; of the stack for what is in none."""
    while one.parent in by_urn:
        one = by_urn[one.parent]
    return one.parent if one.custom else one.urn


def _group(component: Resource | None, ones: list[Resource]) -> Group:
    name, kind = (component.name, component.type.rpartition(":")[2]) if component else ("stack", "")
    return Group(name, kind, tuple(_entry(one) for one in ones))


def _entry(one: Resource) -> Entry:
    metadata = one.inputs.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    api, _, kind = one.type.removeprefix("kubernetes:").rpartition(":")
    namespace = named.get("namespace") or one.inputs.get("namespace") or ""
    return Entry(kind, one.name, str(namespace), api.partition("/")[0] if api.startswith("gcp:") else api, _manifest(one))


def _manifest(one: Resource) -> str:
    if not one.custom:
        return ""
    inputs = masked(one)
    first = {key: inputs[key] for key in ("apiVersion", "kind", "metadata") if key in inputs}
    return as_yaml(first | inputs, width=100)


def masked(one: Resource) -> dict[str, Any]:
    """Its inputs, with a mark in place of each secret and of what looks like a credential."""
    inputs = _masked(one.inputs, "", one.secrets)
    if one.inputs.get("kind") == "Secret":
        inputs |= {key: SECRET for key in _CONTENT_OF_SECRETS if key in inputs}
    return inputs


def _masked(value: Any, path: str, secrets: frozenset[str]) -> Any:
    if path in secrets:
        return SECRET
    if isinstance(value, dict):
        return {key: _masked(item, f"{path}.{key}" if path else key, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, f"{path}[{index}]", secrets) for index, item in enumerate(value)]
    return TOKEN if isinstance(value, str) and has_token(value) else value
