"""Alertmanager's configuration: who is told of what, and which alerts say only what another one has said.

Keys are files of a mounted Secret, so that neither this configuration nor the release's values hold one. An alert of severity `info` is
sent to nobody.
"""

from __future__ import annotations

from typing import Any, get_args

from config.alerting import Alerting, Severity
from config.secrets import SecretName

SECRET = "alert-receivers"
_FOLDER = f"/etc/alertmanager/secrets/{SECRET}"
_NOBODY = "nobody"
# What has the same cause is one notification.
_GROUP_BY = ["model", "pool", "namespace"]
# What the chart sends all the time, or only to silence others.
_ALWAYS = ("Watchdog", "InfoInhibitor")
_TITLE = "[{{ .Status | toUpper }}] {{ .CommonLabels.severity }}: {{ range .Alerts }}{{ .Annotations.summary }} {{ end }}"
_TEXT = "{{ range .Alerts }}{{ .Annotations.description }}\n{{ .Annotations.runbook_url }}\n{{ end }}"

# cause: (what it explains, labels that both share). Also through others: what ModelDown explains of the gateway explains its models.
INHIBITIONS: dict[str, list[tuple[str, list[str]]]] = {
    "GatewayDown": [("GatewayErrorRatioHigh|NoHealthyUpstream|ErrorBudgetBurns.*|ErrorRatioHigh|MetricsTargetDown", [])],
    "GatewayErrorRatioHigh": [("ErrorBudgetBurns.*|ErrorRatioHigh", [])],
    "ModelDown": [
        ("ModelBelowFloor|NoHealthyUpstream|ErrorBudgetBurns.*|ErrorRatioHigh|QueueBacklog|EngineStuck", ["model"]),
        ("PodPendingTooLong|StartupOverBudget|ModelMetricsMissing|MetricsTargetDown", ["model"]),
        ("GatewayErrorRatioHigh", []),
    ],
    "NoHealthyUpstream": [("ErrorBudgetBurns.*|ErrorRatioHigh", ["model"]), ("GatewayErrorRatioHigh", [])],
    "EngineStuck": [("ErrorBudgetBurns.*|ErrorRatioHigh|QueueBacklog|KvCacheSaturated|AdmissionRejections", ["model"])],
    "ErrorBudgetBurnsFast": [("ErrorBudgetBurnsSlowly|ErrorRatioHigh", ["model"])],
    "ModelMetricsMissing": [("MetricsTargetDown", ["model"])],
    "ModelAtMaxReplicas": [("QueueBacklog", ["model"])],
    "PodOutOfMemory": [("PodCrashLooping", ["namespace", "pod"])],
    "GpuRowRemapFailure": [("GpuXidError", ["UUID"])],
    "GpuXidError": [("EngineStuck|PodCrashLooping|MetricsTargetDown", ["namespace", "pod"])],
    "BudgetSpent": [("BudgetForecastExceeded|BudgetBurn", [])],
    "BudgetForecastExceeded": [("BudgetBurn", [])],
    "CertificateExpires": [("CertificateExpiresSoon", [])],
}


def alertmanager_config(alerting: Alerting, *, webhook_token: bool) -> dict[str, Any]:
    """The chart's `alertmanager.config`."""
    receivers = [{"name": one, **_receiver(alerting, one, webhook_token=webhook_token)} for one in get_args(Severity)]
    return {
        "route": {
            "receiver": _NOBODY,
            "group_by": _GROUP_BY,
            "group_wait": "1m",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [
                {"receiver": _NOBODY, "matchers": [f'alertname=~"{"|".join(_ALWAYS)}"']},
                {"receiver": "critical", "matchers": ['severity="critical"'], "repeat_interval": "4h"},
                {"receiver": "warning", "matchers": ['severity="warning"']},
            ],
        },
        "inhibit_rules": [
            *(_rule(f'alertname="{cause}"', f'alertname=~"{explained}"', equal) for cause, explained, equal in _inhibitions()),
            # As the chart's own configuration has it, for its own alerts.
            _rule('severity="critical"', 'severity=~"warning|info"', ["namespace", "alertname"]),
            _rule('alertname="InfoInhibitor"', 'severity="info"', ["namespace"]),
        ],
        "receivers": [{"name": _NOBODY}, *receivers],
    }


def receiver_secrets(alerting: Alerting, *, webhook_token: bool) -> list[SecretName]:
    """Secrets that the receivers read; each is a file of its own name."""
    wanted: list[tuple[SecretName, bool]] = [
        ("slackWebhookUrl", alerting.slack is not None),
        ("pagerDutyRoutingKey", alerting.pager_duty is not None),
        ("alertWebhookToken", alerting.webhook is not None and webhook_token),
    ]
    return [name for name, is_wanted in wanted if is_wanted]


def _inhibitions() -> list[tuple[str, str, list[str]]]:
    return [(cause, explained, equal) for cause, rows in INHIBITIONS.items() for explained, equal in rows]


def _rule(source: str, target: str, equal: list[str]) -> dict[str, Any]:
    return {"source_matchers": [source], "target_matchers": [target], **({"equal": equal} if equal else {})}


def _receiver(alerting: Alerting, severity: Severity, *, webhook_token: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    slack, pager_duty, webhook = alerting.slack, alerting.pager_duty, alerting.webhook
    if slack and severity in slack.severities:
        api = {"api_url_file": f"{_FOLDER}/slackWebhookUrl", "channel": slack.channel}
        found["slack_configs"] = [api | {"send_resolved": True, "title": _TITLE, "text": _TEXT}]
    if pager_duty and severity in pager_duty.severities:
        details = {"runbook": "{{ range .Alerts }}{{ .Annotations.runbook_url }} {{ end }}"}
        key = {"routing_key_file": f"{_FOLDER}/pagerDutyRoutingKey"}
        found["pagerduty_configs"] = [key | {"severity": "{{ .CommonLabels.severity }}", "details": details}]
    if webhook and severity in webhook.severities:
        token = {"http_config": {"authorization": {"credentials_file": f"{_FOLDER}/alertWebhookToken"}}} if webhook_token else {}
        found["webhook_configs"] = [{"url": webhook.url, "send_resolved": True, **token}]
    return found
