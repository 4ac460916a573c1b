"""Alerts on scaling: whether KEDA can read what it is to follow, and whether replicas come, stay and are paid for."""

from __future__ import annotations

from components.observability.rules import Alert, joined

# Of an hour. With the down window of 5 minutes there could be eleven. Assumed: a load that breathes has two.
_TURNS = 4


def scaling(*, spot: bool, hourly_budget: bool) -> list[Alert]:
    return [
        *_signal(),
        *([_starved()] if spot else []),
        *([_capped()] if hourly_budget else []),
    ]


def _signal() -> list[Alert]:
    burst = 'kube_deployment_spec_replicas{deployment=~".+-burst"}[1h]'
    of_model = '"model", "$1", "namespace", "model-(.+)"'
    return [
        Alert(
            "ScalerErrors",
            "warning",
            "sum by (exported_namespace, scaledObject) (increase(keda_scaler_detail_errors_total[5m])) > 3",
            "10m",
            "KEDA cannot read how many replicas {{ $labels.scaledObject }} should have",
            "{{ $value | humanize }} of its queries in 5 minutes had no answer, for a quarter of an hour. Replicas stay as they are, and "
            "none comes when load does.",
        ),
        Alert(
            "ScalingMetricsMissing",
            "warning",
            "model:ceiling_replicas:plan > model:floor_replicas:plan unless on (model) model:replicas_wanted:law",
            "10m",
            "How many replicas {{ $labels.model }} needs is not known",
            "Neither the gateway nor the replicas of {{ $labels.model }} have told for 10 minutes what arrives. The last known number is "
            "held for an hour; after that replicas stay as they are.",
        ),
        Alert(
            "ScalingFlaps",
            "warning",
            joined(
                f"label_replace(resets({burst}), {of_model}) >= {_TURNS}",
                f"and on (namespace, deployment) changes({burst}) - resets({burst}) >= {_TURNS}",
            ),
            "15m",
            "The replicas of {{ $labels.model }} come and go",
            "In an hour they were {{ $value }} times made fewer, and as often more: each start takes minutes in which a GPU serves nobody.",
        ),
    ]


def _starved() -> Alert:
    unscheduled = 'kube_pod_status_scheduled{condition="false"} == 1'
    return Alert(
        "SpotStarved",
        "warning",
        f'count by (model) (pod:of_model:group{{tier="burst"}} and on (namespace, pod) ({unscheduled}))',
        "15m",
        "{{ $value }} replicas of {{ $labels.model }} find no spot node",
        "They have been wanted for 15 minutes, and no node has come for them: the region has none left, or the pool is at its maximum.",
    )


def _capped() -> Alert:
    return Alert(
        "BurstCappedByBudget",
        "warning",
        "model:burst_replicas:wanted > on (model) model:burst_replicas:budget",
        "15m",
        "The hourly budget keeps {{ $labels.model }} smaller than its load",
        "{{ $value }} burst replicas are wanted and budget.hourlyUsd pays for fewer: models with a higher scaling.priority come first.",
    )
