"""Clients' budgets in the units of the rate limit service, and what a token costs."""

from __future__ import annotations

import pytest

from config.gateway import Client
from planning.client_budgets import client_budgets
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_gateways import CLIENT


def limits(**budget):
    return {one.name: (one.limit, one.counts, one.window) for one in client_budgets(Client.model_validate(budget))}


@pytest.mark.parametrize(("usd", "units"), [(0.0001, 1), (0.3, 3000), (0.00015, 2), (250, 2_500_000), (429_496, 4_294_960_000)])
def test_dollars_are_counted_in_hundredths_of_a_cent_and_never_fewer_than_given(usd, units):
    assert limits(monthlyUsd=usd) == {"monthly_usd": (units, "cost", "month")}


def test_tokens_are_counted_as_they_are():
    assert limits(tokensPerMinute=5, monthlyTokens=2**32 - 1) == {
        "monthly_tokens": (2**32 - 1, "tokens", "month"),
        "tokens_per_minute": (5, "tokens", "minute"),
    }
    assert limits(requestsPerMinute=5) == {}


def test_two_budgets_of_a_month_are_told_apart_by_their_limits():
    found = limits(monthlyTokens=1_000_000, monthlyUsd=100)
    assert found["monthly_tokens"][0] != found["monthly_usd"][0]
    assert found["monthly_usd"][0] - 1_000_000 == pytest.approx(0, abs=1)


def test_the_planned_traffic_at_the_prices_of_its_tokens_pays_the_replicas_hour():
    stack = settings(CLIENT)
    plan = make_plan(stack)
    assert plan.gateway
    price, speed = plan.gateway.models["qwen3-8b"].price, plan.models["qwen3-8b"].capacity.speed
    assert price
    assert speed
    traffic = stack.models["qwen3-8b"].traffic
    requests = speed.served.output_tokens_per_second * 3600 / traffic.output_tokens
    paid = requests * (traffic.prompt_tokens * price.prompt + traffic.output_tokens * price.completion) / 1e6
    one = plan.cost.models["qwen3-8b"].usd_per_million_output_tokens
    hour = plan.cost.node_prices["l4"].on_demand
    assert one
    assert hour
    assert one.least < paid / (requests * traffic.output_tokens) * 1e6 < one.most
    assert 0 < price.prompt < price.completion, "a prompt's tokens are computed together, an answer's one after another"
    assert paid == pytest.approx(hour, rel=0.01), "a node of one GPU holds one replica"
