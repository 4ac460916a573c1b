"""Envoy's two listeners: `front` for clients, and one for probes and metrics."""

from __future__ import annotations

from components.gateway.envoy import api_keys, budgets, certificate, clients, cors, replies, routes, scripts
from components.gateway.envoy.audit_log import audit_log, remember_client
from components.gateway.envoy.messages import Message, extension, header_is, header_set_to, http_filter, seconds, socket, watched
from components.gateway.envoy.tracing import tracing
from components.gateway.envoy.usage import usage_statistics
from config.gateway import ANONYMOUS, Exposure
from planning.gateway import GatewayPlan

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
# Buffer per connection while the peer is slow. Request bodies are buffered whole, up to the limit of the virtual host.
STREAM_BUFFER_BYTES = 1024**2
HEADERS_SECONDS = 10
BODY_SECONDS = 300
CONNECTION_IDLE_SECONDS = 900
MOST_STREAMS_A_CONNECTION = 256
# Trusted addresses at the end of X-Forwarded-For, by exposure: Google's load balancer appends the client's and its own.
_PROXIES: dict[Exposure, int] = {"cluster-ip": 0, "load-balancer": 0, "ingress": 1, "gke-gateway": 2}


def front_listener(plan: GatewayPlan, address: str, port: int, folder: str, *, encrypted: bool) -> Message:
    manager = _manager(
        "front",
        plan.settings.timeouts.idle_seconds,
        use_remote_address=True,
        xff_num_trusted_hops=_PROXIES[plan.settings.exposure],
        always_set_request_id_in_response=True,
        common_http_protocol_options={
            "idle_timeout": seconds(CONNECTION_IDLE_SECONDS),
            # Drops the header, so that `x_gateway_client` cannot be taken for `x-gateway-client`, but not the request.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        http_protocol_options={
            "accept_http_10": True,  # nginx speaks it to what is behind it, unless told otherwise
            # Apache's HttpClient offers to upgrade to TLS with every request; an offer may be ignored (RFC 9110, 7.8).
            "ignore_http_11_upgrade": [{"prefix": "TLS/"}],
        },
        http2_protocol_options={
            "max_concurrent_streams": MOST_STREAMS_A_CONNECTION,
            "initial_stream_window_size": STREAM_BUFFER_BYTES,
            "initial_connection_window_size": STREAM_BUFFER_BYTES,
            # Resets only the malformed stream, not the other streams of the connection.
            "override_stream_error_on_invalid_http_message": True,
        },
        request_headers_timeout=seconds(HEADERS_SECONDS),
        request_timeout=seconds(BODY_SECONDS),
        early_header_mutation_extensions=[_without_forged_headers(plan)],
        rds={"route_config_name": routes.ROUTES, "config_source": watched(folder, routes.FILE)},
        local_reply_config=replies.local_replies(),
        access_log=[*audit_log(), *usage_statistics()],
        **tracing(plan.tracing),
        http_filters=[
            cors.cors(),
            *_authentication(plan, folder),
            remember_client(),
            scripts.answer(plan),
            _from_file(clients.FILTER, clients.FILTER_TYPE, folder, clients.FILE),
            scripts.request(plan),
            http_filter("rbac", "RBAC"),
            *([scripts.budget(), budgets.ask_and_charge(plan)] if plan.budgets else []),
            _router(),
        ],
    )
    chain: Message = {"filters": [manager]}
    if encrypted:
        chain |= {"transport_socket": certificate.tls(folder), "transport_socket_connect_timeout": seconds(HEADERS_SECONDS)}
    return {
        "name": "front",
        "address": socket(address, port),
        "per_connection_buffer_limit_bytes": STREAM_BUFFER_BYTES,
        # The inspector waits for the first bytes, with a timeout that closes silent connections.
        "listener_filters": [_inspector("tls" if encrypted else "http")],
        "listener_filters_timeout": seconds(HEADERS_SECONDS),
        "filter_chains": [chain],
    }


def _inspector(protocol: str) -> Message:
    name = f"{protocol}_inspector"
    return extension(f"envoy.filters.listener.{name}", f"envoy.extensions.filters.listener.{name}.v3.{protocol.title()}Inspector")


def operations_listener(address: str, port: int, admin_cluster: str) -> Message:
    """Two paths of the administration interface, which itself stays on the loopback interface. Exempt from load limits, so that a pod at
    its limit still answers probes."""
    paths = ("/ready", "/stats/prometheus")
    routes = [{"match": {"path": path, "headers": [header_is(":method", "GET")]}, "route": {"cluster": admin_cluster}} for path in paths]
    manager = _manager(
        "operations",
        60,
        route_config={"virtual_hosts": [{"name": "operations", "domains": ["*"], "routes": routes}]},
        http_filters=[_router()],
    )
    return {
        "name": "operations",
        "address": socket(address, port),
        "bypass_overload_manager": True,
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [manager]}],
    }


def _manager(name: str, idle_seconds: int, **fields: object) -> Message:
    """Common settings of all listeners: path normalisation and idle timeouts."""
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


def _without_forged_headers(plan: GatewayPlan) -> Message:
    """Removes headers that only the gateway may set; without authentication, sets the client to `anonymous`."""
    mutations: list[Message] = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in ("x-gateway-", "x-envoy-")]
    if plan.settings.authentication == "none":
        mutations.append({"append": header_set_to(api_keys.CLIENT_HEADER, ANONYMOUS)})
        mutations += [{"remove": name} for name in api_keys.KEY_HEADERS]
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=mutations,
    )


def _authentication(plan: GatewayPlan, folder: str) -> list[Message]:
    if plan.settings.authentication == "none":
        return []
    return [_from_file(api_keys.FILTER, api_keys.FILTER_TYPE, folder, api_keys.FILE)]


def _from_file(name: str, type_name: str, folder: str, file: str) -> Message:
    """A filter whose configuration is in a watched file; until Envoy has read it, requests are refused."""
    discovery = {"config_source": watched(folder, file), "type_urls": [f"type.googleapis.com/{type_name}"]}
    return {"name": name, "config_discovery": discovery}


def _router() -> Message:
    return http_filter("router", "Router", suppress_envoy_headers=True)
