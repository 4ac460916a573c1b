"""The two Lua filters: one for requests, one for responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from components.gateway.envoy.messages import Message, extension
from components.gateway.envoy.replies import RETRY_AFTER_SECONDS
from components.gateway.envoy.routes import PREFIX_STATE
from config.gateway import USD_UNIT
from planning.gateway import GatewayPlan

_FOLDER = Path(__file__).parent


def request(plan: GatewayPlan) -> Message:
    """Buffers the whole body if there is memory for it, finds its `model`, and selects the route."""
    constants = {
        "AFFINITY": any(model.affinity.by == "prefix" for model in plan.models.values()),
        "PREFIX": PREFIX_STATE,
        "MAX_BODY": plan.max_body_bytes,
        "BODY_MEMORY": plan.body_memory_bytes,
        "CLIENT_BODY_MEMORY": plan.client_body_memory_bytes,
        "RETRY_AFTER": str(RETRY_AFTER_SECONDS),
    }
    return _lua("request", constants, "json_model.lua", "form_model.lua", "body_memory.lua", "request.lua")


def answer(plan: GatewayPlan) -> Message:
    """Must precede the filters whose local replies it completes: responses pass the filters in reverse order."""
    constants = {"RETRY_AFTER": str(RETRY_AFTER_SECONDS), "CLIENT_BUDGETS": bool(plan.budgets)}
    return _lua("answer", constants, *(["bill.lua"] if plan.budgets else []), "answer.lua")


def budget() -> Message:
    """Must precede the filter that asks the rate limit service, and follow the client's limits, which write the same headers."""
    return _lua("budget", {"UNITS_PER_USD": round(1 / USD_UNIT)}, "budget.lua")


def _lua(name: str, constants: Mapping[str, bool | int | str], *files: str) -> Message:
    """A filter whose script is these constants and these files."""
    # JSON literals of these types are valid Lua.
    lines = [f"local {constant} = {json.dumps(value)}" for constant, value in constants.items()]
    source = "\n".join([*lines, *((_FOLDER / file).read_text() for file in files)])
    return extension(name, "envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": source})
