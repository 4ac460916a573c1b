"""Prometheus, Alertmanager and Grafana: the chart kube-prometheus-stack as a Helm release.

Creates the namespace with its NetworkPolicies, the values and the Secret of Grafana's administrator. Other components create their own
PodMonitors, PrometheusRules and dashboards, which this Prometheus selects in all namespaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.helm.v3 import Release

from components.images import registry_address
from components.naming import DASHBOARD_FOLDER_ANNOTATION, MANAGED, MONITORING_NAMESPACE
from components.observability.alertmanager import SECRET, alertmanager_config, receiver_secrets
from components.observability.alerts import prometheus
from components.observability.capacity import POD_LABELS, node_labels
from components.platform.isolation import monitoring_policies
from components.platform.release import helm_release, merged, own_namespace
from config import catalog
from config.cluster import GkeCluster
from config.settings import Settings
from planning.monitoring import ALERTMANAGER, GRAFANA, OPERATOR, RETENTION_SHARE, Resources
from planning.plan import Plan

CHART = "kube-prometheus-stack"
RELEASE_LABEL = {"release": CHART}
GRAFANA_ADMIN_SECRET = "grafana-admin"
TIMEOUT_SECONDS = 1200
ALERTMANAGER_GIB = 5


@dataclass(frozen=True)
class MonitoringArgs:
    settings: Settings
    plan: Plan
    admin_password: pulumi.Output[str] | None
    """Password of Grafana's admin. None: the chart generates one."""
    receivers: Mapping[str, pulumi.Output[str]]
    """Keys of the Secret with which Alertmanager authenticates itself to its receivers."""
    anchor: pulumi.Resource | None


class Monitoring(pulumi.ComponentResource):
    """The monitoring stack of the cluster."""

    release: Release
    grafana: dict[str, str]
    """How a person reaches Grafana and finds its password."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:platform:Monitoring", name, None, opts)
        # Pod Security level privileged: the node exporter reads the host's /proc and /sys.
        needed = own_namespace(
            MONITORING_NAMESPACE,
            pod_security="privileged",
            policies=monitoring_policies(args.settings),
            parent=self,
            anchor=args.anchor,
            has_disks=True,
        )
        if args.admin_password is not None:
            admin = {"admin-user": "admin", "admin-password": args.admin_password}
            needed.append(self._secret(GRAFANA_ADMIN_SECRET, admin, args.anchor, needed[0]))
        if args.receivers:
            needed.append(self._secret(SECRET, args.receivers, args.anchor, needed[0]))
        self.release = helm_release(
            CHART,
            namespace=MONITORING_NAMESPACE,
            values=monitoring_values(args.settings, args.plan, own_admin=args.admin_password is not None),
            mirror=args.settings.platform.chart_mirror,
            timeout_seconds=TIMEOUT_SECONDS,
            parent=self,
            anchor=args.anchor,
            needed=needed,
        )
        self.grafana = grafana_access(own_admin=args.admin_password is not None)
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


def _pinned(image: catalog.Image) -> dict[str, str]:
    """Tag and digest, as the chart spells them."""
    return {"tag": image.tag} | ({"sha": image.digest.removeprefix("sha256:")} if image.digest else {})


def grafana_access(*, own_admin: bool) -> dict[str, str]:
    """How to reach Grafana. `fullnameOverride` does not change the names of its Service and of the Secret with the generated password."""
    secret = GRAFANA_ADMIN_SECRET if own_admin else f"{CHART}-grafana"
    kubectl = f"kubectl -n {MONITORING_NAMESPACE}"
    return {
        "portForward": f"{kubectl} port-forward service/{CHART}-grafana 3000:80",
        "url": "http://localhost:3000",
        "user": "admin",
        "password": f"{kubectl} get secret {secret} -o jsonpath='{{.data.admin-password}}' | base64 -d",
    }


def monitoring_values(settings: Settings, plan: Plan, *, own_admin: bool) -> dict[str, Any]:
    """Values of the chart `kube-prometheus-stack`. `own_admin`: Grafana's administrator is in a Secret of this program."""
    alerting = settings.platform.monitoring.alerting
    receivers = receiver_secrets(alerting, webhook_token=settings.secrets.has("alertWebhookToken"))
    sizes = plan.monitoring
    values = {
        # Avoids truncated names; Prometheus is kps-prometheus.monitoring:9090.
        "fullnameOverride": "kps",
        # Helm installs CRDs and never upgrades them: this job does, before the operator of the new version starts.
        "crds": {"upgradeJob": {"enabled": True, "image": {"busybox": _pinned(catalog.image("busybox"))}}},
        "prometheusOperator": {"resources": _resources(OPERATOR)},
        "kube-state-metrics": {
            "resources": _resources(sizes.kube_state_metrics),
            "metricLabelsAllowlist": [f"nodes=[{','.join(node_labels(plan.pools))}]", f"pods=[{','.join(POD_LABELS)}]"],
        },
        "prometheus": {"prometheusSpec": {**_prometheus_spec(settings), "resources": _resources(sizes.prometheus)}},
        "defaultRules": {"disabled": dict.fromkeys(prometheus.REPLACED, True)},
        "alertmanager": {
            "config": alertmanager_config(alerting, webhook_token="alertWebhookToken" in receivers),
            "alertmanagerSpec": {
                "alertmanagerConfigMatcherStrategy": {"type": "None"},
                "resources": _resources(ALERTMANAGER),
                **({"secrets": [SECRET]} if receivers else {}),
                "storage": {"volumeClaimTemplate": {"spec": _claim(settings, ALERTMANAGER_GIB)}},
            },
        },
        "grafana": _grafana(settings, own_admin=own_admin),
    }
    return merged(merged(values, _control_plane_values(settings)), _image_values(settings))


def _resources(resources: Resources) -> dict[str, Any]:
    requests = {"cpu": f"{round(resources.cpu * 1000)}m", "memory": f"{resources.memory_mib}Mi"}
    return {"requests": requests, "limits": {"memory": f"{resources.memory_limit_mib}Mi"}}


def _prometheus_spec(settings: Settings) -> dict[str, Any]:
    monitoring = settings.platform.monitoring
    # By default Prometheus selects only objects with this release's label, which the models' PodMonitors do not have.
    selectors = {f"{kind}SelectorNilUsesHelmValues": False for kind in ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig")}
    return {
        **selectors,
        "scrapeInterval": f"{monitoring.scrape_interval_seconds}s",
        "retention": f"{monitoring.retention_days}d",
        "retentionSize": f"{int(monitoring.storage_gib * 1024 * RETENTION_SHARE)}MB",
        "storageSpec": {"volumeClaimTemplate": {"spec": _claim(settings, monitoring.storage_gib)}},
    }


def _grafana(settings: Settings, *, own_admin: bool) -> dict[str, Any]:
    storage_class = _storage_class(settings)
    return {
        **({"admin": {"existingSecret": GRAFANA_ADMIN_SECRET}} if own_admin else {}),
        "resources": _resources(GRAFANA),
        "persistence": {"enabled": True, "type": "sts", **({"storageClassName": storage_class} if storage_class else {})},
        "sidecar": {"dashboards": {"folderAnnotation": DASHBOARD_FOLDER_ANNOTATION, "provider": {"foldersFromFilesStructure": True}}},
        # Its pods have no way out to ask for updates or to report.
        "grafana.ini": {"analytics": {"check_for_updates": False, "check_for_plugin_updates": False, "reporting_enabled": False}},
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


def _control_plane_values(settings: Settings) -> dict[str, Any]:
    """Turns off scraping and alerts of control plane components, which managed clusters and kind hide from pods or do not have, unless
    `scrapeControlPlane` is set. GKE has no CoreDNS."""
    unreachable = (
        [] if settings.platform.monitoring.scrape_control_plane else ["kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy"]
    )
    if isinstance(settings.cluster, GkeCluster):
        unreachable.append("coreDns")
    return {component: {"enabled": False} for component in unreachable}


def _image_values(settings: Settings) -> dict[str, Any]:
    """Registries of the chart's images on the mirror."""
    if settings.platform.image_mirror is None:
        return {}
    docker, ghcr, k8s, quay = (
        {"image": {"registry": registry_address(settings, host)}} for host in ("docker.io", "ghcr.io", "registry.k8s.io", "quay.io")
    )
    return {
        "crds": {"upgradeJob": {"image": {"busybox": docker["image"], "kubectl": k8s["image"]}}},
        "prometheus": {"prometheusSpec": quay},
        "alertmanager": {"alertmanagerSpec": quay},
        "prometheusOperator": {**quay, "prometheusConfigReloader": quay, "admissionWebhooks": {"patch": ghcr}},
        "prometheus-node-exporter": quay,
        "kube-state-metrics": k8s,
        "grafana": {**docker, "initChownData": docker, "sidecar": quay},
    }
