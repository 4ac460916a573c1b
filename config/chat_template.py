"""`models.<name>.engine.chatTemplate`: the text of a Jinja template. It travels in the stack's YAML, so that a preview shows it whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from config.errors import rule
from config.section import Text

# Kubernetes limits a ConfigMap to 1 MiB; 4 KiB are left for its keys and metadata.
MOST_BYTES = 1024**2 - 4096


def _checked(template: str) -> str:
    """vLLM reads a chat template without {{ or {% as the path of a file, which the pod does not have."""
    if "{{" not in template and "{%" not in template:
        raise rule("has neither {{ nor {%, so it is no Jinja template", "give the template's text, as a block: `chatTemplate: |`")
    if (size := len(template.encode())) > MOST_BYTES:
        raise rule(f"has {size:,} bytes, and a ConfigMap holds {MOST_BYTES:,}", "shorten it")
    return template


ChatTemplate = Annotated[Text, AfterValidator(_checked)]
