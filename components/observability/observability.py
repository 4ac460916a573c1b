"""The rules that all models share, as one PrometheusRule beside Prometheus, and the dashboards, as ConfigMaps beside Grafana.

Owns those objects. What they say is decided by the pure modules here; a model's own rules are objects of its `ModelStack`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap

from components.naming import DASHBOARD_FOLDER_ANNOTATION, DASHBOARD_LABEL, DASHBOARD_LABEL_VALUE, MANAGED, MONITORING_NAMESPACE
from components.observability.dashboards.stack import FOLDER, dashboards, file_content
from components.observability.stack import shared_rules
from config.settings import Settings
from planning.plan import Plan

API_VERSION = "monitoring.coreos.com/v1"
NAME = "vllm-platform"


@dataclass(frozen=True)
class ObservabilityArgs:
    settings: Settings
    plan: Plan
    monitoring: pulumi.Resource
    """What brings the namespace and the PrometheusRule kind."""


class Observability(pulumi.ComponentResource):
    """What is recorded and alerted on, of the stack as a whole."""

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:observability:Observability", name, None, opts)
        CustomResource(
            "rules",
            api_version=API_VERSION,
            kind="PrometheusRule",
            metadata={"name": NAME, "namespace": MONITORING_NAMESPACE, "labels": MANAGED},
            spec=shared_rules(args.settings, args.plan),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.monitoring]),
        )
        for uid, dashboard in dashboards(args.settings, args.plan).items():
            ConfigMap(
                f"dashboard-{uid}",
                metadata={
                    "name": f"dashboard-{uid}",
                    "namespace": MONITORING_NAMESPACE,
                    "labels": MANAGED | {DASHBOARD_LABEL: DASHBOARD_LABEL_VALUE},
                    "annotations": {DASHBOARD_FOLDER_ANNOTATION: FOLDER},
                },
                data=file_content(dashboard),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.monitoring]),
            )
        self.register_outputs({})
