"""Rules between the receivers of alerts and their secrets."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import Problem
from config.secrets import SecretName
from config.settings import Settings

_PATH = "platform.monitoring.alerting"


def alerting_rules(settings: Settings) -> Iterator[Problem]:
    """A receiver without its key, and a key without its receiver."""
    alerting = settings.platform.monitoring.alerting
    needed: list[tuple[str, object | None, SecretName, bool]] = [
        ("slack", alerting.slack, "slackWebhookUrl", True),
        ("pagerDuty", alerting.pager_duty, "pagerDutyRoutingKey", True),
        ("webhook", alerting.webhook, "alertWebhookToken", False),
    ]
    for receiver, given, key, required in needed:
        has_secret = settings.secrets.has(key)
        if given is not None and required and not has_secret:
            fix = f"pulumi config set --secret --path 'secrets.{key}' <value>"
            yield Problem(f"{_PATH}.{receiver}", f"it needs secrets.{key}, which is not given", fix)
        if given is None and has_secret:
            message = f"nothing uses it without {_PATH}.{receiver}"
            yield Problem(f"secrets.{key}", message, f"give {_PATH}.{receiver}, or remove it")
