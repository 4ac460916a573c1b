"""Findings about the external metrics API, which a cluster has once: KEDA must serve it, and nothing else can beside it."""

from __future__ import annotations

from collections.abc import Iterator

from components.naming import KEDA_NAMESPACE
from tools.doctor.findings import Cause, Finding, fault
from tools.doctor.objects import condition, name
from tools.doctor.snapshot import Case

EXTERNAL_METRICS = "v1beta1.external.metrics.k8s.io"
ABOUT = "autoscaler"


def autoscaler_findings(case: Case) -> Iterator[Finding]:
    """None where the stack scales nothing, nobody serves the API, or it may not be read."""
    service = case.snapshot.external_metrics
    if service is None or not any(model.autoscaled for model in case.plan.models.values()):
        return
    owner = service["spec"].get("service") or {}
    if owner.get("namespace") != KEDA_NAMESPACE:
        claimed = f"{EXTERNAL_METRICS} belongs to Service {owner.get('namespace')}/{owner.get('name')}"
        message = f"{claimed}: KEDA cannot be installed beside it, and no burst is scaled"
        advice = "remove that adapter and its APIService, then `pulumi up`; or set platform.autoscaler.enabled to false and scale by hand"
        yield fault(ABOUT, Cause.EXTERNAL_METRICS_TAKEN, message, advice, name(service))
        return
    available = condition(service, "Available")
    if available.get("status") == "False":
        message = f"{EXTERNAL_METRICS} does not answer, so replicas stay as they are: {available.get('message', 'no reason given')}"
        yield fault(ABOUT, Cause.AUTOSCALER_NOT_READY, message, f"see `kubectl -n {KEDA_NAMESPACE} get pods` and their logs", name(service))
