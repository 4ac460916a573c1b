"""`models.<name>.image`: a custom image of the model server, pinned to a tag or a digest."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from config.errors import rule

# Grammar of image references (distribution/reference): [registry/]repository[:tag][@digest].
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REGISTRY = r"(?:[A-Za-z0-9.-]+(?::[0-9]{1,5})?/)?"
_PATTERN = rf"{_REGISTRY}{_PART}(?:/{_PART})*(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?"
_ADVICE = "write registry/repository:tag, or registry/repository@sha256:<64 hexadecimal digits>"


def _checked(reference: str) -> str:
    match = re.fullmatch(_PATTERN, reference)
    if match is None:
        raise rule(f"'{reference}' is not an image", _ADVICE)
    if not match["tag"] and not match["digest"]:
        raise rule(f"'{reference}' has neither tag nor digest, so it means whatever is newest", _ADVICE)
    if match["tag"] == "latest" and not match["digest"]:
        raise rule("'latest' is another image tomorrow: replicas of one model would differ", _ADVICE)
    return reference


ImageReference = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "pattern": "[:@]"})]


def names_version(reference: str, version: str) -> bool:
    """Whether the image's tag says that it holds `version`: v0.33.0, 0.33.0-acme3."""
    tag = reference.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return re.match(rf"v?{re.escape(version)}(?![0-9.])", tag) is not None
