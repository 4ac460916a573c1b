"""Errors with vLLM's statuses, shapes and words: OpenAI's shape, FastAPI's where its router or its reader refuses, and Anthropic's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LONGEST_INPUT = 200  # characters of a wrong value that are repeated


class ApiError(Exception):
    """An answer that is an error: `status`, `body` and `headers` are what the client gets."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body)
        self.status, self.body, self.headers = status, body, headers or {}


def error(status: int, message: str, kind: str, param: str | None = None) -> ApiError:
    return ApiError(status, {"error": {"message": message, "type": kind, "param": param, "code": status}})


def detail(status: int, message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    """What FastAPI says itself."""
    return ApiError(status, {"detail": message}, headers)


def as_anthropic(found: ApiError) -> ApiError:
    """The same error to a client of /v1/messages."""
    inner = found.body["error"]
    return ApiError(found.status, {"type": "error", "error": {"type": inner["type"], "message": inner["message"]}})


def invalid(problems: list[dict[str, Any]]) -> ApiError:
    """What does not have the form of a request. `problems`: as pydantic tells them."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''}"
    lines = "\n".join(f"  {problem | {'input': _shortened(problem['input'])}}" for problem in problems)
    return error(400, f"{count}:\n{lines}", "Bad Request", problems[0]["loc"])


def unsupported_media_type() -> ApiError:
    return error(400, "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed", "Bad Request")


def impossible(message: str, param: str | None = None, value: Any = None) -> ApiError:
    """A request of the right form for what the model cannot do."""
    named = "" if param is None else f" (parameter={param})" if value is None else f" (parameter={param}, value={value})"
    return error(400, message + named, "BadRequestError", param)


def no_such_model(name: str, served: tuple[str, ...]) -> ApiError:
    return error(404, f"The model `{name}` does not exist. Valid aliases: {', '.join(served)}.", "NotFoundError", "model")


def no_such_response(name: str) -> ApiError:
    """None is kept."""
    return error(404, f"Response with id '{name}' not found.", "invalid_request_error", "response_id")


def overflow() -> ApiError:
    """503: over --max-num-queued-reqs."""
    message = "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance."
    return error(503, message, "Service Unavailable")


def shut_down() -> ApiError:
    """What new requests get while the engine drains."""
    return error(500, "cannot schedule new futures after shutdown", "InternalServerError")


def _shortened(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"<{type(value).__name__} of {len(value)} items>"
    text = str(value)
    return text if len(text) <= _LONGEST_INPUT else text[:_LONGEST_INPUT] + "...[truncated]"
