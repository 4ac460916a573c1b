"""IPv4 CIDR ranges: their format, and the ranges that a VPC prohibits."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from config.errors import rule

# cloud.google.com/vpc/docs/subnets#prohibited-ranges
_PROHIBITED = {
    IPv4Network("0.0.0.0/8"): "this network",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local and metadata",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("255.255.255.255/32"): "broadcast",
    IPv4Network("199.36.153.4/30"): "Google's private access",
    IPv4Network("199.36.153.8/30"): "Google's private access",
}
_FORM = r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}"


def _cidr(value: str) -> str:
    try:
        network = IPv4Network(value, strict=False)
    except ValueError:
        raise rule(f"'{value}' is not an IPv4 range", "write it as in 10.0.0.0/20") from None
    if not re.fullmatch(_FORM, value):
        raise rule(f"'{value}' is not an IPv4 range with its length", f"write {network}")
    if str(network) != value:
        raise rule(f"'{value}' is not an IPv4 range: the address lies inside it", f"write {network}")
    return value


def _usable(value: str) -> str:
    network = IPv4Network(value)
    for other, purpose in _PROHIBITED.items():
        if network.overlaps(other):
            raise rule(f"'{value}' has addresses of {other}, which are {purpose}'s", "choose a private range, as in 10.0.0.0/20")
    return value


def _source(value: str) -> str:
    return value if IPv4Network(value).prefixlen == 0 else _usable(value)


_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{_FORM}$"})
# Cidr: a range of the network itself. SourceCidr: clients that may connect; 0.0.0.0/0 allows all.
Cidr = Annotated[str, AfterValidator(_cidr), AfterValidator(_usable), _SCHEMA]
SourceCidr = Annotated[str, AfterValidator(_cidr), AfterValidator(_source), _SCHEMA]


def overlap(one: str, other: str) -> bool:
    return IPv4Network(one).overlaps(IPv4Network(other))
