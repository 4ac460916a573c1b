"""Wrong stacks whose problem is a client's budget: changes to a valid stack and the expected problem."""

from tests.unit.wrong_gateways import CLIENT
from tests.unit.wrong_models import MODEL

TEAM = "gateway.clients.team-a"
CPU = {"nodePools.cpu": {"machineType": "c4-standard-8", "onDemand": {"max": 2}}}
SMALL = CPU | {"models.small": {"source": "Qwen/Qwen3-0.6B", "nodePool": "cpu", "engine": {"maxModelLen": 2048}}}


def budget(**settings):
    return CLIENT | {"gateway.clients": {"team-a": settings}}


# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "more tokens than 32 bits hold": (
        budget(monthlyTokens=2**32), f"{TEAM}.monthlyTokens", "4294967296", "less than or equal to 4294967295"
    ),
    "more tokens a minute than 32 bits hold": (
        budget(tokensPerMinute=5_000_000_000), f"{TEAM}.tokensPerMinute", "5000000000", "less than or equal to 4294967295"
    ),
    "more dollars than 32 bits hold": (budget(monthlyUsd=429_497), f"{TEAM}.monthlyUsd", "429497", "less than or equal to 429496"),
    "less than a hundredth of a cent": (budget(monthlyUsd=0.00001), f"{TEAM}.monthlyUsd", "1e-05", "greater than or equal to 0.0001"),
    "budget of nothing": (budget(monthlyTokens=0), f"{TEAM}.monthlyTokens", "0", "greater than 0"),
    "budget that is no number": (budget(monthlyUsd=True), f"{TEAM}.monthlyUsd", "not valid", "number"),
    "a minute above the month": (
        budget(monthlyTokens=1000, tokensPerMinute=2000), f"{TEAM}.tokensPerMinute", "above the client's monthlyTokens 1000", "lower it"
    ),
    "dollars without a price of tokens": (
        budget(monthlyUsd=10) | SMALL, f"{TEAM}.monthlyUsd", "what tokens of small cost", "give gateway.tokenPrices.small"
    ),
    "dollars of a pool without a price": (
        budget(monthlyUsd=10) | {"budget.prices": {"g2-standard-12": {"onDemandUsdPerHour": 0}}, f"{MODEL}.scaling": {"floor": 1}},
        f"{TEAM}.monthlyUsd",
        "what tokens of qwen3-8b cost",
        "give gateway.tokenPrices.qwen3-8b",
    ),
    "streams that are not counted": (
        budget(tokensPerMinute=1000) | {"gateway.countStreamedTokens": False},
        "gateway.countStreamedTokens",
        "the budget of team-a",
        "remove it, or the clients' budgets",
    ),
    "budgets of nobody": (
        CLIENT | {"gateway.budgets": {"whenUnavailable": "deny"}}, "gateway.budgets", "no client has a budget", "monthlyUsd, or remove it"
    ),
    "price of an unknown model": (
        CLIENT | {"gateway.tokenPrices": {"qwen3-8": {"promptUsdPerMillion": 1, "completionUsdPerMillion": 1}}},
        "gateway.tokenPrices.qwen3-8",
        "no model 'qwen3-8'",
        "qwen3-8b",
    ),
    "price of prompts alone": (
        CLIENT | {"gateway.tokenPrices": {"qwen3-8b": {"promptUsdPerMillion": 1}}},
        "gateway.tokenPrices.qwen3-8b.completionUsdPerMillion",
        "required",
        "",
    ),
    "Redis among the platform's own": (
        budget(monthlyTokens=1000) | {"gateway.budgets": {"whenUnavailable": "open"}}, "gateway.budgets.whenUnavailable", "'open'", "'deny'"
    ),
}  # fmt: skip
