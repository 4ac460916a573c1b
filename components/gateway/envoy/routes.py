"""Routes by model. Matcher trees are hash maps, so routing time does not depend on the number of models.

A file that Envoy watches, because models and weights change without a restart.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.gateway.envoy import cors
from components.gateway.envoy.api_keys import CLIENT_HEADER
from components.gateway.envoy.budgets import token_prices
from components.gateway.envoy.clients import DEFAULT_MODEL_HEADER
from components.gateway.envoy.clusters import Backend, cluster_name
from components.gateway.envoy.messages import Message, discovery, extension, header_input, header_is, seconds, typed
from components.gateway.envoy.replies import JSON_HEADERS, error_response
from planning.gateway import GatewayPlan, RoutedClient, RoutedModel

FILE = "models.json"
ROUTES = "models"
OPERATION_HEADER, MODEL_HEADER = "x-gateway-operation", "x-gateway-model"
INTERNAL_HEADERS = (CLIENT_HEADER, OPERATION_HEADER, MODEL_HEADER, DEFAULT_MODEL_HEADER)
# Filter state with the prefix: the gateway's own headers are removed before the load balancer chooses a replica.
PREFIX_STATE = "vllm-platform.prefix"

# One retry, on another replica. `reset`: the replica disconnects before the first byte of its response; after that Envoy never retries.
# Only one, because a prompt that crashes its replica would crash every replica that it is retried on.
_RETRIES: Message = {
    "retry_on": "connect-failure,refused-stream,reset-before-request,reset,retriable-status-codes",
    "retriable_status_codes": [503],
    "num_retries": 1,
    "retry_host_predicate": [
        extension("envoy.retry_host_predicates.previous_hosts", "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    ],
    # Load balancing is random: with fewer attempts a retry would sometimes choose the replica that has just failed.
    "host_selection_retry_max_attempts": 20,
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
}
_LARGEST_ANSWER_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class ModelRoute:
    """A model and its backends, with relative weights; a model has two backends while it changes its colour."""

    model: RoutedModel
    backends: Sequence[Backend]


def routes(plan: GatewayPlan, models: Sequence[ModelRoute]) -> Message:
    """The file's content."""
    infer = {name: _model_route(plan, route, name) for route in models for name in route.model.names}
    describe = {
        name: _route(name, **_allowed(plan, route.model), **_json_answer(_description(route.model, name)))
        for route in models
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
    return _table(plan, _choose(OPERATION_HEADER, by_operation, _undecided()))


def version(content: Message) -> str:
    """A name that changes with the routes. Envoy's statistics have it as a virtual cluster, to which no request belongs, from the moment
    on at which it has loaded them."""
    return content["resources"][0]["virtual_hosts"][0]["virtual_clusters"][-1]["name"]


def _fingerprint(host: Message) -> str:
    return f"routes-{hashlib.sha256(json.dumps(host, sort_keys=True).encode()).hexdigest()[:12]}"


def _model_route(plan: GatewayPlan, route: ModelRoute, name: str) -> Message:
    clusters = [{"name": cluster_name(route.model.name, one.colour), "weight": one.weight} for one in route.backends]
    action: Message = {"timeout": seconds(plan.settings.timeouts.request_seconds)}
    action |= {"cluster": clusters[0]["name"]} if len(clusters) == 1 else {"weighted_clusters": {"clusters": clusters}}
    if route.model.affinity.by == "session":
        action["hash_policy"] = [{"header": {"header_name": route.model.affinity.header}}]
    elif route.model.affinity.by == "prefix":
        action["hash_policy"] = [{"filter_state": {"key": PREFIX_STATE}}]
    answer = {**token_prices(plan, route.model), **_waking(route.model)}
    metadata = {"metadata": {"filter_metadata": {"answer": answer}}} if answer else {}
    return _route(name, route=action, **_allowed(plan, route.model), **metadata)


def _waking(model: RoutedModel) -> Message:
    """What answer.lua takes from the route's metadata: how long a sleeping model takes to wake."""
    return {} if model.wakes_in_seconds is None else {"wakes_in": math.ceil(model.wakes_in_seconds)}


def _allowed(plan: GatewayPlan, model: RoutedModel) -> Message:
    """RBACPerRoute that allows the clients that may use the model; empty if all may."""
    names = [client.name for client in plan.clients.values() if model.name in client.models]
    if len(names) == len(plan.clients):
        return {}
    principals = [{"header": header_is(CLIENT_HEADER, name)} for name in names] or [{"not_id": {"any": True}}]
    rules = {"action": "ALLOW", "policies": {"clients": {"permissions": [{"any": True}], "principals": principals}}}
    per_route = typed("envoy.extensions.filters.http.rbac.v3.RBACPerRoute", rbac={"rules": rules})
    return {"typed_per_filter_config": {"envoy.filters.http.rbac": per_route}}


def _list(client: RoutedClient, models: Mapping[str, RoutedModel]) -> Message:
    data = [_description(models[model], name) for model in client.models for name in models[model].names]
    return {"object": "list", "data": data}


def _description(model: RoutedModel, name: str) -> Message:
    """An entry of `GET /v1/models`, with `max_model_len` as in vLLM's, because agents size their prompts by it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "vllm-platform", "max_model_len": model.max_model_len}


def _json_answer(value: Message) -> Message:
    return {"direct_response": {"status": 200, "body": {"inline_string": json.dumps(value)}}}


def _route(name: str, **fields: Any) -> Message:
    if "direct_response" in fields:
        fields["response_headers_to_add"] = JSON_HEADERS
    route = typed("envoy.config.route.v3.Route", match={"prefix": "/"}, **fields)
    return {"action": {"name": name, "typed_config": route}}


def _undecided() -> Message:
    """The route of a request until its model is known. It is never used, but needs a `route` action: with a direct response Envoy ignores
    the virtual host's limit on the body, and buffers only as much as a connection's buffer holds."""
    return _route("undecided", route={"cluster": "none"})


def _choose(header: str, table: Mapping[str, Message], otherwise: Message) -> Message:
    """A matcher: the table's entry for the header's value."""
    if not table:
        return otherwise
    tree = {"input": header_input(header), "exact_match_map": {"map": dict(table)}}
    return {"matcher": {"matcher_tree": tree, "on_no_match": otherwise}}


def _table(plan: GatewayPlan, choice: Message) -> Message:
    host: Message = {
        "name": ROUTES,
        "domains": ["*"],
        "matcher": choice["matcher"],
        "retry_policy": _RETRIES,
        "request_body_buffer_limit": plan.max_body_bytes,
        **cors.policy(plan.settings.cors.origins),
        "virtual_clusters": [{"name": name, "headers": [header_is(CLIENT_HEADER, name)]} for name in plan.clients],  # metrics by client
    }
    host["virtual_clusters"].append({"name": _fingerprint(host), "headers": [header_is(":method", "none")]})
    configuration = typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=ROUTES,
        virtual_hosts=[host],
        request_headers_to_remove=list(INTERNAL_HEADERS),
        max_direct_response_body_size_bytes=_LARGEST_ANSWER_BYTES,
    )
    return discovery(configuration)
