"""Formats of external names: Kubernetes objects, Google Cloud resources, DNS names, registries, chart repositories."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from config.errors import rule
from config.section import Form

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_WORD = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"

# kubernetes/apimachinery pkg/util/validation: IsDNS1123Subdomain (Secrets, StorageClasses, IngressClasses, ...), IsDNS1123Label.
ObjectName = Annotated[
    str,
    Form(rf"(?=.{{1,253}}$){_WORD}(\.{_WORD})*", "the name of a Kubernetes object", "use at most 253 lower-case letters, digits, - and ."),
]
NamespaceName = Annotated[
    str, Form(_LABEL, "the name of a namespace", "use at most 63 lower-case letters, digits and dashes, no dash first or last")
]
# Names of Compute Engine (RFC 1035), and of Certificate Manager.
GoogleName = Annotated[
    str,
    Form(
        "[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "a name of Google Cloud", "use at most 63 lower-case letters, digits and dashes, a letter first"
    ),
]
CertificateName = Annotated[
    str,
    Form("[a-zA-Z][a-zA-Z0-9_-]{0,63}", "a name of Certificate Manager", "use at most 64 letters, digits, - and _, a letter first"),
]
PROJECT_ID = r"([a-z][a-z0-9-]*(\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
_RFC1035 = "[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_SHARED = rf"projects/{PROJECT_ID}/reservations/"
Reservation = Annotated[
    str,
    Form(
        rf"({_SHARED})?{_RFC1035}(/reservationBlocks/{_RFC1035})?",
        "a Compute Engine reservation",
        "give its name, or projects/<owner>/reservations/<name> for one that another project shares",
    ),
]
DiskImage = Annotated[
    str,
    Form(
        rf"(projects/{PROJECT_ID}/)?global/images/{_RFC1035}",
        "a disk image",
        "write global/images/<name>, or projects/<project>/global/images/<name>",
    ),
]
# RFC 1123, at most 63 characters per label; a last label of digits only is refused, because the name is then an IP address.
HostName = Annotated[
    str,
    Form(
        rf"(?=.{{1,253}}$)({_LABEL}\.)+(?![0-9]+$){_LABEL}",
        "a DNS name",
        "write it as in llm.example.com: lower-case, labels of at most 63 letters, no address and no wildcard",
    ),
]


def _with_a_port_that_exists(value: str) -> str:
    port = value.rstrip("/").rpartition(":")[2]
    if port.isdigit() and not 0 < int(port) < 2**16:
        raise rule(f"'{value}' has a port that no server has", "give one between 1 and 65535")
    return value


Endpoint = Annotated[
    str,
    Form(
        r"https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/?",
        "the address of a server",
        "write https://host or http://host:port",
    ),
    AfterValidator(_with_a_port_that_exists),
]
# distribution/reference: a first part with a dot, a port or `localhost` is a registry.
_DOMAIN = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::[0-9]{1,5})?"
_REPOSITORY = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REGISTRY = rf"artifact-registry|{_DOMAIN}(?:/{_REPOSITORY})*/?"


def _registry(value: str) -> str:
    if "://" in value:
        raise rule(f"'{value}' is an address with a scheme, and images have none", f"write {value.partition('://')[2]}")
    if not re.fullmatch(_REGISTRY, value):
        raise rule(f"'{value}' is not a registry", "write host/path, as in registry.example.com/mirror, lower-case; or artifact-registry")
    return value


def _chart_source(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if separator and scheme not in ("oci", "https", "http"):
        raise rule(f"Helm cannot read charts from '{value}'", "give oci://..., https://... or a folder of .tgz files")
    if separator and not re.fullmatch(r"(?:\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:/[^\s?#]*)?", rest):
        raise rule(f"'{value}' has no host, or characters that a URL cannot have", "write it as in oci://registry.example.com/charts")
    if not value.strip() or value != value.strip() or not value.isprintable():
        raise rule(f"'{value}' is not a folder", "give the path of a folder of .tgz files, without blanks around it")
    return value


Registry = Annotated[str, AfterValidator(_registry), WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"})]
ChartSource = Annotated[str, AfterValidator(_chart_source), WithJsonSchema({"type": "string", "minLength": 1})]
