"""A snapshot of a healthy cluster with the small stack, to which tests add faults."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime

from components.naming import model_labels, model_namespace
from planning.plan import make_plan
from tests.faults import DONE, ago, pod_status, running
from tests.stacks import settings
from tools.doctor.diagnosis import diagnose
from tools.doctor.nodes import GPU
from tools.doctor.snapshot import Case, Snapshot

MODEL = "qwen3-8b"
SPACE = model_namespace(MODEL)
OLD = ago(86_400)


def of(kind, name, namespace=None, *, spec=None, status=None, **metadata):
    where = {"namespace": namespace} if namespace else {}
    meta = {"name": name, "creationTimestamp": OLD, **where, **metadata}
    return {"kind": kind, "metadata": meta, "spec": spec or {}, "status": status or {}}


def node(group, index=0, gpus=1, ready="True", taints=None, **metadata):
    conditions = [{"type": "Ready", "status": ready, "message": "kubelet stopped posting node status"}]
    allocatable = {"cpu": "11910m", "memory": "40Gi"} | ({GPU: str(gpus)} if gpus else {})
    taints = [{"key": one.key, "value": one.value, "effect": one.effect} for one in group.taints] if taints is None else taints
    status = {"conditions": conditions, "allocatable": allocatable}
    return of("Node", f"{group.name}-{index}", spec={"taints": taints}, status=status, labels=group.node_selector, **metadata)


def pod(group, tier, index=0, on=None, status=None, **metadata):
    labels = model_labels(MODEL) | {"vllm-platform/tier": tier}
    spec = {
        "nodeSelector": group.node_selector,
        "tolerations": [{"key": one.key, "operator": "Equal", "value": one.value, "effect": one.effect} for one in group.taints],
        "containers": [{"name": "vllm", "resources": {"requests": {GPU: "1", "cpu": "11"}, "limits": {"memory": "40000Mi"}}}],
        **({"nodeName": on} if on else {}),
    }
    return of("Pod", f"{tier}-{index}", SPACE, spec=spec, status=status, labels=labels, **metadata)


def serving():
    return pod_status(DONE, running(3600, started=True, ready=True)) | {"conditions": [{"type": "Ready", "status": "True"}]}


def unschedulable(message):
    return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}


def deployment(name, namespace=SPACE, replicas=1, **status):
    return of("Deployment", name, namespace, spec={"replicas": replicas}, status={"availableReplicas": replicas, **status})


def event(one, reason, message):
    about = {"name": one["metadata"]["name"], "namespace": one["metadata"].get("namespace", "")}
    return {"involvedObject": about, "reason": reason, "message": message, "lastTimestamp": OLD}


class World:
    """A deployed, healthy stack, to which tests add faults."""

    def __init__(self, changes=None):
        self.settings = settings(changes)
        self.plan = make_plan(self.settings)
        pool = self.plan.models[MODEL].pool
        self.on_demand, self.spot = pool.on_demand, pool.spot
        home = node(self.on_demand)
        self.floor = pod(self.on_demand, "floor", on=home["metadata"]["name"], status=serving())
        self.snapshot = Snapshot(
            taken_at=datetime.now(UTC),
            namespaces=frozenset({SPACE, "gpu-operator"}),
            nodes=(home,),
            pods=(self.floor,),
            deployments=(
                deployment(f"{MODEL}-floor"),
                deployment(f"{MODEL}-burst"),
                deployment("gpu-operator", "gpu-operator"),
                deployment("gateway", "gateway"),
            ),
        )

    @property
    def startup(self):
        return self.plan.models[MODEL].startup

    def with_floor(self, **changes):
        self.floor = copy.deepcopy(self.floor) | changes
        return self.but(pods=(self.floor,))

    def without(self, name):
        """The Deployments without the one of this name."""
        return tuple(one for one in self.snapshot.deployments if one["metadata"]["name"] != name)

    def but(self, **changes):
        self.snapshot = replace(self.snapshot, **changes)
        return self

    def findings(self):
        return diagnose(Case(self.settings, self.plan, self.snapshot))

    def only(self, *, fault=True):
        found = self.findings()
        assert len(found) == 1, found
        assert found[0].is_fault is fault, found[0]
        return found[0]
