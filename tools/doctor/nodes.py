"""Nodes of the stack's pools: whether they are Ready and advertise the GPUs that the plan expects."""

from __future__ import annotations

from collections.abc import Iterator

from config.cluster import GkeCluster
from planning.machines import NodeGroup, Pool
from planning.startup import NODE_SECONDS
from tools.doctor import platform
from tools.doctor.findings import Cause, Finding, fault, information
from tools.doctor.objects import Object, condition, is_true, labels, name, seconds_since, selects, status
from tools.doctor.snapshot import Case

GPU = "nvidia.com/gpu"
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


def node_findings(case: Case) -> Iterator[Finding]:
    for plan in case.plan.pools.values():
        for node in case.snapshot.nodes:
            group = _group(plan.pool, node)
            if group:
                yield from _node_findings(case, plan.pool, group, node)


def _group(pool: Pool, node: Object) -> NodeGroup | None:
    groups = [group for group in (pool.on_demand, pool.spot) if group]
    return next((group for group in groups if selects(group.node_selector, labels(node))), None)


def _node_findings(case: Case, pool: Pool, group: NodeGroup, node: Object) -> Iterator[Finding]:
    about, young = f"pool {pool.name}", seconds_since(node["metadata"].get("creationTimestamp"), case.snapshot.taken_at) < NODE_SECONDS
    if not is_true(node, "Ready"):
        yield _not_ready(about, group, node, young=young)
        return
    for pressure in _PRESSURES:
        if is_true(node, pressure):
            advice = "see what else runs on it (`kubectl describe node`): pods are evicted from it and none are placed"
            yield fault(about, Cause.NODE_NOT_READY, f"a node is under {pressure}", advice, name(node))
    if not pool.machine.is_cpu:
        yield from _gpu_findings(case, about, pool, node, young=young)


def _not_ready(about: str, group: NodeGroup, node: Object, *, young: bool) -> Finding:
    if young:
        return information(about, Cause.STARTING, "a new node is not ready yet", "wait: this takes minutes", name(node))
    said = condition(node, "Ready").get("message") or "its kubelet reports nothing"
    message = f"a node of {group.name} is not ready: {said}"
    if group.capacity == "spot":
        return information(about, Cause.NODE_NOT_READY, message, "nothing, if it was reclaimed, as spot nodes may be", name(node))
    advice = "see `kubectl describe node`; GKE repairs a node that stays so, elsewhere restart its kubelet or replace it"
    return fault(about, Cause.NODE_NOT_READY, message, advice, name(node))


def _gpu_findings(case: Case, about: str, pool: Pool, node: Object, *, young: bool) -> Iterator[Finding]:
    wanted = pool.machine.slots
    found = int((status(node).get("allocatable") or {}).get(GPU, 0))
    if found >= wanted:
        return
    if young:
        yield information(
            about, Cause.STARTING, f"a new node does not advertise {GPU} yet", "wait: its driver is being installed", name(node)
        )
        return
    if found:
        message = f"a node advertises {found} {GPU}, and {pool.machine.name} should have {wanted}"
        advice = "a GPU has failed or is partitioned differently: see `nvidia-smi` on the node and replace it if one is missing"
        yield fault(about, Cause.GPU_NOT_ADVERTISED, message, advice, name(node))
        return
    stuck = sorted({platform.said_of(pod) for pod in platform.gpu_pods(case) if pod["spec"].get("nodeName") == name(node)} - {""})
    reason = f", because {stuck[0]}" if stuck else ""
    yield fault(about, Cause.GPU_NOT_ADVERTISED, f"a ready node advertises no {GPU}{reason}", _advice(case), name(node))


def _advice(case: Case) -> str:
    cluster = case.settings.cluster
    if not isinstance(cluster, GkeCluster):
        return "see `kubectl -n gpu-operator get pods -o wide`, or this cluster's own device plugin"
    if cluster.gpu_stack == "gke-default":
        return "GKE's device plugin installs the driver: see `kubectl -n kube-system describe pods -l k8s-app=nvidia-gpu-device-plugin`"
    return "see `kubectl -n kube-system logs daemonset/nvidia-driver-installer -c nvidia-driver-installer`, then the GPU Operator's pods"
