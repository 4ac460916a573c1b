"""Valid stacks with budgets of clients, each similar to a wrong one."""

from tests.unit.wrong_budgets import SMALL, budget

RIGHT = {
    "the most that 32 bits hold": budget(tokensPerMinute=2**32 - 1, monthlyTokens=2**32 - 1, monthlyUsd=429_496),
    "the least that is counted": budget(tokensPerMinute=1, monthlyTokens=1, monthlyUsd=0.0001),
    "dollars with a price of the stack's own": budget(monthlyUsd=10)
    | SMALL
    | {"gateway.tokenPrices": {"small": {"promptUsdPerMillion": 0, "completionUsdPerMillion": 0.5}}},
    "dollars of a client that may not use what has no price": budget(monthlyUsd=10, models=["qwen3-8b"]) | SMALL,
    "tokens of a model without a price": budget(monthlyTokens=1000, tokensPerMinute=1000) | SMALL,
    "everybody's budget": {"gateway.clients": {"anonymous": {"tokensPerMinute": 1000}}},
}
