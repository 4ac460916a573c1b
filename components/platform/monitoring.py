"""Prometheus, Alertmanager and Grafana: the chart kube-prometheus-stack as a Helm release.

Creates the namespace, the values and the Secret of Grafana's administrator. Other components create their own PodMonitors, PrometheusRules
and dashboards, which this Prometheus selects in all namespaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.helm.v3 import Release

from components.images import registry_address
from components.naming import MANAGED, MODEL_LABEL, MONITORING_NAMESPACE, TIER_LABEL
from components.platform.release import helm_release, merged, own_namespace
from config.cluster import GkeCluster
from config.settings import Settings
from planning.machines import CAPACITY_LABEL, POOL_LABEL

CHART = "kube-prometheus-stack"
RELEASE_LABEL = {"release": CHART}
GRAFANA_ADMIN_SECRET = "grafana-admin"
TIMEOUT_SECONDS = 1200
ALERTMANAGER_GIB = 5
GRAFANA_GIB = 10
# retentionSize as a share of the volume, which also holds the write-ahead log and blocks under compaction.
_RETENTION_SHARE = 0.85
_NODE_LABELS = (
    POOL_LABEL,
    CAPACITY_LABEL,
    "cloud.google.com/gke-nodepool",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-spot",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
)
_POD_LABELS = (MODEL_LABEL, TIER_LABEL, *(f"app.kubernetes.io/{key}" for key in ("name", "instance", "component", "part-of")))


@dataclass(frozen=True)
class MonitoringArgs:
    settings: Settings
    admin_password: pulumi.Output[str] | None
    """Password of Grafana's admin. None: the chart generates one."""
    anchor: pulumi.Resource | None


class Monitoring(pulumi.ComponentResource):
    """The monitoring stack of the cluster."""

    release: Release

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:Monitoring", name, None, opts)
        # Pod Security level privileged: the node exporter reads the host's /proc and /sys. Not `deleted_with`: disks would remain.
        here = pulumi.ResourceOptions(parent=self)
        needed: list[pulumi.Resource] = [own_namespace(MONITORING_NAMESPACE, pod_security="privileged", opts=here)]
        if args.admin_password is not None:
            needed.append(self._grafana_admin(args.admin_password, args.anchor, needed[0]))
        self.release = helm_release(
            CHART,
            namespace=MONITORING_NAMESPACE,
            values=monitoring_values(args.settings, own_admin=args.admin_password is not None),
            mirror=args.settings.platform.chart_mirror,
            timeout_seconds=TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.anchor, depends_on=needed),
        )
        self.register_outputs({"version": self.release.version})

    def _grafana_admin(self, password: pulumi.Output[str], anchor: pulumi.Resource | None, namespace: pulumi.Resource) -> Secret:
        return Secret(
            GRAFANA_ADMIN_SECRET,
            metadata={"name": GRAFANA_ADMIN_SECRET, "namespace": MONITORING_NAMESPACE, "labels": MANAGED},
            string_data={"admin-user": "admin", "admin-password": password},
            opts=pulumi.ResourceOptions(parent=self, deleted_with=anchor, depends_on=[namespace]),
        )


def monitoring_values(settings: Settings, *, own_admin: bool) -> dict[str, Any]:
    """Values of the chart `kube-prometheus-stack`. `own_admin`: Grafana's administrator is in a Secret of this program."""
    values = {
        # Avoids truncated names; Prometheus is kps-prometheus.monitoring:9090.
        "fullnameOverride": "kps",
        "crds": {"enabled": True},
        "kube-state-metrics": {
            # Labels that are not listed here are missing from kube_node_labels and kube_pod_labels.
            "metricLabelsAllowlist": [f"nodes=[{','.join(_NODE_LABELS)}]", f"pods=[{','.join(_POD_LABELS)}]"],
        },
        "prometheus": {"prometheusSpec": _prometheus_spec(settings)},
        "alertmanager": {
            "alertmanagerSpec": {
                "alertmanagerConfigMatcherStrategy": {"type": "None"},
                "storage": {"volumeClaimTemplate": {"spec": _claim(settings, ALERTMANAGER_GIB)}},
            },
        },
        "grafana": _grafana(settings, own_admin=own_admin),
    }
    return merged(merged(values, _gke_values(settings)), _image_values(settings))


def _prometheus_spec(settings: Settings) -> dict[str, Any]:
    monitoring = settings.platform.monitoring
    # By default Prometheus selects only objects with this release's label, which the models' PodMonitors do not have.
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
        "label": "grafana_dashboard",
        "labelValue": "1",
        "searchNamespace": "ALL",
        "folderAnnotation": "grafana_folder",
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
    """Turns off scraping and alerts of control plane components that GKE hides or lacks (Dataplane V2 has no kube-proxy)."""
    if not isinstance(settings.cluster, GkeCluster):
        return {}
    unreachable = ("kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy", "coreDns", "kubeDns")
    rules = ("etcd", "kubeControllerManager", "kubeProxy", "kubeSchedulerAlerting", "kubeSchedulerRecording", "windows")
    return {**{component: {"enabled": False} for component in unreachable}, "defaultRules": {"rules": dict.fromkeys(rules, False)}}


def _image_values(settings: Settings) -> dict[str, Any]:
    """Registries of the chart's images on the mirror."""
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
