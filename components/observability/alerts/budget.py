"""Alerts on money: the month against the budget."""

from __future__ import annotations

from components.observability.rules import Alert

_HOURS_PER_MONTH = 730


def budget() -> list[Alert]:
    limit = "cluster:budget_usd_per_month:plan"
    return [
        Alert(
            "BudgetSpent",
            "critical",
            f"cluster:cost_month_to_date:usd > {limit}",
            "15m",
            "The month's budget is spent",
            "This month has cost ${{ $value | humanize }} so far, more than the budget allows for all of it.",
        ),
        Alert(
            "BudgetForecastExceeded",
            "warning",
            f"cluster:cost_month_forecast:usd > {limit}",
            "6h",
            "This month will cost more than its budget",
            "At the pace of the last day the month ends at ${{ $value | humanize }}.",
        ),
        Alert(
            "BudgetBurn",
            "warning",
            f"min_over_time(cluster:cost:usd_per_hour[1h]) * {_HOURS_PER_MONTH} > 1.5 * {limit}",
            "1h",
            "The platform costs half as much again as the budget allows",
            "For two hours it has cost at a pace of ${{ $value | humanize }} a month.",
        ),
    ]
