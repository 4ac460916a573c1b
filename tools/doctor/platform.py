"""Findings about GPU software: the driver, the device plugin and the GPU Operator."""

from __future__ import annotations

from collections.abc import Iterator

from components.platform.gpu_operator import CHART, NAMESPACE
from planning.startup import NODE_SECONDS
from tools.doctor import admission
from tools.doctor.findings import Cause, Finding, fault, information
from tools.doctor.objects import Object, condition, containers, is_true, name, namespace, seconds_since, status
from tools.doctor.snapshot import Case

SYSTEM = "kube-system"
ABOUT = "GPU operator"


def platform_findings(case: Case) -> Iterator[Finding]:
    if all(plan.pool.machine.is_cpu for plan in case.plan.pools.values()):
        return
    if case.settings.platform.gpu_operator.enabled:
        yield from _operator_findings(case)
    for daemon_set in case.snapshot.daemon_sets:
        if _brings_gpus(daemon_set):
            yield from _daemon_set_findings(case, daemon_set)


def gpu_pods(case: Case) -> Iterator[Object]:
    """Pods of the driver, the device plugin and the operator."""
    return (pod for pod in case.snapshot.pods if _brings_gpus(pod))


def _brings_gpus(one: Object) -> bool:
    """Whether an object is in the GPU Operator's namespace, or is Google's driver installer or device plugin (kube-system/nvidia-*)."""
    return namespace(one) == NAMESPACE or (namespace(one) == SYSTEM and name(one).startswith("nvidia-"))


def said_of(pod: Object) -> str:
    """Reason why a pod is not ready; empty for a ready pod."""
    if is_true(pod, "Ready"):
        return ""
    what = _part(pod)
    for container in containers(pod):
        if reason := container.waiting.get("reason"):
            if reason not in ("PodInitializing", "ContainerCreating"):
                return f"{what} is not ready: {container.name}: {reason} {container.waiting.get('message', '')}".rstrip()
        elif container.failed:
            return f"{what} is not ready: {container.name} ended with exit code {container.ended['exitCode']}"
    return f"{what} is not ready"


def _part(pod: Object) -> str:
    """Name of the pod's owner, such as its DaemonSet, else of the pod."""
    owners = pod["metadata"].get("ownerReferences") or [{"name": name(pod)}]
    return owners[0]["name"]


def _operator_findings(case: Case) -> Iterator[Finding]:
    deployments = [one for one in case.snapshot.deployments if namespace(one) == NAMESPACE]
    if CHART not in map(name, deployments):
        message = f"the GPU Operator is not installed in namespace {NAMESPACE}"
        yield fault(ABOUT, Cause.OPERATOR_NOT_READY, message, "run `pulumi up`; a failed release is cleaned up and tried again")
    for one in deployments:
        if status(one).get("availableReplicas", 0) < one["spec"].get("replicas", 1):
            yield _unavailable(one)


def _unavailable(deployment: Object) -> Finding:
    refused = condition(deployment, "ReplicaFailure")
    if refused.get("status") == "True":
        return admission.refusal(ABOUT, refused.get("message", ""), name(deployment))
    message = f"its Deployment {name(deployment)} is not available"
    return fault(ABOUT, Cause.OPERATOR_NOT_READY, message, f"see `kubectl -n {NAMESPACE} get pods` and their events", name(deployment))


def _daemon_set_findings(case: Case, one: Object) -> Iterator[Finding]:
    counts = status(one)
    if counts.get("numberReady", 0) >= counts.get("desiredNumberScheduled", 0):
        return
    if counts.get("currentNumberScheduled", 0) < counts["desiredNumberScheduled"] and (refused := _refused(case, one)):
        yield from refused
        return
    pods = [pod for pod in gpu_pods(case) if namespace(pod) == namespace(one) and _part(pod) == name(one) and not is_true(pod, "Ready")]
    pods = [
        pod for pod in pods if pod["spec"].get("nodeName") in case.snapshot.ready_nodes
    ]  # other pods are covered by the finding about their node
    old = [pod for pod in pods if seconds_since(pod["metadata"].get("creationTimestamp"), case.snapshot.taken_at) >= NODE_SECONDS]
    if pods and not old:
        yield information(ABOUT, Cause.STARTING, f"{name(one)} is starting on new nodes", "wait: this takes minutes", name(one))
    cause = Cause.DRIVER_NOT_READY if "driver" in name(one) or namespace(one) == SYSTEM else Cause.OPERATOR_NOT_READY
    advice = f"see `kubectl -n {namespace(one)} describe pod` and the pod's log; models on those nodes get no GPU until it is ready"
    for pod in old:
        yield fault(ABOUT, cause, said_of(pod), advice, pod["spec"].get("nodeName") or name(pod))


def _refused(case: Case, one: Object) -> list[Finding]:
    """Refusals of a DaemonSet's pods, which only events show: a DaemonSet has no condition for them."""
    messages = [event.get("message", "") for event in case.snapshot.events_about(one) if event.get("reason") == "FailedCreate"]
    return [admission.refusal(ABOUT, messages[-1], name(one))] if messages else []
