"""Who used which model, as Envoy's own statistics: requests and tokens by client, model and status, from what the audit log says.

Labels take only names of the stack (a client that has shown its key, a model that has a route) and status codes, so that no caller can
make series. A counter is added to when the stream has ended, broken-off ones included. Envoy calls this logger work in progress, not
hardened: it reads nothing here that a caller writes.
"""

from __future__ import annotations

from components.gateway.envoy.audit_log import CLIENT, COLOUR, COMPLETION_TOKENS, MODEL, PROMPT_TOKENS, STATUS
from components.gateway.envoy.messages import Message, extension

# Prometheus sees `envoy_gateway_requests_total` and so on.
PREFIX = "gateway"
_WHO = {"client": CLIENT, "model": MODEL, "colour": COLOUR}


def usage_statistics() -> Message:
    """An entry of `access_log`."""
    return extension(
        "envoy.access_loggers.stats",
        "envoy.extensions.access_loggers.stats.v3.Config",
        stats_scope={"prefix": PREFIX},
        counters=[
            {"stat": _stat("requests_total", _WHO | {"status": STATUS}), "value_fixed": 1},
            {"stat": _stat("prompt_tokens_total", _WHO), "value_format": PROMPT_TOKENS},
            {"stat": _stat("completion_tokens_total", _WHO), "value_format": COMPLETION_TOKENS},
        ],
    )


def _stat(name: str, tags: dict[str, str]) -> Message:
    return {"name": name, "tags": [{"name": tag, "value_format": value} for tag, value in tags.items()]}
