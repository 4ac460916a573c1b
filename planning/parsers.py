"""vLLM's tool call parser and reasoning parser of a model: from the stack, else from the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from config import catalog
from config.engine import OFF
from config.models import Model


@dataclass(frozen=True)
class Parsers:
    """Names of vLLM's parsers; None: no parser."""

    tool_call: str | None
    reasoning: str | None


def plan_parsers(model: Model) -> Parsers:
    row = catalog.model(model.source)
    tool_call = model.engine.tool_call_parser or (row.tool_call_parser if row else None)
    reasoning = model.engine.reasoning_parser or (row.reasoning_parser if row else None)
    return Parsers(*(None if name == OFF else name for name in (tool_call, reasoning)))
