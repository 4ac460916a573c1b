"""What a registry holds under a tag, by the distribution project's HTTP API; and what a chart repository's index says of an archive.

Stands on HTTPS. As Docker does it, a registry on this machine (`localhost:5000`) is asked over HTTP.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

import yaml

from config.catalog import Chart, Image, Loader

_TIMEOUT_SECONDS = 60
_HUB = "registry-1.docker.io"
# An index of several platforms first: its digest is the one that every node can pull by.
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class RegistryError(Exception):
    """The registry or repository did not say; the message tells why."""


def image_digest(image: Image) -> str:
    """The digest of what the tag means now, worked out from the manifest itself.

    Raises:
        RegistryError: no answer, no such tag, or an answer that contradicts itself.
    """
    host, _, path = image.repository.partition("/")
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    address = f"{_base(host)}/v2/{path}/manifests/{image.tag}"
    headers = {"Accept": ", ".join(_MANIFESTS)}
    try:
        body, answered = _get(address, headers)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        if error.code != 401 or not challenge.lower().startswith("bearer "):
            raise RegistryError(f"{host} answers {error.code} {error.reason}") from None
        body, answered = _with_token(address, headers, challenge, host)
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    said = answered.get("Docker-Content-Digest")
    if said is not None and said != digest:
        raise RegistryError(f"{host} says {said}, but what it sends has {digest}")
    return digest


def chart_digest(name: str, chart: Chart) -> str:
    """The digest of a chart's archive, by its repository's index.

    Raises:
        RegistryError: no answer, or the index does not have this version or its digest.
    """
    host = urllib.parse.urlsplit(chart.repository).netloc
    try:
        body, _ = _get(f"{chart.repository.rstrip('/')}/index.yaml", {})
        entries = yaml.load(body, Loader)["entries"][name]  # noqa: S506 - CSafeLoader is the safe loader in C
    except urllib.error.HTTPError as error:
        raise RegistryError(f"{host} answers {error.code} {error.reason}") from None
    except (yaml.YAMLError, KeyError, TypeError):
        raise RegistryError(f"the index of {host} has no chart {name}") from None
    digests = [entry.get("digest") for entry in entries if entry.get("version") == chart.version]
    if not digests or not re.fullmatch("[0-9a-f]{64}", str(digests[0])):
        raise RegistryError(f"the index of {host} has no digest for {name} {chart.version}")
    return f"sha256:{digests[0]}"


def _base(host: str) -> str:
    scheme = "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{_HUB if host == 'docker.io' else host}"


def _with_token(address: str, headers: Mapping[str, str], challenge: str, host: str) -> tuple[bytes, Any]:
    """Asks again with the token that the registry's own service gives to everybody."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.pop("realm", "")
    if urllib.parse.urlsplit(realm).scheme != urllib.parse.urlsplit(address).scheme:
        raise RegistryError(f"{host} sends to '{realm}' for a token")
    try:
        body, _ = _get(f"{realm}?{urllib.parse.urlencode(asked)}", {})
        answer = json.loads(body)
        return _get(address, headers, token=str(answer.get("token") or answer["access_token"]))
    except urllib.error.HTTPError as error:
        raise RegistryError(f"{host} answers {error.code} {error.reason}, to a token, too") from None
    except (ValueError, KeyError, AttributeError):
        raise RegistryError(f"{host} gives no token") from None


def _get(address: str, headers: Mapping[str, str], token: str | None = None) -> tuple[bytes, Any]:
    request = urllib.request.Request(address, headers=dict(headers))  # noqa: S310 - the scheme is _base's, or that of a pinned repository
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")  # never to a server that the registry redirects to
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return answer.read(), answer.headers
    except urllib.error.HTTPError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RegistryError(f"{urllib.parse.urlsplit(address).netloc} cannot be reached: {reason}") from None
