"""The base of every settings model: camelCase keys, frozen, unknown keys refused; and the value types that several share."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from config.errors import rule

NAME_PATTERN = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"


def camel(name: str) -> str:
    """`storage_gib` -> `storageGiB`: camelCase, with binary units spelt as Kubernetes spells them."""
    return to_camel(name).replace("Gib", "GiB").replace("Mib", "MiB")


class Section(BaseModel):
    """A mapping in the stack's YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel)


def _name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise rule(
            f"'{value}' is not a Kubernetes name",
            "use at most 40 lower-case letters, digits and dashes, a letter first, no dash last",
        )
    return value


def _cidr(value: str) -> str:
    try:
        IPv4Network(value)
    except ValueError as error:
        raise rule(f"'{value}' is not an IPv4 range: {error}", "write it as in 10.0.0.0/20") from None
    return value


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"})]
Cidr = Annotated[str, AfterValidator(_cidr), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+){3}(/[\d.]+)?$"})]
NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
