"""The audit log: one JSON line per request on standard output. It has no prompts and no keys, and only model names of the stack."""

from __future__ import annotations

from components.gateway.envoy.api_keys import CLIENT_HEADER
from components.gateway.envoy.messages import Message, extension, http_filter

NAMESPACE = "vllm-platform"
CLIENT = f"%DYNAMIC_METADATA({NAMESPACE}:client)%"
MODEL = f"%CLUSTER_METADATA({NAMESPACE}:model)%"
COLOUR = f"%CLUSTER_METADATA({NAMESPACE}:colour)%"
STATUS = "%RESPONSE_CODE%"
PROMPT_TOKENS = "%DYNAMIC_METADATA(tokens:prompt)%"
COMPLETION_TOKENS = "%DYNAMIC_METADATA(tokens:completion)%"
FIELDS = {
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
    """Metadata of a cluster from which the log takes `model` and `colour`."""
    return {"filter_metadata": {NAMESPACE: {"model": model, "colour": colour}}}


def remember_client() -> Message:
    """A filter that copies the client's name into dynamic metadata for the log, because its header is removed before the router."""
    rule = {"header": CLIENT_HEADER, "on_header_present": {"metadata_namespace": NAMESPACE, "key": "client"}}
    return http_filter("header_to_metadata", "Config", request_rules=[rule])


def audit_log() -> list[Message]:
    """`access_log`."""
    return [
        extension(
            "envoy.access_loggers.stdout",
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": FIELDS},
        )
    ]
