"""Stricter numbers and booleans than pydantic's for the settings models: a boolean is not a number, and every declared bound applies.

pydantic converts `true` to 1 and 1 to `true`; if a field and its type both have an upper bound, it keeps only the last one.
Numeric text is accepted as a number: `pulumi config set --path` writes fractions as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# The stricter of two values, by the name of the bound.
_STRICTER: dict[str, Callable[[Any, Any], Any]] = {"ge": max, "gt": max, "le": min, "lt": min}


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "input should be a number")
    return value


def _switch(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise PydanticCustomError("switch_type", "input should be true or false")
    return value


_CHECKS = {"int": _number, "float": _number, "literal": _number, "bool": _switch}


class StrictNumbers(BaseModel):
    """Base model that refuses booleans as numbers and numbers as booleans, and applies all bounds of a field."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler(source)
        node = schema
        while node["type"] != "model-fields":
            node = node["schema"]
        for name, entry in node["fields"].items():
            entry["schema"] = _strict(entry["schema"], declared_bounds(cls.model_fields[name]))
        return schema


def declared_bounds(field: FieldInfo) -> dict[str, Any]:
    """The strictest bound of each kind (ge, gt, le, lt) that the field or its type declares; `| None` is ignored."""
    bounds: dict[str, Any] = {}
    for mark in _marks(field.annotation, field.metadata):
        for kind, stricter in _STRICTER.items():
            if (value := getattr(mark, kind, None)) is not None:
                bounds[kind] = stricter(bounds.get(kind, value), value)
    return bounds


def _marks(annotation: Any, metadata: Iterable[Any]) -> Iterator[Any]:
    for mark in metadata:
        yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)
    members = get_args(annotation)
    if NoneType in members:
        for member in members:
            yield from _marks(getattr(member, "__origin__", member), getattr(member, "__metadata__", ()))


def _strict(schema: Any, bounds: dict[str, Any]) -> Any:
    """Adds the checks and `bounds` to a field's schema, its items and keys included, but not to nested models."""
    kind = schema["type"]
    if kind == "function-before" and schema["function"]["function"] in (_number, _switch):
        return schema
    if kind in _CHECKS and not (kind == "literal" and all(isinstance(one, str) for one in schema["expected"])):
        narrowed: Any = {**schema, **bounds} if kind in ("int", "float") else schema
        return core_schema.no_info_before_validator_function(_CHECKS[kind], narrowed)
    if kind in ("model", "definition-ref", "definitions"):
        return schema
    for key, inner in schema.items():
        if key in ("schema", "items_schema", "keys_schema", "values_schema") and isinstance(inner, dict):
            schema[key] = _strict(inner, bounds if key == "schema" else {})
        elif key == "items_schema" and isinstance(inner, list):
            schema[key] = [_strict(item, {}) for item in inner]
    return schema
