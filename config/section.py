"""The base class of every settings model: camelCase keys, frozen, unknown keys refused; and the value types that several models share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from config.errors import rule, suggestion
from config.numbers import StrictNumbers

NAME_PATTERN = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"


def camel(name: str) -> str:
    """`storage_gib` -> `storageGiB`: camelCase, with binary units spelt as Kubernetes spells them."""
    return to_camel(name).replace("Gib", "GiB").replace("Mib", "MiB")


class Section(StrictNumbers):
    """A mapping in the stack's YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel, allow_inf_nan=False)


@dataclass(frozen=True)
class Form:
    """A text format: its pattern for the JSON schema; its name (`what`) and how to write it (`advice`) for messages."""

    pattern: str
    what: str
    advice: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    def _checked(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value, re.ASCII):
            raise rule(f"'{value}' is not {self.what}", self.advice)
        return value


@dataclass(frozen=True)
class OneOf:
    """Text that must be in `names()`, a list read from a data file, where a Literal would be too long."""

    names: Callable[[], Sequence[str]]
    what: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": [*self.names()]}

    def _checked(self, value: str) -> str:
        if value not in self.names():
            raise rule(f"'{value}' is not {self.what}", suggestion(value, self.names(), otherwise="one of: " + ", ".join(self.names())))
        return value


def distinct(values: list[str]) -> list[str]:
    """Refuses a list with duplicates."""
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise rule(f"names {', '.join(twice)} twice", "name each once")
    return values


Name = Annotated[
    str, Form(NAME_PATTERN, "a Kubernetes name", "use at most 40 lower-case letters, digits and dashes, a letter first, no dash last")
]
# Kubernetes keeps counts and seconds in 32 bits.
INT32 = 2**31 - 1
NonNegative = Annotated[int, Field(ge=0, le=INT32)]
Positive = Annotated[int, Field(gt=0, le=INT32)]
Cpus = Annotated[float, Field(ge=0.1, le=10_000)]
MemoryGib = Annotated[float, Field(ge=1, le=1_000_000)]
Text = Annotated[str, StringConstraints(min_length=1)]


class Bounds(Section):
    """A minimum and a maximum count."""

    min: NonNegative
    max: NonNegative

    @model_validator(mode="after")
    def _are_ordered(self) -> Bounds:
        if self.min > self.max:
            raise rule(f"min {self.min} is above max {self.max}", "raise max or lower min")
        return self
