"""Clients' budgets: Envoy asks its rate limit service before a request, and charges the tokens to it when the stream has ended.

One filter for all clients, behind the one that routes; the service knows each client's limits. It is asked only about requests with the
metadata that those of clients with a budget get. There answer.lua keeps what a request is charged, beside the audit log's token counts and
chunk by chunk, so that broken-off streams are charged what they have had.
"""

from __future__ import annotations

from typing import Any

from components.gateway.envoy.clusters import CONNECT_TIMEOUT_SECONDS, endpoints, resolved_by_dns
from components.gateway.envoy.messages import Message, http_filter, seconds, socket, typed
from config.gateway import USD_UNIT
from planning.client_budgets import ClientBudget
from planning.gateway import GatewayPlan, RoutedModel

DOMAIN = "vllm-platform"
CLUSTER = "ratelimit"
# Dynamic metadata of a request: its client, and the tokens and the cost that it is charged so far.
METADATA = "budget"
# Longest wait for the service; after it the request passes or fails, as `whenUnavailable` says.
TIMEOUT_SECONDS = 0.25
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def ask_and_charge(plan: GatewayPlan) -> Message:
    return http_filter(
        "ratelimit",
        "RateLimit",
        domain=DOMAIN,
        timeout=seconds(TIMEOUT_SECONDS),
        failure_mode_deny=plan.settings.budgets.when_unavailable == "deny",
        status_on_error={"code": "ServiceUnavailable"},
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        rate_limit_service={"grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}}, "transport_api_version": "V3"},
        # Of the filter: Envoy ignores `hits_addend` in those of a virtual host.
        rate_limits=[limit for budget in plan.budgets for limit in (_asked(budget), _charged(budget))],
    )


def remember_budget(client: str) -> Message:
    """A filter for the requests of a client with a budget. From 0 on, because Envoy warns about a charge that it does not find."""
    charged_so_far = {"metadata_namespace": METADATA, "value": {"client": client, "tokens": 0, "cost": 0}}
    return http_filter("set_metadata", "Config", metadata=[charged_so_far])


def _asked(budget: ClientBudget) -> Message:
    """Whether anything is left; counts nothing."""
    return {"actions": _actions(budget), "hits_addend": {"number": 0}}


def _charged(budget: ClientBudget) -> Message:
    return {
        "actions": _actions(budget),
        "hits_addend": {"format": f"%DYNAMIC_METADATA({METADATA}:{budget.counts})%"},
        "apply_on_stream_done": True,
    }


def _actions(budget: ClientBudget) -> list[Message]:
    """No descriptor, and no call of the service, for a client without a budget: `skip_if_absent` is false."""
    client = {"descriptor_key": "client", "metadata_key": {"key": METADATA, "path": [{"key": "client"}]}}
    return [{"metadata": client}, {"generic_key": {"descriptor_key": "budget", "descriptor_value": budget.name}}]


def clusters(plan: GatewayPlan, service: tuple[str, int]) -> list[Message]:
    if not plan.budgets:
        return []
    options: dict[str, Any] = {_HTTP: typed(_HTTP, explicit_http_config={"http2_protocol_options": {}})}
    return [
        {
            "name": CLUSTER,
            "cluster_type": resolved_by_dns(),
            "connect_timeout": seconds(CONNECT_TIMEOUT_SECONDS),
            **endpoints(CLUSTER, [socket(*service)]),
            "typed_extension_protocol_options": options,
        }
    ]


def token_prices(plan: GatewayPlan, model: RoutedModel) -> Message:
    """What bill.lua takes from a route's metadata: what a token costs, in USD_UNIT; nothing where no client has a budget in it."""
    if model.price is None or all(budget.counts == "tokens" for budget in plan.budgets):
        return {}
    return {"prompt": model.price.prompt / 1e6 / USD_UNIT, "completion": model.price.completion / 1e6 / USD_UNIT}


def limits(plan: GatewayPlan) -> Message:
    """The configuration of the rate limit service: each client's limits."""

    def limit(budget: ClientBudget) -> Message:
        rate = {"name": budget.name, "unit": budget.window, "requests_per_unit": budget.limit}
        return {"key": "budget", "value": budget.name, "rate_limit": rate}

    return {
        "domain": DOMAIN,
        "descriptors": [
            {"key": "client", "value": client.name, "descriptors": [limit(budget) for budget in client.budgets]}
            for client in plan.clients.values()
            if client.budgets
        ],
    }
