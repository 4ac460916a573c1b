"""Envoy's three listeners: `front` for clients, `models` behind it inside the process, and one for probes and metrics."""

from __future__ import annotations

from pathlib import Path

from components.gateway.envoy import api_keys, certificate, replies
from components.gateway.envoy.audit_log import audit_log
from components.gateway.envoy.clusters import MODELS_LISTENER
from components.gateway.envoy.messages import Message, extension, seconds, socket, watched
from components.gateway.envoy.routes import (
    CLIENT_ROUTES,
    CLIENTS_FILE,
    INTERNAL_HEADERS,
    MODEL_ROUTES,
    MODELS_FILE,
)
from config.gateway import ANONYMOUS
from planning.gateway import GatewayPlan

_FOLDER = Path(__file__).parent
_HTTP = "envoy.extensions.filters.http"
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
# Bytes that a listener keeps in memory for one connection while the other side is slow. The models' listener keeps whole requests.
STREAM_BUFFER_BYTES = 1024**2
HEADERS_SECONDS = 10
BODY_SECONDS = 300
CONNECTION_IDLE_SECONDS = 900
MOST_STREAMS_A_CONNECTION = 256
# Envoy's own limit on silence is a net below the models' one, which answers first.
_IDLE_MARGIN_SECONDS = 5


def front_listener(plan: GatewayPlan, address: str, port: int, folder: str, *, encrypted: bool) -> Message:
    manager = _manager(
        "front",
        plan.settings.timeouts.idle_seconds + _IDLE_MARGIN_SECONDS,
        use_remote_address=True,
        always_set_request_id_in_response=True,
        common_http_protocol_options={
            "idle_timeout": seconds(CONNECTION_IDLE_SECONDS),
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        http2_protocol_options={
            "max_concurrent_streams": MOST_STREAMS_A_CONNECTION,
            "initial_stream_window_size": STREAM_BUFFER_BYTES,
            "initial_connection_window_size": STREAM_BUFFER_BYTES,
        },
        request_headers_timeout=seconds(HEADERS_SECONDS),
        request_timeout=seconds(BODY_SECONDS),
        early_header_mutation_extensions=[_without_forged_headers(plan)],
        rds=_routes(CLIENT_ROUTES, CLIENTS_FILE, folder),
        local_reply_config=replies.client_replies(),
        access_log=audit_log(only_own_answers=True),
        http_filters=[*_authentication(plan, folder), _lua("client", ""), _rate_limit(), _router()],
    )
    chain: Message = {"filters": [manager]}
    if encrypted:
        chain["transport_socket"] = certificate.tls(folder)
    return {
        "name": "front",
        "address": socket(address, port),
        "per_connection_buffer_limit_bytes": STREAM_BUFFER_BYTES,
        "filter_chains": [chain],
    }


def models_listener(plan: GatewayPlan, folder: str) -> Message:
    manager = _manager(
        "models",
        plan.settings.timeouts.idle_seconds,
        preserve_external_request_id=True,
        rds=_routes(MODEL_ROUTES, MODELS_FILE, folder),
        local_reply_config=replies.model_replies(),
        access_log=audit_log(),
        http_filters=[
            _request_to_metadata(),
            _lua("model_request", _constants(plan)),
            extension("envoy.filters.http.rbac", f"{_HTTP}.rbac.v3.RBAC"),
            _router(),
        ],
    )
    return {
        "name": MODELS_LISTENER,
        "internal_listener": {},
        "per_connection_buffer_limit_bytes": plan.max_body_bytes,
        "filter_chains": [{"filters": [manager]}],
    }


def operations_listener(address: str, port: int, admin_cluster: str) -> Message:
    """Two paths of the administration interface, which itself stays on the loopback interface."""
    paths = ("/ready", "/stats/prometheus")
    routes = [{"match": {"path": path, "headers": [_only_get()]}, "route": {"cluster": admin_cluster}} for path in paths]
    manager = _manager(
        "operations",
        60,
        route_config={"virtual_hosts": [{"name": "operations", "domains": ["*"], "routes": routes}]},
        http_filters=[_router()],
    )
    return {
        "name": "operations",
        "address": socket(address, port),
        "filter_chains": [{"filters": [manager]}],
    }


def _only_get() -> Message:
    return {"name": ":method", "string_match": {"exact": "GET"}}


def _manager(name: str, idle_seconds: int, **fields: object) -> Message:
    """What all listeners have: paths that mean one thing, and no stream that is silent for ever."""
    return extension(
        "envoy.filters.network.http_connection_manager",
        _MANAGER,
        stat_prefix=name,
        normalize_path=True,
        merge_slashes=True,
        # Names of models may hold slashes, and OpenAI's clients escape them: GET /v1/models/acme%2Fmodel.
        path_with_escaped_slashes_action="UNESCAPE_AND_FORWARD",
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout=seconds(idle_seconds),
        **fields,
    )


def _routes(name: str, file: str, folder: str) -> Message:
    return {"route_config_name": name, "config_source": watched(folder, file)}


def _without_forged_headers(plan: GatewayPlan) -> Message:
    """Takes away what only the gateway may say; without authentication, says who everybody is."""
    mutations: list[Message] = [{"remove": name} for name in INTERNAL_HEADERS]
    mutations.append({"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}})
    if plan.settings.authentication == "none":
        header = {"key": api_keys.CLIENT_HEADER, "value": ANONYMOUS}
        mutations += [{"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}, {"remove": "authorization"}]
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=mutations,
    )


def _authentication(plan: GatewayPlan, folder: str) -> list[Message]:
    """The filter comes from its file alone; until that is read, nobody gets in."""
    if plan.settings.authentication == "none":
        return []
    return [
        {
            "name": api_keys.FILTER,
            "config_discovery": {
                "config_source": watched(folder, api_keys.FILE),
                "type_urls": [f"type.googleapis.com/{_HTTP}.api_key_auth.v3.ApiKeyAuth"],
            },
        }
    ]


def _rate_limit() -> Message:
    """Limits are on the routes of the clients that have one."""
    return extension("envoy.filters.http.local_ratelimit", f"{_HTTP}.local_ratelimit.v3.LocalRateLimit", stat_prefix="client_requests")


def _lua(name: str, constants: str) -> Message:
    source = constants + (_FOLDER / f"{name}.lua").read_text()
    return extension("envoy.filters.http.lua", f"{_HTTP}.lua.v3.Lua", default_source_code={"inline_string": source})


def _constants(plan: GatewayPlan) -> str:
    affinity = any(model.affinity.by == "prefix" for model in plan.models.values())
    return f'local AFFINITY, RETRY_AFTER = {str(affinity).lower()}, "{replies.RETRY_AFTER_SECONDS}"\n'


def _request_to_metadata() -> Message:
    """Reads `model` from the request's body, which it keeps until it is whole."""
    rule = {
        "selectors": [{"key": "model"}],
        "on_present": {"metadata_namespace": "request", "key": "model"},
        "on_error": {"metadata_namespace": "request", "key": "invalid", "value": True},
    }
    rules = {"rules": [rule], "allow_content_types_regex": {"regex": r"(?i)application/json\s*(;.*)?"}}
    return extension("envoy.filters.http.json_to_metadata", f"{_HTTP}.json_to_metadata.v3.JsonToMetadata", request_rules=rules)


def _router() -> Message:
    return extension("envoy.filters.http.router", f"{_HTTP}.router.v3.Router", suppress_envoy_headers=True)
