"""Scrape targets of the demo's Prometheus, with the labels that the cluster's monitors give them, and its rules."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from components.naming import GATEWAY_NAMESPACE, model_namespace
from components.observability.rules import prometheus_rule_spec
from components.observability.stack import model_groups, shared_groups
from config.settings import Settings
from planning.plan import Plan
from tools.demo.metrics.cluster import cluster_metrics, exporter
from tools.demo.metrics.prometheus import LocalPrometheus, Target
from tools.demo.models import Served

STATS_PATH = "/stats/prometheus?usedonly"


@contextmanager
def watching(
    settings: Settings, plan: Plan, servers: Mapping[str, Served], gateway_port: int, *, every_seconds: int = 3
) -> Generator[LocalPrometheus]:
    """A Prometheus that scrapes the model servers, Envoy and a simulated cluster. `gateway_port`: of Envoy's statistics.

    Raises:
        RuntimeError: there is no Prometheus, or it does not scrape.
    """
    with exporter(lambda: cluster_metrics(plan)) as cluster_port:
        targets = _targets(servers, gateway_port, cluster_port)
        with LocalPrometheus(targets, _all_rules(settings, plan), every_seconds=every_seconds) as prometheus:
            yield prometheus


def _targets(servers: Mapping[str, Served], gateway_port: int, cluster_port: int) -> list[Target]:
    models = [
        Target(
            f"{model_namespace(model)}/{model}",
            port,
            labels=_pod(model_namespace(model), f"{model}-floor-{index}", "vllm") | {"model": model, "tier": "floor"},
        )
        for model, served in servers.items()
        for index, (_, port) in enumerate(served.addresses)
    ]
    gateway = Target("gateway/gateway", gateway_port, STATS_PATH, _pod(GATEWAY_NAMESPACE, "gateway-0", "envoy"))
    return [*models, gateway, Target("kube-state-metrics", cluster_port, honour=True)]


def _pod(namespace: str, pod: str, container: str) -> dict[str, str]:
    return {"namespace": namespace, "pod": pod, "container": container}


def _all_rules(settings: Settings, plan: Plan) -> dict[str, Any]:
    """The rules that all models share, and each model's own."""
    own = [group for model in plan.models for group in model_groups(settings, plan, model)]
    return prometheus_rule_spec([*own, *shared_groups(settings, plan)], settings.platform.monitoring.alerting.runbooks_url)
