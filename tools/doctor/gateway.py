"""Findings about the gateway: if its pods are not available, no client gets a response."""

from __future__ import annotations

from collections.abc import Iterator

from components.gateway.pod import NAME
from components.naming import GATEWAY_NAMESPACE
from tools.doctor import admission
from tools.doctor.findings import Cause, Finding, fault
from tools.doctor.objects import Object, condition, name, namespace, status
from tools.doctor.platform import said_of
from tools.doctor.snapshot import Case

ABOUT = "gateway"
_ADVICE = f"see `kubectl -n {GATEWAY_NAMESPACE} describe pod` and the pod's log"


def gateway_findings(case: Case) -> Iterator[Finding]:
    if case.plan.gateway is None:
        return
    deployment = next((one for one in case.snapshot.deployments if (namespace(one), name(one)) == (GATEWAY_NAMESPACE, NAME)), None)
    if deployment is None:
        yield fault(ABOUT, Cause.NOT_DEPLOYED, "the gateway is not in this cluster: clients reach no model", "run `pulumi up`")
        return
    if status(deployment).get("availableReplicas", 0) >= deployment["spec"].get("replicas", 1):
        return
    refused = condition(deployment, "ReplicaFailure")
    if refused.get("status") == "True":
        yield admission.refusal(ABOUT, refused.get("message", ""), NAME)
    for pod in (one for one in case.snapshot.pods if namespace(one) == GATEWAY_NAMESPACE):
        yield from _pod_findings(pod)


def _pod_findings(pod: Object) -> Iterator[Finding]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        message = f"a replica of the gateway is Pending: {scheduled.get('message', '')}"
        yield fault(ABOUT, Cause.UNSCHEDULABLE, message, "give it room: cluster.systemPool.max, or a smaller gateway.cpu", name(pod))
    elif said := said_of(pod):
        yield fault(ABOUT, Cause.GATEWAY_NOT_READY, said, _ADVICE, name(pod))
