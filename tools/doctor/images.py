"""Images that cannot be pulled: the registry's or kubelet's reason, and the advice. No I/O."""

from __future__ import annotations

import re

from tools.doctor.objects import Container, Object

REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_ANSWERS = (
    (r"\b429\b|toomanyrequests|rate limit", "too many requests (429)", "mirror the images: platform.imageMirror"),
    (r"\b401\b|unauthorized|authentication required", "no valid credentials (401)", "give the nodes access to the registry, or mirror it"),
    (r"\b403\b|forbidden|denied", "no permission (403)", "give the nodes' account read access (on GKE: roles/artifactregistry.reader)"),
    (r"\b404\b|not found|manifest unknown", "no such image (404)", "correct platform.imageMirror, or copy the image into that registry"),
    (
        r"no such host|timeout|connection refused|deadline exceeded",
        "no answer",
        "give the nodes egress to the registry (NAT, proxy) or a mirror",
    ),
    (r"no space left", "no space left on the node", "raise the pool's bootDiskGib"),
    (r"invalid", "not an image's name", "correct platform.imageMirror"),
)


def refusal(container: Container, events: list[Object]) -> tuple[str, str]:
    """Message and advice. During ImagePullBackOff the reason may be in an event only."""
    image = container.status.get("image", "")
    failures = [event.get("message", "") for event in events if event.get("reason") == "Failed" and image in event.get("message", "")]
    text = " ".join([container.waiting.get("message", ""), *failures[-2:]])
    for pattern, answer, advice in _ANSWERS:
        if re.search(pattern, text, re.IGNORECASE):
            return f"image {image} cannot be pulled: {answer}", advice
    return f"image {image} cannot be pulled: {text.strip() or container.waiting['reason']}", "see `kubectl describe pod`"
