"""The gateway's own error responses, in the format of OpenAI's API, so that client libraries raise the right exception.

Local replies of Envoy's filters (no valid key, a limit, no healthy replica) get a body by their status and response flags; responses that
this program writes completely (`error_response`, and those of the Lua filters) are not changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from components.gateway.envoy.messages import Message, extension, header_set_to

RETRY_AFTER_SECONDS = 2
# On local replies for answer.lua, which removes it.
NO_REPLICA_HEADER = "x-gateway-no-replica"
_JSON = "application/json"
_INVALID, _SERVER = "invalid_request_error", "server_error"


@dataclass(frozen=True)
class _Reply:
    """The error for local replies with this status and, if given, one of these response flags or details.

    `becomes`: the status that the client sees.
    """

    status: int
    message: str
    type: str
    code: str
    flags: Sequence[str] = ()
    details: str | None = None
    becomes: int | None = None
    retry: bool = False


# https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage#response-flags
_REPLIES = (
    _Reply(400, "The request is malformed.", _INVALID, "bad_request"),
    _Reply(
        401,
        "Missing or incorrect API key. Send it as `Authorization: Bearer <key>`, or in `x-api-key` or `api-key`.",
        _INVALID,
        "invalid_api_key",
    ),
    _Reply(403, "No other protocol is switched to here.", _INVALID, "upgrade_refused", details="upgrade_failed", becomes=400),
    _Reply(403, "This API key may not use the model.", _INVALID, "model_not_allowed"),
    _Reply(404, "Not found.", _INVALID, "not_found"),
    _Reply(408, "The request did not arrive in time.", _INVALID, "request_timeout"),
    _Reply(413, "The request is larger than this gateway takes.", _INVALID, "request_too_large"),
    _Reply(426, "This protocol is not served here.", _INVALID, "upgrade_required"),
    _Reply(
        429,
        "This client has too many requests in flight. Wait until one has ended.",
        "requests",
        "concurrency_limit_exceeded",
        details="reached_concurrency_limit",
        retry=True,
    ),
    # budget.lua says which, and until when.
    _Reply(429, "This client has used up its budget.", "insufficient_quota", "budget_exceeded", details="request_rate_limited", retry=True),
    _Reply(429, "This client sends more requests than it may. Slow down.", "requests", "rate_limit_exceeded", retry=True),
    _Reply(431, "The headers are larger than this gateway takes.", _INVALID, "headers_too_large"),
    _Reply(501, "This transfer coding is not understood.", _INVALID, "bad_request", becomes=400),
    _Reply(503, "All replicas of this model are busy. Try again shortly.", _SERVER, "overloaded", ("UO",), retry=True),
    _Reply(503, "No replica of this model is available. Try again shortly.", _SERVER, "model_unavailable", ("UH", "NC", "UF"), retry=True),
    _Reply(
        503,
        "This client's budget cannot be read. Try again shortly.",
        _SERVER,
        "budget_unavailable",
        details="rate_limiter_error",
        retry=True,
    ),
    _Reply(503, "The gateway is at its limit. Try again shortly.", _SERVER, "overloaded", details="overload", retry=True),
    _Reply(503, "The replica stopped answering. Try again.", _SERVER, "replica_failed", retry=True),
    _Reply(504, "The model did not answer in time.", _SERVER, "timeout"),
)


def error_response(status: int, message: str, code: str, *, param: str | None = None) -> Message:
    """A route's own answer. Its content type is set by the route, see `JSON_HEADERS`."""
    error = {"message": message, "type": _INVALID, "param": param, "code": code}
    return {"status": status, "body": {"inline_string": json.dumps({"error": error})}}


JSON_HEADERS: list[Message] = [header_set_to("content-type", _JSON)]


def local_replies() -> Message:
    """`local_reply_config`. The first matching mapper applies; direct responses and those of Lua are already complete."""
    return {"mappers": [{"filter": _details("direct_response", "lua_response")}, *map(_mapper, _REPLIES)]}


def _mapper(reply: _Reply) -> Message:
    filters: list[Message] = [{"status_code_filter": {"comparison": {"op": "EQ", "value": _runtime(reply.status)}}}]
    if reply.flags:
        filters.append({"response_flag_filter": {"flags": list(reply.flags)}})
    if reply.details:
        filters.append(_details(reply.details))
    body = {"message": reply.message, "type": reply.type, "param": None, "code": reply.code}
    headers = [{"header": {"key": "retry-after", "value": str(RETRY_AFTER_SECONDS)}}] if reply.retry else []
    if reply.code == "model_unavailable":
        headers.append({"header": {"key": NO_REPLICA_HEADER, "value": "true"}})
    return {
        "filter": {"and_filter": {"filters": filters}} if len(filters) > 1 else filters[0],
        "body_format_override": {"json_format": {"error": body}, "content_type": _JSON},
        "headers_to_add": headers,
        **({"status_code": reply.becomes} if reply.becomes else {}),
    }


def _details(*values: str) -> Message:
    """An access log filter for one of these response code details, which name the part of Envoy that replied."""
    cel = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    expression = f"response.code_details in {list(values)}"
    return {"extension_filter": extension("envoy.access_loggers.extension_filters.cel", cel, expression=expression)}


def _runtime(value: int) -> Message:
    return {"default_value": value, "runtime_key": "gateway.none"}
