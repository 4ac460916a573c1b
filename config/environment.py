"""`models.<name>.engine.environment`: variables of the model server's container, by the allow-list catalog/vllm_environment.yaml.

Refused: secrets, because the pod's spec shows them; variables that the program sets; variables that would change the plan.
Messages never contain a value.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from config import catalog
from config.errors import rule, suggestion

_SECRET = re.compile(r"(^|_)(TOKEN|KEY|KEY_ID|SECRET|PASS|PASSWD|PASSWORD|CREDENTIALS?|AUTH)$", re.IGNORECASE)
# Prefix of the variables that the Hugging Face download reads.
DOWNLOAD_PREFIX = "HF_"


def _checked_name(name: str) -> str:
    if _SECRET.search(name):
        fix = "use secrets.huggingFaceToken" if name.startswith(DOWNLOAD_PREFIX) else "remove it; secrets belong under `secrets`"
        raise rule(f"{name} looks like a secret, and everybody who may read the pod would see it", fix)
    known = catalog.environment()
    if reason := _reason(name, known.refused):
        raise rule(f"{name} may not be set: {reason}", "remove it")
    if name.startswith("VLLM_"):
        return _known_to_vllm(name, known)
    if not _reason(name, known.prefixes):
        names = [*known.prefixes, "VLLM_"]
        raise rule(f"{name} is not a variable that may be set", "allowed prefixes: " + ", ".join(names))
    return name


def _known_to_vllm(name: str, known: catalog.EnvironmentVariables) -> str:
    if name in known.replaced:
        raise rule(f"vLLM {known.version} has removed {name}", f"use {known.replaced[name]}")
    if name in known.removed:
        raise rule(f"vLLM {known.version} has removed {name}", "remove it")
    if name not in known.vllm:
        free = [one for one in known.vllm if not _reason(one, known.refused)]
        raise rule(
            f"vLLM {known.version} has no variable {name}", suggestion(name, free, otherwise="most settings are flags: see `engine`")
        )
    return name


def _reason(name: str, reasons: dict[str, str]) -> str | None:
    """Reason of the entry that equals `name`, or that ends in _ and is a prefix of it."""
    return reasons.get(name) or next((reason for entry, reason in reasons.items() if entry.endswith("_") and name.startswith(entry)), None)


def _as_text(value: Any) -> Any:
    """Accepts an integer too: `pulumi config set` stores digits as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise rule("the value is not text", "write it in quotes, such as '1'")
    return value


VariableName = Annotated[str, AfterValidator(_checked_name)]
VariableValue = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "integer"]})]
