"""Errors in OpenAI's format, with vLLM's statuses, types and texts."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error response: its HTTP `status` and `body`."""

    def __init__(self, status: int, message: str, kind: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


def invalid(problems: list[Any], param: str | None) -> ApiError:
    """400: the body does not validate."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''}"
    return ApiError(400, f"{count}:\n" + "\n".join(f"  {problem}" for problem in problems), "Bad Request", param)


def impossible(message: str, param: str) -> ApiError:
    """A valid request that the model cannot serve."""
    return ApiError(400, message, "BadRequestError", param)


def no_such_model(name: str, served: tuple[str, ...]) -> ApiError:
    return ApiError(404, f"The model `{name}` does not exist. Valid aliases: {', '.join(served)}.", "NotFoundError", "model")


def overflow() -> ApiError:
    """503: over --max-num-queued-reqs."""
    message = "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance."
    return ApiError(503, message, "Service Unavailable")


def shut_down() -> ApiError:
    """Response to new requests while the engine drains."""
    return ApiError(500, "cannot schedule new futures after shutdown", "InternalServerError")
