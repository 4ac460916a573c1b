"""Clients' budgets as Envoy's rate limit service counts them: whole units in fixed windows, one count for all gateway replicas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from config.errors import Problem
from config.gateway import USD_UNIT, Client
from config.settings import Settings
from planning.cost import ModelCost, TokenUsd

# Of the service: windows are aligned to 1970, and a month has 30 days.
WINDOW_SECONDS = {"minute": 60, "month": 30 * 86_400}


@dataclass(frozen=True)
class ClientBudget:
    name: Literal["tokens_per_minute", "monthly_tokens", "monthly_usd"]
    counts: Literal["tokens", "cost"]
    """What a request is charged: its tokens, or what they cost in USD_UNIT."""
    window: Literal["minute", "month"]
    limit: int


def client_budgets(client: Client) -> tuple[ClientBudget, ...]:
    """Those that the client has, the longest window first."""
    found = []
    if client.monthly_usd is not None:
        units = math.ceil(client.monthly_usd / USD_UNIT - 1e-6)
        # Envoy's answer names the budget that is used up by its limit alone: two of the same window need two limits.
        found.append(ClientBudget("monthly_usd", "cost", "month", units + (units == client.monthly_tokens)))
    if client.monthly_tokens is not None:
        found.append(ClientBudget("monthly_tokens", "tokens", "month", client.monthly_tokens))
    if client.tokens_per_minute is not None:
        found.append(ClientBudget("tokens_per_minute", "tokens", "minute", client.tokens_per_minute))
    return tuple(found)


def token_prices(settings: Settings, costs: Mapping[str, ModelCost]) -> dict[str, TokenUsd]:
    """By model: the gateway's own, else the plan's; a model that has neither is left out."""
    own = settings.gateway.token_prices if settings.gateway else {}
    given = {name: TokenUsd(one.prompt_usd_per_million, one.completion_usd_per_million) for name, one in own.items()}
    return {name: planned for name, model in costs.items() if (planned := model.tokens)} | given


def token_price_problems(settings: Settings, costs: Mapping[str, ModelCost]) -> Iterator[Problem]:
    """A client with a budget in dollars that may use a model whose tokens have no price."""
    prices = token_prices(settings, costs)
    for name, client in settings.gateway.clients.items() if settings.gateway else ():
        unpriced = [model for model in client.models or costs if model in costs and model not in prices]
        if client.monthly_usd is None or not unpriced:
            continue
        message = f"nothing is planned of what tokens of {', '.join(unpriced)} cost, so they would cost nothing of the budget"
        yield Problem(f"gateway.clients.{name}.monthlyUsd", message, f"give gateway.tokenPrices.{unpriced[0]}, or leave it out of `models`")
