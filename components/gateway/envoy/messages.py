"""Envoy's configuration as protobuf JSON: messages of type Any with their `@type`, and other common messages."""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]
_PREFIX = "type.googleapis.com/"


def typed(type_name: str, **fields: Any) -> Message:
    """An Any message with its `@type`."""
    return {"@type": _PREFIX + type_name, **fields}


def extension(name: str, type_name: str, **fields: Any) -> Message:
    """An extension (a filter, say) by name, with its configuration."""
    return {"name": name, "typed_config": typed(type_name, **fields)}


def http_filter(name: str, message: str, **fields: Any) -> Message:
    """One of Envoy's HTTP filters: `rbac` with its configuration, an `RBAC`, say."""
    return extension(f"envoy.filters.http.{name}", f"envoy.extensions.filters.http.{name}.v3.{message}", **fields)


def discovery(*resources: Message) -> Message:
    """The content of a file that Envoy watches."""
    return {"resources": list(resources)}


def watched(folder: str, file: str) -> Message:
    """A file that Envoy reads again when `folder` changes, as a mounted volume does by swapping a link in it."""
    return {"resource_api_version": "V3", "path_config_source": {"path": f"{folder}/{file}", "watched_directory": {"path": folder}}}


def header_input(name: str) -> Message:
    """`input` of a matcher that looks at a request's header."""
    return extension("header", "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)


def header_is(name: str, value: str) -> Message:
    """A `HeaderMatcher`."""
    return {"name": name, "string_match": {"exact": value}}


def header_set_to(name: str, value: str) -> Message:
    """A `HeaderValueOption` that leaves the header this one value."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def seconds(value: float) -> str:
    return f"{value:g}s"


def socket(address: str, port: int) -> Message:
    """An `Address`."""
    return {"socket_address": {"address": address, "port_value": port}}
