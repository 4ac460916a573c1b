"""From a `Case` to its findings. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from tools.doctor.autoscaler import autoscaler_findings
from tools.doctor.containers import container_findings
from tools.doctor.findings import Cause, Finding, fault, merged
from tools.doctor.gateway import gateway_findings
from tools.doctor.nodes import node_findings
from tools.doctor.placement import placement_findings
from tools.doctor.platform import platform_findings
from tools.doctor.snapshot import Case, Replicas
from tools.doctor.workloads import deployment_findings, disruption_budget_findings, rollout_findings


def diagnose(case: Case) -> list[Finding]:
    """All findings, one per cause, worst first. The stack is healthy if none of them is a fault."""
    replicas = list(case.replicas())
    if replicas and all(one.deployment is None for one in replicas):
        message = f"none of the stack's {len(case.plan.models)} models is in this cluster"
        missing = fault("stack", Cause.NOT_DEPLOYED, message, "run `pulumi up`, or look at the right cluster: CONTEXT=<context>")
        return merged([missing, *autoscaler_findings(case)])
    return merged(_all(case, replicas))


def _all(case: Case, replicas: list[Replicas]) -> Iterator[Finding]:
    yield from node_findings(case)
    yield from platform_findings(case)
    yield from autoscaler_findings(case)
    yield from gateway_findings(case)
    for one in replicas:
        found = [*deployment_findings(case, one), *placement_findings(case, one), *container_findings(case, one)]
        yield from found
        if not any(finding.is_fault for finding in found):
            yield from rollout_findings(one)
    yield from disruption_budget_findings(case)
