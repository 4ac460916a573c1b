"""Who used which model, as Envoy's own statistics: requests and tokens by client, model and status, from what the audit log says.

Labels take only names of the stack (a client that has shown its key, a model that has a route) and status codes, so that no caller can
make series. A counter is added to when the stream has ended, broken-off ones included. Envoy calls this logger work in progress, not
hardened: it reads nothing here that a caller writes.
"""

from __future__ import annotations

from components.gateway.envoy.audit_log import CLIENT, COLOUR, COMPLETION_TOKENS, MODEL, NAMESPACE, PROMPT_TOKENS, STATUS
from components.gateway.envoy.messages import Message, extension

# Prometheus sees `envoy_gateway_requests_total` and so on.
PREFIX = "gateway"
_WHO = {"client": CLIENT, "model": MODEL, "colour": COLOUR}
WAKING = "waking"
"""Status of the 503 by which answer.lua tells that the model sleeps and that the request wakes it."""


def usage_statistics() -> list[Message]:
    """Entries of `access_log`."""
    tokens = {"prompt_tokens_total": PROMPT_TOKENS, "completion_tokens_total": COMPLETION_TOKENS}
    return [
        _statistics(STATUS, [{"stat": _stat(name, _WHO), "value_format": value} for name, value in tokens.items()], waking=False),
        _statistics(WAKING, [], waking=True),
    ]


def _statistics(status: str, more: list[Message], *, waking: bool) -> Message:
    requests = {"stat": _stat("requests_total", _WHO | {"status": status}), "value_fixed": 1}
    said = {"filter": NAMESPACE, "path": [{"key": WAKING}], "value": {"bool_match": waking}}
    logger = extension(
        "envoy.access_loggers.stats",
        "envoy.extensions.access_loggers.stats.v3.Config",
        stats_scope={"prefix": PREFIX},
        counters=[requests, *more],
    )
    return logger | {"filter": {"metadata_filter": {"matcher": said, "match_if_key_not_found": not waking}}}


def _stat(name: str, tags: dict[str, str]) -> Message:
    return {"name": name, "tags": [{"name": tag, "value_format": value} for tag, value in tags.items()]}
