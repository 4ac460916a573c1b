"""From the bytes of a body to a request, with vLLM's answers to what is none."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from tools.demo.model_server.errors import detail, invalid, unsupported_media_type
from tools.demo.model_server.requests import ModelRequest

# Segments by which pydantic says how it has read a value; vLLM leaves them out.
_WAYS = frozenset(("str", "int", "float", "bool", "dict", "list"))
_Asked = TypeVar("_Asked", bound=ModelRequest)


def parse(body: bytes, content_type: str, kind: type[_Asked]) -> _Asked:
    """The request in a body. Of a key given twice the last one counts, as for every reader that builds on Python's json.

    Raises:
        ApiError: no JSON, or not of this kind.
    """
    found = _json(body)
    if content_type != "application/json":
        raise unsupported_media_type()
    if found is None:
        raise invalid([{"type": "missing", "loc": "body", "msg": "Field required", "input": None}])
    if not isinstance(found, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise invalid([{"type": "model_attributes_type", "loc": "body", "msg": message, "input": found}])
    kind.refuse(found)
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise invalid([problem | {"loc": _place(problem["loc"])} for problem in error.errors(include_url=False)]) from None


def _json(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        place = f"body.{error.pos}"
        problem = {"type": "json_invalid", "loc": place, "msg": "JSON decode error", "input": {}, "ctx": {"error": error.msg}}
        raise invalid([problem]) from None
    except (ValueError, RecursionError):  # not UTF-8, numbers of thousands of digits, nested too deep
        raise detail(400, "There was an error parsing the body") from None


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in ("body", *loc) if part not in _WAYS and "[" not in str(part))
