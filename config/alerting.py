"""`platform.monitoring.alerting`: who is told of an alert. Keys and tokens are under `secrets`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.errors import rule
from config.section import Form, Section, Text, distinct

Severity = Literal["critical", "warning"]
"""critical: somebody is woken. warning: somebody looks today."""
Severities = Annotated[list[Severity], Field(min_length=1), AfterValidator(distinct)]


def _address(url: str) -> str:
    """What is wrong may hold a token, so it is not repeated."""
    if not re.fullmatch(r"https?://[^\s?#@]+", url):
        raise rule(
            "it is no address, or one with a user or a query", "write https://host/path; a token goes under secrets.alertWebhookToken"
        )
    return url


class Slack(Section):
    """A channel of Slack. Its incoming webhook is `secrets.slackWebhookUrl`."""

    channel: Annotated[str, Form(r"#?[a-z0-9_-]{1,80}", "a channel", 'write it as in "#llm-alerts"')] = Field(description="The channel.")
    severities: Severities = Field(default=["critical", "warning"], description="What is sent.")


class PagerDuty(Section):
    """A service of PagerDuty. Its integration key is `secrets.pagerDutyRoutingKey`."""

    severities: Severities = Field(default=["critical"], description="What is sent.")


class Webhook(Section):
    """Anything that takes Alertmanager's JSON. Sends `secrets.alertWebhookToken`, if there is one, as a bearer token."""

    url: Annotated[str, AfterValidator(_address)] = Field(description="Where to.")
    severities: Severities = Field(default=["critical", "warning"], description="What is sent.")


class Alerting(Section):
    """Who is told of an alert. Without a receiver alerts show in Prometheus, Alertmanager and Grafana alone."""

    runbooks_url: Text = Field(
        default="docs/runbooks",
        description="Where the folder docs/runbooks can be read, such as https://git.acme.example/llm/blob/main/docs/runbooks. "
        "Default: its path in this repository.",
    )
    slack: Slack | None = Field(default=None, description="Slack. Default: not told.")
    pager_duty: PagerDuty | None = Field(default=None, description="PagerDuty. Default: not told.")
    webhook: Webhook | None = Field(default=None, description="A webhook. Default: not told.")
