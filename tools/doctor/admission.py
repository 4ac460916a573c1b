"""Pods that the API server refused: they never exist, and only conditions and events of their owner show the refusal."""

from __future__ import annotations

import re

from tools.doctor.findings import Cause, Finding, fault

_QUOTA = re.compile(
    r"exceeded quota: (?P<quota>[\w.-]+), requested: (?P<requested>[^,]+), used: (?P<used>[^,]+), limited: (?P<limited>\S+)"
)


def refusal(about: str, message: str, subject: str) -> Finding:
    """Explains the API server's message."""
    if found := _QUOTA.search(message):
        said = f"ResourceQuota {found['quota']} allows {found['limited']}, {found['used']} is used and a pod asks for {found['requested']}"
        return fault(about, Cause.QUOTA_EXCEEDED, said, "raise or remove that quota: the plan does not include it", subject)
    if "insufficient quota to match these scopes" in message:
        said = "pods of a critical priority class are refused: the namespace has no ResourceQuota that allows them"
        return fault(about, Cause.QUOTA_EXCEEDED, said, "run `pulumi up`, which creates it", subject)
    if "violates PodSecurity" in message:
        said = "Pod Security refuses its pods: " + message.partition("violates PodSecurity ")[2]
        advice = "undo what was changed on the Deployment or on the namespace's labels: `pulumi up --refresh`"
        return fault(about, Cause.POD_SECURITY, said, advice, subject)
    said = f"the API server refuses its pods: {_without_names(message)}"
    return fault(about, Cause.ADMISSION_REFUSED, said, "find the webhook or policy, and exempt the platform's namespaces", subject)


def _without_names(message: str) -> str:
    """The API server's message without generated pod names, so that equal refusals have equal texts."""
    return re.sub(r'pods "[^"]+" is ', "it is ", message)
