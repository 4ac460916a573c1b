"""The audit log: a line of JSON a request on standard output. It holds no prompt, no key, and no model's name but those of the stack."""

from __future__ import annotations

from components.gateway.envoy.api_keys import CLIENT_HEADER
from components.gateway.envoy.messages import Message, extension, http_filter

_NAMESPACE = "vllm-platform"
CLIENT = f"%DYNAMIC_METADATA({_NAMESPACE}:client)%"
MODEL = f"%CLUSTER_METADATA({_NAMESPACE}:model)%"
COLOUR = f"%CLUSTER_METADATA({_NAMESPACE}:colour)%"
STATUS = "%RESPONSE_CODE%"
PROMPT_TOKENS = "%DYNAMIC_METADATA(tokens:prompt)%"
COMPLETION_TOKENS = "%DYNAMIC_METADATA(tokens:completion)%"
_FIELDS = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "source": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "client": CLIENT,
    "model": MODEL,
    "colour": COLOUR,
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:PATH)%",
    "status": STATUS,
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "first_byte_ms": "%RESPONSE_DURATION%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "upstream": "%UPSTREAM_HOST%",
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
}


def model_metadata(model: str, colour: str) -> Message:
    """Metadata of a cluster, from which the log knows what it is."""
    return {"filter_metadata": {_NAMESPACE: {"model": model, "colour": colour}}}


def remember_client() -> Message:
    """A filter that notes who the client is: its header goes no further than the router, and the log is written afterwards."""
    rule = {"header": CLIENT_HEADER, "on_header_present": {"metadata_namespace": _NAMESPACE, "key": "client"}}
    return http_filter("header_to_metadata", "Config", request_rules=[rule])


def audit_log() -> list[Message]:
    """`access_log`."""
    return [
        extension(
            "envoy.access_loggers.stdout",
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": _FIELDS},
        )
    ]
