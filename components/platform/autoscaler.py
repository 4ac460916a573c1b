"""KEDA as a Helm release, which scales the bursts of all models; and metrics-server, for clusters that lack it.

Owns their namespaces with NetworkPolicies, and the charts' values. Only one API service can be `external.metrics.k8s.io`: KEDA's is, so
nothing else of the platform claims it (no prometheus-adapter, no Stackdriver adapter), and Helm refuses to take over another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components.images import registry_address
from components.naming import FLOOR, KEDA_NAMESPACE, PRIORITY_CLASSES
from components.platform.isolation import keda_policies, metrics_server_policies
from components.platform.monitoring import RELEASE_LABEL
from components.platform.release import helm_release, merged, own_namespace
from config.settings import Settings

CHART = "keda"
METRICS_SERVER = "metrics-server"
TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class AutoscalerArgs:
    settings: Settings
    anchor: pulumi.Resource | None
    needed: Sequence[pulumi.Resource]
    """What its pods and its ServiceMonitors need: PriorityClasses and monitoring."""


class Autoscaler(pulumi.ComponentResource):
    """KEDA: operator, metrics server and admission webhook."""

    release: Release
    """Brings the CRDs: a ScaledObject depends on it."""

    def __init__(self, name: str, args: AutoscalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:Autoscaler", name, None, opts)
        policies = keda_policies(args.settings.cluster)
        inside = own_namespace(KEDA_NAMESPACE, pod_security="restricted", policies=policies, parent=self, anchor=args.anchor)
        self.release = helm_release(
            CHART,
            namespace=KEDA_NAMESPACE,
            values=keda_values(args.settings),
            mirror=args.settings.platform.chart_mirror,
            timeout_seconds=TIMEOUT_SECONDS,
            parent=self,
            anchor=args.anchor,
            needed=[*inside, *args.needed],
        )
        self.register_outputs({"version": self.release.version})


class MetricsServer(pulumi.ComponentResource):
    """metrics-server: CPU and memory of pods, `metrics.k8s.io`."""

    release: Release

    def __init__(self, name: str, args: AutoscalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:MetricsServer", name, None, opts)
        policies = metrics_server_policies(args.settings.cluster)
        inside = own_namespace(METRICS_SERVER, pod_security="restricted", policies=policies, parent=self, anchor=args.anchor)
        self.release = helm_release(
            METRICS_SERVER,
            namespace=METRICS_SERVER,
            values=metrics_server_values(args.settings),
            mirror=args.settings.platform.chart_mirror,
            timeout_seconds=TIMEOUT_SECONDS,
            parent=self,
            anchor=args.anchor,
            needed=[*inside, *args.needed],
        )
        self.register_outputs({"version": self.release.version})


def keda_values(settings: Settings) -> dict[str, Any]:
    """Values of the chart `keda`."""
    monitor = {"enabled": True, "serviceMonitor": {"enabled": True, "additionalLabels": RELEASE_LABEL}}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    selected = {"operator": "keda-operator", "metricsServer": "keda-operator-metrics-apiserver"}
    values = {
        # One stands by: without an operator no replica comes or goes, without a metrics server no HPA computes.
        "operator": {"replicaCount": 2},
        "metricsServer": {"replicaCount": 2},
        "podDisruptionBudget": {"operator": {"maxUnavailable": 1}, "metricServer": {"maxUnavailable": 1}},
        "topologySpreadConstraints": {
            key: [spread | {"labelSelector": {"matchLabels": {"app": label}}}] for key, label in selected.items()
        },
        # Else a floor's replica could preempt what brings it help.
        "priorityClassName": PRIORITY_CLASSES[FLOOR],
        # A pinned image need not be asked for again at every start.
        "image": {"pullPolicy": "IfNotPresent"},
        "prometheus": dict.fromkeys(("operator", "metricServer"), monitor),
    }
    return merged(values, _image_values(settings))


def metrics_server_values(settings: Settings) -> dict[str, Any]:
    """Values of the chart `metrics-server`."""
    if settings.platform.image_mirror is None:
        return {}
    return {"image": {"repository": f"{registry_address(settings, 'registry.k8s.io')}/metrics-server/metrics-server"}}


def _image_values(settings: Settings) -> dict[str, Any]:
    return {"global": {"image": {"registry": registry_address(settings, "ghcr.io")}}} if settings.platform.image_mirror else {}
