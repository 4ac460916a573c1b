"""Alerts on what all other alerts rest on: Prometheus, Alertmanager, and the exporters that rules join.

The chart's rules of the same meaning are switched off (components/platform/monitoring.py), so that one fault is told once.
"""

from __future__ import annotations

from components.observability.rules import Alert

REPLACED = (
    "PrometheusBadConfig",
    "PrometheusRuleFailures",
    "PrometheusNotConnectedToAlertmanagers",
    "AlertmanagerFailedReload",
    "AlertmanagerFailedToSendAlerts",
    "AlertmanagerClusterFailedToSendAlerts",
)


def monitoring() -> list[Alert]:
    return [
        Alert(
            "RuleEvaluationFails",
            "warning",
            "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[5m])) > 0",
            "15m",
            "Prometheus cannot evaluate rules of {{ $labels.rule_group }}",
            "{{ $value | humanize }} evaluations failed within 5 minutes: what these rules record is missing, their alerts cannot fire.",
        ),
        Alert(
            "AlertmanagerUnreachable",
            "critical",
            "max(prometheus_notifications_alertmanagers_discovered) < 1",
            "10m",
            "Prometheus has no Alertmanager to send to",
            "Alerts fire and nobody is told. Only Prometheus' own page shows this one.",
        ),
        Alert(
            "AlertDeliveryFails",
            "critical",
            "sum by (integration) (rate(alertmanager_notifications_failed_total[5m])) > 0.01 * sum by (integration) "
            "(rate(alertmanager_notifications_total[5m]))",
            "5m",
            "Alertmanager cannot deliver by {{ $labels.integration }}",
            "{{ $value | humanize }} notifications a second fail: whoever is told by {{ $labels.integration }} is not told.",
        ),
        Alert(
            "MonitoringConfigurationRefused",
            "warning",
            "min by (pod) (prometheus_config_last_reload_successful or alertmanager_config_last_reload_successful) == 0",
            "10m",
            "{{ $labels.pod }} refuses its configuration",
            "It runs on with the old one: new rules, monitors and receivers have no effect.",
        ),
        Alert(
            "KubeStateMetricsMissing",
            "warning",
            "absent(kube_node_info)",
            "10m",
            "kube-state-metrics says nothing",
            "Replicas, pools and costs are not known; alerts on them cannot fire, not even that a model is down.",
        ),
        Alert(
            "MetricsTargetDown",
            "warning",
            'up{namespace=~"model-.+|gateway|gpu-operator"} == 0',
            "10m",
            "Prometheus does not reach {{ $labels.pod }}",
            "{{ $labels.namespace }}/{{ $labels.pod }} has not answered a scrape for 10 minutes.",
        ),
    ]
