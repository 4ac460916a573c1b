"""Pods that are not scheduled, and the reasons why no node fits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubernetes.utils.quantity import parse_quantity

from planning.startup import NODE_SECONDS
from tools.doctor.findings import Cause, Finding, fault, information
from tools.doctor.nodes import GPU
from tools.doctor.objects import Object, condition, name, seconds_since, status
from tools.doctor.snapshot import Case, Replicas

_NO_CAPACITY = re.compile(r"out of resources|stockout|RESOURCE_POOL_EXHAUSTED|does not have enough resources", re.IGNORECASE)
_NODE_CONDITIONS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")


def waits_for_a_node(pod: Object) -> bool:
    return not pod["spec"].get("nodeName") and condition(pod, "PodScheduled").get("status") == "False"


def placement_findings(case: Case, replicas: Replicas) -> Iterator[Finding]:
    for pod in replicas.pods:
        if waits_for_a_node(pod):
            yield _explained(case, replicas, pod)


def _explained(case: Case, replicas: Replicas, pod: Object) -> Finding:
    said = condition(pod, "PodScheduled").get("message", "")
    refused = [one.get("message", "") for one in case.snapshot.events_about(pod) if one.get("reason") == "FailedScaleUp"]
    if refused and "quota" in refused[-1].lower():
        message = f"Google Cloud refuses another node of {replicas.tier.group.name}: {refused[-1]}"
        return fault(
            replicas.about, Cause.CLOUD_QUOTA, message, "ask for more quota (IAM & Admin, Quotas) or lower the pool's use", name(pod)
        )
    if refused and _NO_CAPACITY.search(refused[-1]):
        return _waits(replicas, Cause.NO_CLOUD_CAPACITY, f"the zones have no capacity for {replicas.tier.group.name}", pod)
    if "PersistentVolumeClaim" in said or "persistentvolumeclaim" in said:
        advice = "see `kubectl describe persistentvolumeclaim`; weights.storageClass must name a class that provides weights.accessMode"
        return fault(replicas.about, Cause.VOLUME_NOT_READY, f"no node can have its volume: {_reason(said)}", advice, name(pod))
    nodes = case.nodes_of(pod["spec"].get("nodeSelector") or {})
    usable = [node for node in nodes if not _taints(pod, node)]
    if not nodes:
        return _pool_empty(case, replicas, pod)
    if not usable:
        return _tainted(replicas, pod, nodes)
    return _no_room(case, replicas, pod, usable, said)


def _waits(replicas: Replicas, cause: Cause, message: str, pod: Object) -> Finding:
    """An unscheduled pod: a fault for a floor replica, information for a burst replica on spot nodes."""
    if replicas.may_wait:
        return information(
            replicas.about, Cause.SPOT_WAITING, f"a burst replica waits: {message}", "nothing: the floor serves meanwhile", name(pod)
        )
    advice = "add a zone to the cluster or the pool, use a reservation, or move the model to another pool"
    return fault(replicas.about, cause, message, advice, name(pod))


def _pool_empty(case: Case, replicas: Replicas, pod: Object) -> Finding:
    group = replicas.tier.group
    selector = ", ".join(f"{key}={value}" for key, value in group.node_selector.items())
    message = f"there is no node of {group.name}"
    if replicas.may_wait:
        return _waits(replicas, Cause.POOL_EMPTY, message, pod)
    if case.grows:
        return _coming(case, replicas, pod) or fault(
            replicas.about,
            Cause.POOL_EMPTY,
            message,
            "see the node pool's events in the console: the autoscaler should keep its minimum",
            name(pod),
        )
    advice = f"label the nodes that should serve it: `kubectl label node <node> {selector.replace(', ', ' ')}`"
    return fault(replicas.about, Cause.POOL_EMPTY, f"{message}: none has the labels {selector}", advice, name(pod))


def _coming(case: Case, replicas: Replicas, pod: Object) -> Finding | None:
    if seconds_since(pod["metadata"].get("creationTimestamp"), case.snapshot.taken_at) >= NODE_SECONDS:
        return None
    message = f"a replica waits for a new node of {replicas.tier.group.name}"
    return information(replicas.about, Cause.STARTING, message, f"wait: a node takes about {NODE_SECONDS // 60} minutes", name(pod))


def _tainted(replicas: Replicas, pod: Object, nodes: list[Object]) -> Finding:
    taints = sorted({_spelt(taint) for node in nodes for taint in _taints(pod, node)})
    of_nodes = [taint for taint in taints if taint.startswith(_NODE_CONDITIONS)]
    listed = ", ".join(of_nodes or taints)
    subject = f"every node of {replicas.tier.group.name}"
    if of_nodes and "node.kubernetes.io/unschedulable" in listed:
        advice = "`kubectl uncordon` them once their maintenance is over"
        return fault(replicas.about, Cause.TAINT_NOT_TOLERATED, f"{subject} is cordoned", advice, name(pod))
    if of_nodes:
        return fault(
            replicas.about, Cause.NODE_NOT_READY, f"{subject} is out of service ({listed})", "see the findings about the pool", name(pod)
        )
    message = f"{subject} has a taint that the model's pods do not tolerate: {listed}"
    return fault(replicas.about, Cause.TAINT_NOT_TOLERATED, message, "remove it: `kubectl taint node <node> <taint>-`", name(pod))


def _taints(pod: Object, node: Object) -> list[Object]:
    """Taints of the node that the pod does not tolerate."""
    tolerations = pod["spec"].get("tolerations") or ()
    taints = [one for one in node["spec"].get("taints") or () if one["effect"] in ("NoSchedule", "NoExecute")]
    return [taint for taint in taints if not any(_tolerates(one, taint) for one in tolerations)]


def _tolerates(toleration: Object, taint: Object) -> bool:
    same_effect = toleration.get("effect") in (None, "", taint["effect"])
    if toleration.get("operator") == "Exists":
        return same_effect and toleration.get("key") in (None, "", taint["key"])
    return same_effect and toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", "")


def _spelt(taint: Object) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _no_room(case: Case, replicas: Replicas, pod: Object, nodes: list[Object], said: str) -> Finding:
    short = sorted(set(re.findall(r"Insufficient ([\w./-]*\w)", said)))
    group = replicas.tier.group.name
    if not short:
        advice = "see `kubectl describe pod` for all of the scheduler's reasons"
        return fault(replicas.about, Cause.UNSCHEDULABLE, f"the scheduler finds no node: {_reason(said)}", advice, name(pod))
    too_much = [f"{_request(pod, one)} {one} (nodes offer {_most(nodes, one)})" for one in short if not _could_fit(pod, nodes, one)]
    if too_much and not (short == [GPU] and _most(nodes, GPU) == "0"):
        message = f"a replica asks for more than any node of {group} has: {', '.join(too_much)}"
        return fault(replicas.about, Cause.NO_ROOM, message, "run `pulumi up`: the plan refuses a model that cannot fit", name(pod))
    if too_much:
        return fault(
            replicas.about, Cause.GPU_NOT_ADVERTISED, f"no node of {group} advertises {GPU}", "see the findings about the pool", name(pod)
        )
    message = f"the nodes of {group} have too little free: {', '.join(short)}"
    if replicas.may_wait:
        return _waits(replicas, Cause.NO_ROOM, message, pod)
    coming = _coming(case, replicas, pod) if case.grows and len(nodes) < replicas.tier.group.max_nodes else None
    advice = f"see who uses them (`kubectl describe node`); the pool may have {replicas.tier.group.max_nodes} nodes and has {len(nodes)}"
    return coming or fault(replicas.about, Cause.NO_ROOM, message, advice, name(pod))


def _request(pod: Object, resource: str) -> str:
    """The largest request of a container. Init containers request less than the model server."""
    requests = [(one.get("resources") or {}).get("requests") or {} for one in pod["spec"]["containers"]]
    return max((one.get(resource, "0") for one in requests), key=parse_quantity)


def _most(nodes: list[Object], resource: str) -> str:
    return max(((status(node).get("allocatable") or {}).get(resource, "0") for node in nodes), key=parse_quantity)


def _could_fit(pod: Object, nodes: list[Object], resource: str) -> bool:
    return parse_quantity(_request(pod, resource)) <= parse_quantity(_most(nodes, resource))


def _reason(said: str) -> str:
    """The scheduler's message without node counts and the remarks on preemption."""
    return said.partition(": ")[2].partition(" preemption:")[0].rstrip(" .") or said
