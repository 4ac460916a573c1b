"""Annotations that a stack may set on the gateway's Service and Ingress, and those reserved for the program or for another setting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from config.errors import Problem, rule

# kubernetes/apimachinery pkg/api/validation: ValidateAnnotations.
_KEY = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_MOST_BYTES = 256 * 1024
_INTERNAL = ("internal", "true", "internal-only")


@dataclass(frozen=True)
class Owner:
    """Reserved annotations: their pattern, and the setting to use instead."""

    pattern: str
    setting: str


# Reserved on every object.
_PROGRAM = (
    Owner(r"(.*\.)?pulumi\.com/.*", "nothing: the program decides how Pulumi treats its objects"),
    Owner(r"vllm-platform/.*", "nothing: the program writes them itself"),
    Owner(
        r"meta\.helm\.sh/.*|kubectl\.kubernetes\.io/.*|(deployment|control-plane\.alpha)\.kubernetes\.io/.*", "nothing: they are tools' own"
    ),
)
# Reserved on a Service of type LoadBalancer: on GKE, and on any cluster.
_GKE = (Owner(r"(networking\.gke\.io|cloud\.google\.com)/load-balancer-type|cloud\.google\.com/l4-rbs", "gateway.loadBalancer.scope"),)
_SERVICE = (
    Owner(
        r"service\.beta\.kubernetes\.io/(load-balancer-source-ranges|azure-allowed-ip-ranges|azure-allowed-service-tags)"
        r"|service\.kubernetes\.io/load-balancer-source-ranges",
        "gateway.loadBalancer.sourceRanges",
    ),
    Owner(r"service\.beta\.kubernetes\.io/external-traffic|service\.alpha\.kubernetes\.io/.*", "nothing: the program sets it in the spec"),
)
# Annotations that make a load balancer internal on other clouds: their value must agree with gateway.loadBalancer.scope.
_SCOPES = re.compile(r".*/(.*-)?(load-balancer-internal|internal-load-balancer|load-balancer-scheme|load-balancer-type-internal)")
_INGRESS = (
    Owner(r"kubernetes\.io/ingress\.class", "gateway.ingress.className"),
    Owner(r".*/(server-alias|rewrite-target|app-root|use-regex)", "gateway.host; the paths are the program's"),
)
_REDIRECT = re.compile(r".*/(force-)?ssl-redirect|kubernetes\.io/ingress\.allow-http")


def _checked(annotations: dict[str, str]) -> dict[str, str]:
    for key in annotations:
        prefix, slash, _ = key.rpartition("/")
        if not _KEY.fullmatch(key) or (slash and len(prefix) > 253):
            raise rule(
                f"'{key}' is not the key of an annotation", "write it as in acme.example/owner, the part behind / at most 63 letters"
            )
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _MOST_BYTES:
        raise rule("annotations of an object may have 256 KiB together", "shorten them")
    return annotations


Annotations = Annotated[dict[str, str], AfterValidator(_checked)]


def service_annotation_problems(path: str, annotations: Mapping[str, str], *, gke: bool, scope: str) -> Iterator[Problem]:
    """Annotations of the load balancer's Service that would override another setting of the stack."""
    yield from _owned(path, annotations, (*_PROGRAM, *_SERVICE, *(_GKE if gke else ())))
    for key, value in annotations.items():
        if _SCOPES.fullmatch(key) and (value.lower() in _INTERNAL) is not (scope == "internal"):
            fix = f"set gateway.loadBalancer.scope to {'external' if scope == 'internal' else 'internal'}, or correct the annotation"
            yield Problem(f"{path}.{key}", f"'{value}' contradicts gateway.loadBalancer.scope, which is {scope}", fix)


def ingress_annotation_problems(path: str, annotations: Mapping[str, str], *, insecure: bool) -> Iterator[Problem]:
    yield from _owned(path, annotations, (*_PROGRAM, *_INGRESS))
    for key, value in annotations.items():
        clear = "true" if key.endswith("allow-http") else "false"
        if _REDIRECT.fullmatch(key) and value.lower() == clear and not insecure:
            yield Problem(f"{path}.{key}", "would let keys and prompts in without TLS", "remove it; or say gateway.insecure: true")


def _owned(path: str, annotations: Mapping[str, str], owners: tuple[Owner, ...]) -> Iterator[Problem]:
    for key in annotations:
        for owner in owners:
            if re.fullmatch(owner.pattern, key):
                yield Problem(f"{path}.{key}", "is not yours to set: it would override what the program writes", f"use {owner.setting}")
