"""Where a request goes: by client at the front, then by model. Both tables are hash maps, so their size costs nothing per request.

Two files that Envoy watches, because models, weights and limits change without a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.gateway.envoy.api_keys import CLIENT_HEADER
from components.gateway.envoy.clusters import Backend, client_cluster, cluster_name
from components.gateway.envoy.messages import Message, discovery, extension, seconds, typed
from components.gateway.envoy.replies import JSON_HEADERS, error_response
from planning.gateway import GatewayPlan, RoutedClient, RoutedModel

CLIENTS_FILE, MODELS_FILE = "clients.json", "models.json"
CLIENT_ROUTES, MODEL_ROUTES = "clients", "models"
OPERATION_HEADER, MODEL_HEADER = "x-gateway-operation", "x-gateway-model"
DEFAULT_MODEL_HEADER, PREFIX_HEADER = "x-gateway-default-model", "x-gateway-prefix"
INTERNAL_HEADERS = (CLIENT_HEADER, OPERATION_HEADER, MODEL_HEADER, DEFAULT_MODEL_HEADER, PREFIX_HEADER)

# Tries beside the first, each on another replica. `reset` is a replica that goes away before it has answered at all: once the first
# byte of an answer is on its way, nothing is tried again.
_RETRIES: Message = {
    "retry_on": "connect-failure,refused-stream,reset-before-request,reset,retriable-status-codes",
    "retriable_status_codes": [503],
    "num_retries": 2,
    "retry_host_predicate": [
        extension("envoy.retry_host_predicates.previous_hosts", "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    ],
    # Balancing is by chance: with fewer draws a retry would now and then meet the replica that has just failed.
    "host_selection_retry_max_attempts": 20,
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
}
_LARGEST_ANSWER_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class ModelRoute:
    """A model and where it runs. The weights are of one another; a model that changes colours has two backends."""

    model: RoutedModel
    backends: Sequence[Backend]


def client_routes(plan: GatewayPlan) -> Message:
    """The file of the routes by client."""
    table = {name: _route(name, **_client_route(client)) for name, client in plan.clients.items()}
    unknown = _route("unknown", direct_response=error_response(403, "This client is not set up yet.", "unknown_client"))
    return _table(CLIENT_ROUTES, _choose(CLIENT_HEADER, table, unknown))


def _client_route(client: RoutedClient) -> Message:
    route: Message = {"route": {"cluster": client_cluster(client.name), "timeout": "0s"}}
    if client.default_model:
        route["request_headers_to_add"] = [_header(DEFAULT_MODEL_HEADER, client.default_model)]
    if client.requests_per_minute:
        route["typed_per_filter_config"] = {"envoy.filters.http.local_ratelimit": _rate_limit(client.requests_per_minute)}
    return route


def _rate_limit(per_minute: int) -> Message:
    """A minute's worth every minute, shared between the gateway's replicas by their number."""
    whole = {"numerator": 100, "denominator": "HUNDRED"}
    return typed(
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="client_requests",
        token_bucket={"max_tokens": per_minute, "tokens_per_fill": per_minute, "fill_interval": "60s"},
        filter_enabled={"default_value": whole},
        filter_enforced={"default_value": whole},
        local_cluster_rate_limit={},
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
    )


def model_routes(plan: GatewayPlan, routes: Sequence[ModelRoute]) -> Message:
    """The file of the routes by model."""
    infer = {name: _model_route(plan, route, name) for route in routes for name in route.model.names}
    describe = {
        name: _route(name, **_allowed(plan, route.model), **_json_answer(_description(name)))
        for route in routes
        for name in route.model.names
    }
    lists = {name: _route(name, **_json_answer(_list(client, plan.models))) for name, client in plan.clients.items()}
    not_found = _route(
        "not-found",
        direct_response=error_response(404, "There is no such model; GET /v1/models lists yours.", "model_not_found", param="model"),
    )
    by_operation = {
        "infer": _choose(MODEL_HEADER, infer, not_found),
        "describe": _choose(MODEL_HEADER, describe, not_found),
        "list": _choose(CLIENT_HEADER, lists, not_found),
    }
    return _table(MODEL_ROUTES, _choose(OPERATION_HEADER, by_operation, not_found))


def _model_route(plan: GatewayPlan, route: ModelRoute, name: str) -> Message:
    clusters = [{"name": cluster_name(route.model.name, one.colour), "weight": one.weight} for one in route.backends]
    action: Message = {"timeout": seconds(plan.settings.timeouts.request_seconds)}
    action |= {"cluster": clusters[0]["name"]} if len(clusters) == 1 else {"weighted_clusters": {"clusters": clusters}}
    if route.model.affinity.by != "none":
        header = route.model.affinity.header if route.model.affinity.by == "session" else PREFIX_HEADER
        action["hash_policy"] = [{"header": {"header_name": header}}]
    return _route(name, route=action, **_allowed(plan, route.model))


def _allowed(plan: GatewayPlan, model: RoutedModel) -> Message:
    """Nothing where every client may use the model."""
    names = [client.name for client in plan.clients.values() if model.name in client.models]
    if len(names) == len(plan.clients):
        return {}
    principals = [{"header": {"name": CLIENT_HEADER, "string_match": {"exact": name}}} for name in names] or [{"not_id": {"any": True}}]
    rules = {"action": "ALLOW", "policies": {"clients": {"permissions": [{"any": True}], "principals": principals}}}
    per_route = typed("envoy.extensions.filters.http.rbac.v3.RBACPerRoute", rbac={"rules": rules})
    return {"typed_per_filter_config": {"envoy.filters.http.rbac": per_route}}


def _list(client: RoutedClient, models: Mapping[str, RoutedModel]) -> Message:
    names = [name for model in client.models for name in models[model].names]
    return {"object": "list", "data": [_description(name) for name in names]}


def _description(name: str) -> Message:
    return {"id": name, "object": "model", "created": 0, "owned_by": "vllm-platform"}


def _json_answer(value: Message) -> Message:
    return {"direct_response": {"status": 200, "body": {"inline_string": json.dumps(value)}}}


def _route(name: str, **fields: Any) -> Message:
    if "direct_response" in fields:
        fields["response_headers_to_add"] = JSON_HEADERS
    route = typed("envoy.config.route.v3.Route", match={"prefix": "/"}, **fields)
    return {"action": {"name": name, "typed_config": route}}


def _choose(header: str, table: Mapping[str, Message], otherwise: Message) -> Message:
    """The entry that the header names."""
    if not table:
        return otherwise
    input_ = extension("header", "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header)
    return {"matcher": {"matcher_tree": {"input": input_, "exact_match_map": {"map": dict(table)}}, "on_no_match": otherwise}}


def _table(name: str, choice: Message) -> Message:
    host: Message = {"name": name, "domains": ["*"], **({"matcher": choice["matcher"]} if "matcher" in choice else {})}
    if name == MODEL_ROUTES:
        host |= {"retry_policy": _RETRIES}
    configuration = typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=name,
        virtual_hosts=[host],
        max_direct_response_body_size_bytes=_LARGEST_ANSWER_BYTES,
    )
    return discovery(configuration)


def _header(name: str, value: str) -> Message:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
