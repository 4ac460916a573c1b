"""What a client may do: its requests a minute, its requests in flight, the model that it means when it names none.

A file that Envoy watches, because clients come and go without a restart. It holds one filter, which is another one for each client.
"""

from __future__ import annotations

from components.gateway.envoy import budgets
from components.gateway.envoy.api_keys import CLIENT_HEADER
from components.gateway.envoy.messages import Message, discovery, extension, header_input, header_set_to, http_filter, typed
from planning.gateway import GatewayPlan, RoutedClient

FILE = "clients.json"
MODELS_PATH = "/v1/models"
FILTER = "clients"
DEFAULT_MODEL_HEADER = "x-gateway-default-model"
FILTER_TYPE = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"


def clients(plan: GatewayPlan) -> Message:
    """The file's content."""
    by_name = {name: _but_for_the_list(_action(*_filters(client))) for name, client in plan.clients.items()}
    composite = http_filter("composite", "Composite")
    matcher = {
        "matcher_tree": {"input": header_input(CLIENT_HEADER), "exact_match_map": {"map": by_name}},
        "on_no_match": _action(_nobody()),
    }
    choice = typed(FILTER_TYPE, extension_config=composite, xds_matcher=matcher)
    return discovery(typed("envoy.config.core.v3.TypedExtensionConfig", name=FILTER, typed_config=choice))


def _but_for_the_list(limits: Message) -> Message:
    """Exempts `GET /v1/models` from the limits, because programs poll it."""
    skip = {"input": header_input(":path"), "exact_match_map": {"map": {MODELS_PATH: _action()}}}
    return {"matcher": {"matcher_tree": skip, "on_no_match": limits}}


def _action(*filters: Message) -> Message:
    if not filters:
        return {"action": extension("skip", "envoy.extensions.filters.common.matcher.action.v3.SkipFilter")}
    chain = {"typed_config": list(filters)}
    return {"action": extension("filters", "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction", filter_chain=chain)}


def _filters(client: RoutedClient) -> list[Message]:
    filters: list[Message] = []
    if client.default_model:
        filters.append(_default_model(client.default_model))
    if client.budgets:
        filters.append(budgets.remember_budget(client.name))
    if client.requests_per_minute:
        filters.append(_rate_limit(client.requests_per_minute))
    if client.concurrent_requests:
        filters.append(_concurrency_limit(client.concurrent_requests))
    return filters


def _default_model(name: str) -> Message:
    mutations = {"request_mutations": [{"append": header_set_to(DEFAULT_MODEL_HEADER, name)}]}
    return http_filter("header_mutation", "HeaderMutation", mutations=mutations)


def _rate_limit(per_minute: int) -> Message:
    """A minute's worth every minute, shared between the gateway's replicas by their number."""
    whole = {"numerator": 100, "denominator": "HUNDRED"}
    return http_filter(
        "local_ratelimit",
        "LocalRateLimit",
        stat_prefix="client_requests",
        token_bucket={"max_tokens": per_minute, "tokens_per_fill": per_minute, "fill_interval": "60s"},
        filter_enabled={"default_value": whole},
        filter_enforced={"default_value": whole},
        local_cluster_rate_limit={},
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
    )


def _concurrency_limit(most: int) -> Message:
    """The one filter that counts what is in flight over all worker threads, and notices requests that are broken off. Its limit adapts
    to latency between two bounds; here they are the same, so nothing adapts and nothing has to be sampled."""
    return http_filter(
        "adaptive_concurrency",
        "AdaptiveConcurrency",
        gradient_controller_config={
            "concurrency_limit_params": {"max_concurrency_limit": most, "concurrency_update_interval": "3600s"},
            "min_rtt_calc_params": {"min_concurrency": most, "fixed_value": "1s"},
        },
        concurrency_limit_exceeded_status={"code": "TooManyRequests"},
    )


def _nobody() -> Message:
    """Refuses all requests of a client whose key is already loaded, but not yet its settings."""
    return http_filter("rbac", "RBAC", rules={"action": "ALLOW", "policies": {}})
