"""Errors in OpenAI's shape, with vLLM's statuses, types and words."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer that is an error: `status` and `body` are what the client gets."""

    def __init__(self, status: int, message: str, kind: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


def invalid(problems: list[Any], param: str | None) -> ApiError:
    """What does not have the form of a request."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''}"
    return ApiError(400, f"{count}:\n" + "\n".join(f"  {problem}" for problem in problems), "Bad Request", param)


def impossible(message: str, param: str) -> ApiError:
    """A request of the right form for what the model cannot do."""
    return ApiError(400, message, "BadRequestError", param)


def no_such_model(name: str, served: tuple[str, ...]) -> ApiError:
    return ApiError(404, f"The model `{name}` does not exist. Valid aliases: {', '.join(served)}.", "NotFoundError", "model")


def overflow() -> ApiError:
    """Over --max-num-queued-reqs."""
    message = "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance."
    return ApiError(503, message, "Service Unavailable")


def shut_down() -> ApiError:
    """What new requests get while the engine drains."""
    return ApiError(500, "cannot schedule new futures after shutdown", "InternalServerError")
