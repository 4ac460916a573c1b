"""Money: what runs now costs, what the month will cost, and what is paid for and not used."""

from __future__ import annotations

from typing import Any

from components.observability.dashboards.panels import MODEL_DASHBOARD, Column, Panel, Query, choice, figure, framed, graph, rows_by
from components.observability.dashboards.parts import Parts

UID = "vllm-cost"
_OF_MODEL = 'model=~"$model"'


def cost(parts: Parts) -> dict[str, Any]:
    rows = {"Now": _now(parts), "Models": _models(), "Pools": _pools(), "Month": [_month(parts)], "Paid for and not used": _unused(parts)}
    answers = "At the prices of the plan. Not in it: network egress, load balancers, disks, logs."
    return framed(UID, "vLLM: cost", answers, [choice("model", "Model", "model:floor_replicas:plan")], rows, parts.runbooks)


def _now(parts: Parts) -> list[Panel]:
    hourly = "cluster:cost:usd_per_hour"
    panels = [
        figure("An hour", hourly, "currencyUSD", "All that runs now, with the management fee and the system pool where they are ours."),
        figure("So far this month", "cluster:cost_month_to_date:usd", "currencyUSD", "Added up since the month began, in UTC."),
        figure(
            "Forecast of the month",
            "cluster:cost_month_forecast:usd",
            "currencyUSD",
            "If the rest of the month costs what the last day did.",
        ),
    ]
    if parts.budget:
        budget = "cluster:budget_usd_per_month:plan"
        left = f"({budget} - cluster:cost_month_forecast:usd) / {budget}"
        panels.append(figure("Budget left by the forecast", left, "percentunit", "Below 0 the month will cost more.", limits=(0.1, 0)))
    idle = "sum(pool:idle_cost:usd_per_hour)"
    spot = 'sum(pool:cost:usd_per_hour{capacity="spot"}) / sum(pool:cost:usd_per_hour)'
    panels.append(figure("Idle an hour", idle, "currencyUSD", "Parts of nodes that no model uses."))
    panels.append(figure("Spent on spot", spot, "percentunit", "Share of the nodes' cost."))
    return panels


def _models() -> list[Panel]:
    def of_model(record: str, operation: str = "max") -> str:
        return f"{operation} by (model) ({record}{{{_OF_MODEL}}})"

    columns = [
        Column("$ an hour", of_model("model:cost:usd_per_hour", "sum"), "currencyUSD"),
        Column("$ a million output tokens", of_model("model:cost_per_million_output_tokens:usd1h"), "currencyUSD"),
        Column("$ a million tokens", of_model("model:cost_per_million_tokens:usd1h"), "currencyUSD"),
        Column("on spot", of_model("model:spot_replicas:ratio"), "percentunit"),
        Column("tokens written/s", of_model("model:generation_tokens:rate5m"), "suffix:tok/s"),
    ]
    hourly = Query(of_model("model:cost:usd_per_hour", "sum"), "{{model}}")
    per_million = Query(of_model("model:cost_per_million_output_tokens:usd1h"), "{{model}}")
    return [
        rows_by("model", "Models", columns, "Cost of a million tokens is of the last hour.", drill_down=MODEL_DASHBOARD),
        graph("Cost an hour", hourly, "currencyUSD", "Each model's share of the nodes that it runs on.", width=12, stacked=True),
        graph("Cost of a million output tokens", per_million, "currencyUSD", "Dear where replicas have little to do.", width=12),
    ]


def _pools() -> list[Panel]:
    place = "{{pool}} {{capacity}}"
    spot = Query("pool:spot_nodes:ratio", "{{pool}}")
    return [
        graph(
            "Cost an hour",
            Query("pool:cost:usd_per_hour", place),
            "currencyUSD",
            "Nodes that are there, at the plan's price.",
            stacked=True,
        ),
        graph("Nodes", Query("pool:nodes:count", place), "none", "On demand and spot.", stacked=True),
        graph("Spot nodes", spot, "percentunit", "Share of the pool's nodes.", most=1),
    ]


def _month(parts: Parts) -> Panel:
    queries = [Query("cluster:cost_month_to_date:usd", "so far"), Query("cluster:cost_month_forecast:usd", "forecast of the whole month")]
    if parts.budget:
        queries.append(Query("cluster:budget_usd_per_month:plan", "budget", dashed=True))
    answers = "In UTC. The forecast takes the last day's cost for the days to come."
    alerts = ["BudgetSpent", "BudgetForecastExceeded", "BudgetBurn"] if parts.budget else []
    return graph("This month", queries, "currencyUSD", answers, alerts=alerts, width=24)


def _unused(parts: Parts) -> list[Panel]:
    idle = Query("pool:idle_cost:usd_per_hour", "{{pool}} {{capacity}}")
    panels = [graph("Idle cost an hour", idle, "currencyUSD", "Parts of nodes that no model uses.", width=12, stacked=True)]
    if parts.gpus:
        hours = Query("cluster:gpu_idle_hours:sum1d", "last 24 hours")
        panels.append(graph("Idle GPU hours, a day", hours, "h", "Not requested, or in a pod that runs nothing.", width=12))
    return panels
