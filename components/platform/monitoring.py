"""Prometheus, Alertmanager and Grafana: the chart kube-prometheus-stack as a Helm release.

Owns the namespace, the values and Grafana's administrator. Does not own what is scraped, alerted on or drawn: components bring their own
PodMonitors, rules and dashboards, and this Prometheus picks up those of every namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.helm.v3 import Release

from components.images import registry_address
from components.naming import DASHBOARD_FOLDER_ANNOTATION, DASHBOARD_LABEL, DASHBOARD_LABEL_VALUE, MANAGED, MONITORING_NAMESPACE
from components.observability.alertmanager import SECRET, alertmanager_config, receiver_secrets
from components.observability.alerts import prometheus
from components.observability.capacity import POD_LABELS, node_labels
from components.platform.release import helm_release, merged, own_namespace
from config.cluster import GkeCluster
from config.settings import Settings
from planning.placement import PoolPlan
from planning.plan import Plan

CHART = "kube-prometheus-stack"
RELEASE_LABEL = {"release": CHART}
GRAFANA_ADMIN_SECRET = "grafana-admin"
TIMEOUT_SECONDS = 1200
ALERTMANAGER_GIB = 5
GRAFANA_GIB = 10
# Prometheus stops at this share of its volume, which also holds the write-ahead log and what is being compacted.
_RETENTION_SHARE = 0.85


@dataclass(frozen=True)
class MonitoringArgs:
    settings: Settings
    plan: Plan
    admin_password: pulumi.Output[str] | None
    """Grafana's. None: the chart makes one up."""
    receivers: Mapping[str, pulumi.Output[str]]
    """What Alertmanager shows to those that it tells, by name."""
    anchor: pulumi.Resource | None


class Monitoring(pulumi.ComponentResource):
    """The monitoring stack of the cluster."""

    release: Release

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:Monitoring", name, None, opts)
        # Privileged: the node exporter reads the host's /proc and /sys. Not `deleted_with` the cluster: its volumes would outlive it.
        here = pulumi.ResourceOptions(parent=self)
        needed: list[pulumi.Resource] = [own_namespace(MONITORING_NAMESPACE, pod_security="privileged", opts=here)]
        if args.admin_password is not None:
            admin = {"admin-user": "admin", "admin-password": args.admin_password}
            needed.append(self._secret(GRAFANA_ADMIN_SECRET, admin, args.anchor, needed[0]))
        if args.receivers:
            needed.append(self._secret(SECRET, args.receivers, args.anchor, needed[0]))
        self.release = helm_release(
            CHART,
            namespace=MONITORING_NAMESPACE,
            values=monitoring_values(args.settings, args.plan.pools, own_admin=args.admin_password is not None),
            mirror=args.settings.platform.chart_mirror,
            timeout_seconds=TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.anchor, depends_on=needed),
        )
        self.register_outputs({"version": self.release.version})

    def _secret(
        self, name: str, data: Mapping[str, pulumi.Input[str]], anchor: pulumi.Resource | None, namespace: pulumi.Resource
    ) -> Secret:
        return Secret(
            name,
            metadata={"name": name, "namespace": MONITORING_NAMESPACE, "labels": MANAGED},
            string_data=data,
            opts=pulumi.ResourceOptions(parent=self, deleted_with=anchor, depends_on=[namespace]),
        )


def monitoring_values(settings: Settings, pools: Mapping[str, PoolPlan], *, own_admin: bool) -> dict[str, Any]:
    """Values of the chart `kube-prometheus-stack`. `own_admin`: Grafana's administrator is in a Secret of ours."""
    alerting = settings.platform.monitoring.alerting
    receivers = receiver_secrets(alerting, webhook_token=settings.secrets.has("alertWebhookToken"))
    values = {
        # Else names are cut off in the middle; with it Prometheus is kps-prometheus.monitoring:9090.
        "fullnameOverride": "kps",
        "crds": {"enabled": True},
        "kube-state-metrics": {
            "metricLabelsAllowlist": [f"nodes=[{','.join(node_labels(pools))}]", f"pods=[{','.join(POD_LABELS)}]"],
        },
        "prometheus": {"prometheusSpec": _prometheus_spec(settings)},
        "defaultRules": {"disabled": dict.fromkeys(prometheus.REPLACED, True)},
        "alertmanager": {
            "config": alertmanager_config(alerting, webhook_token="alertWebhookToken" in receivers),
            "alertmanagerSpec": {
                "alertmanagerConfigMatcherStrategy": {"type": "None"},
                **({"secrets": [SECRET]} if receivers else {}),
                "storage": {"volumeClaimTemplate": {"spec": _claim(settings, ALERTMANAGER_GIB)}},
            },
        },
        "grafana": _grafana(settings, own_admin=own_admin),
    }
    return merged(merged(values, _gke_values(settings)), _image_values(settings))


def _prometheus_spec(settings: Settings) -> dict[str, Any]:
    monitoring = settings.platform.monitoring
    # By default Prometheus takes only objects with this release's label, and the models' monitors go unseen.
    selectors = {f"{kind}SelectorNilUsesHelmValues": False for kind in ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig")}
    return {
        **selectors,
        "scrapeInterval": f"{monitoring.scrape_interval_seconds}s",
        "retention": f"{monitoring.retention_days}d",
        "retentionSize": f"{int(monitoring.storage_gib * 1024 * _RETENTION_SHARE)}MB",
        "walCompression": True,
        "storageSpec": {"volumeClaimTemplate": {"spec": _claim(settings, monitoring.storage_gib)}},
    }


def _grafana(settings: Settings, *, own_admin: bool) -> dict[str, Any]:
    admin = {"existingSecret": GRAFANA_ADMIN_SECRET, "userKey": "admin-user", "passwordKey": "admin-password"}
    dashboards = {
        "enabled": True,
        "label": DASHBOARD_LABEL,
        "labelValue": DASHBOARD_LABEL_VALUE,
        "searchNamespace": "ALL",
        "folderAnnotation": DASHBOARD_FOLDER_ANNOTATION,
        "provider": {"foldersFromFilesStructure": True, "allowUiUpdates": False},
    }
    storage_class = _storage_class(settings)
    return {
        **({"admin": admin} if own_admin else {}),
        "persistence": {
            "enabled": True,
            "type": "sts",
            "size": f"{GRAFANA_GIB}Gi",
            **({"storageClassName": storage_class} if storage_class else {}),
        },
        "sidecar": {"dashboards": dashboards},
    }


def _claim(settings: Settings, gib: int) -> dict[str, Any]:
    storage_class = _storage_class(settings)
    return {
        **({"storageClassName": storage_class} if storage_class else {}),
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{gib}Gi"}},
    }


def _storage_class(settings: Settings) -> str | None:
    default = "premium-rwo" if isinstance(settings.cluster, GkeCluster) else None
    return settings.platform.monitoring.storage_class or default


def _gke_values(settings: Settings) -> dict[str, Any]:
    """What GKE runs out of reach, or not at all (Dataplane V2 has no kube-proxy), is neither scraped nor alerted on."""
    if not isinstance(settings.cluster, GkeCluster):
        return {}
    unreachable = ("kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy", "coreDns", "kubeDns")
    rules = ("etcd", "kubeControllerManager", "kubeProxy", "kubeSchedulerAlerting", "kubeSchedulerRecording", "windows")
    return {**{component: {"enabled": False} for component in unreachable}, "defaultRules": {"rules": dict.fromkeys(rules, False)}}


def _image_values(settings: Settings) -> dict[str, Any]:
    """Registries of the chart's images where a mirror replaces them."""
    if settings.platform.image_mirror is None:
        return {}
    docker, ghcr, k8s, quay = (
        {"image": {"registry": registry_address(settings, host)}} for host in ("docker.io", "ghcr.io", "registry.k8s.io", "quay.io")
    )
    return {
        "prometheus": {"prometheusSpec": quay},
        "alertmanager": {"alertmanagerSpec": quay},
        "prometheusOperator": {**quay, "prometheusConfigReloader": quay, "admissionWebhooks": {"patch": ghcr}},
        "prometheus-node-exporter": quay,
        "kube-state-metrics": k8s,
        "grafana": {**docker, "initChownData": docker, "sidecar": quay},
    }
