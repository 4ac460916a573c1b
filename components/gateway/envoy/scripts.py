"""The two Lua filters: one reads what a request asks for, one reads its answer."""

from __future__ import annotations

from pathlib import Path

from components.gateway.envoy.messages import Message, extension
from components.gateway.envoy.replies import RETRY_AFTER_SECONDS
from planning.gateway import GatewayPlan

_FOLDER = Path(__file__).parent


def request(plan: GatewayPlan) -> Message:
    """Keeps the body until it is whole, finds its model and lets the route be chosen."""
    affinity = any(model.affinity.by == "prefix" for model in plan.models.values())
    return _lua("request", f"local AFFINITY = {str(affinity).lower()}", "json_model.lua", "request.lua")


def answer() -> Message:
    """Belongs before the filters whose answers it completes: of an answer, the first filter is the last to see it."""
    return _lua("answer", f'local RETRY_AFTER = "{RETRY_AFTER_SECONDS}"', "answer.lua")


def _lua(name: str, constants: str, *files: str) -> Message:
    source = "\n".join([constants, *((_FOLDER / file).read_text() for file in files)])
    return extension(name, "envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": source})
