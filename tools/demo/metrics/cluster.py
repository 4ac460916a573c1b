"""Stands in for what is no cluster here: kube-state-metrics, the kubelet and the DCGM exporter, of a cluster at the floors of a stack.

Every floor's replicas run on as few of their pool's on-demand nodes as hold them, and are ready. GPUs are half busy: nothing here knows.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from components.naming import MODEL_LABEL, TIER_LABEL, discovered, model_labels, model_namespace
from planning.machines import NodeGroup
from planning.placement import PoolPlan
from planning.plan import ModelPlan, Plan

HOST = "127.0.0.1"
BUSY = 0.5
SYSTEM_NODE = "system-0"


@dataclass(frozen=True)
class Replica:
    """A pod of a floor, and where it runs."""

    model: ModelPlan
    index: int
    node: str

    @property
    def pod(self) -> str:
        return f"{self.model.name}-floor-{self.index}"

    @property
    def namespace(self) -> str:
        return model_namespace(self.model.name)


@dataclass(frozen=True)
class Node:
    name: str
    pool: PoolPlan
    group: NodeGroup


def placed(plan: Plan) -> tuple[list[Node], list[Replica]]:
    """Nodes and the replicas of the floors on them, the largest first; a model that scales to zero shows with one."""
    nodes: list[Node] = []
    replicas: list[Replica] = []
    for name, pool in plan.pools.items():
        group = pool.pool.on_demand or pool.pool.spot
        if group is None:
            continue
        here = sorted((model for model in plan.models.values() if model.pool.name == name), key=lambda model: -model.shape.slots)
        free: dict[str, int] = {}
        for model in here:
            for index in range(max(1, model.floor)):
                node = next((one for one, slots in free.items() if slots >= model.shape.slots), None)
                if node is None:
                    node = f"{group.name}-{len(free)}"
                    free[node] = pool.pool.machine.slots
                free[node] -= model.shape.slots
                replicas.append(Replica(model, index, node))
        while len(free) < group.min_nodes:
            free[f"{group.name}-{len(free)}"] = 0
        nodes += [Node(one, pool, group) for one in free]
    return nodes, replicas


def cluster_metrics(plan: Plan) -> str:
    """In Prometheus' text format."""
    nodes, replicas = placed(plan)
    lines = [*_nodes(nodes), *_pods(replicas), *_gpus(nodes, replicas)]
    return "\n".join(lines) + "\n"


def _line(name: str, value: float, **labels: str) -> str:
    inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {value:g}"


def _kubernetes(labels: Mapping[str, str]) -> dict[str, str]:
    """As kube-state-metrics spells them."""
    return {f"label_{discovered(label)}": value for label, value in labels.items()}


def _nodes(nodes: list[Node]) -> Iterator[str]:
    yield _line("kube_node_info", 1, node=SYSTEM_NODE)
    yield _line("kube_node_labels", 1, node=SYSTEM_NODE)
    for node in nodes:
        yield _line("kube_node_info", 1, node=node.name)
        yield _line("kube_node_labels", 1, node=node.name, **_kubernetes(node.group.node_selector))
        yield _line("kube_node_status_condition", 1, node=node.name, condition="Ready", status="true")
        if not node.pool.pool.machine.is_cpu:
            gpus = {"resource": "nvidia_com_gpu", "unit": "integer"}
            yield _line("kube_node_status_allocatable", node.pool.pool.machine.slots, node=node.name, **gpus)


def _pods(replicas: list[Replica]) -> Iterator[str]:
    started = time.time() - 3600
    for model in {one.model.name: one.model for one in replicas}.values():
        space = model_namespace(model.name)
        yield _line("kube_namespace_created", started, namespace=space)
        for tier, wanted in (("floor", max(1, model.floor)), ("burst", 0)):
            for name in ("kube_deployment_spec_replicas", "kube_deployment_status_replicas_available"):
                yield _line(name, wanted, namespace=space, deployment=f"{model.name}-{tier}")
        if model.autoscaled:
            scaler = {"scaledObject": f"{model.name}-burst", "metric": "s0", "scaler": "prometheus", "type": "scaledobject"}
            yield _line("keda_scaler_detail_errors_total", 0, exported_namespace=space, **scaler)
    for one in replicas:
        pod = {"namespace": one.namespace, "pod": one.pod, "uid": one.pod}
        container = pod | {"container": "vllm"}
        labels = model_labels(one.model.name) | {MODEL_LABEL: one.model.name, TIER_LABEL: "floor"}
        yield _line("kube_pod_info", 1, **pod, node=one.node)
        yield _line("kube_pod_labels", 1, **pod, **_kubernetes(labels))
        yield _line("kube_pod_start_time", started, **pod)
        for phase in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
            yield _line("kube_pod_status_phase", phase == "Running", **pod, phase=phase)
        yield _line("kube_pod_status_ready", 1, **pod, condition="true")
        yield _line("kube_pod_status_scheduled", 1, **pod, condition="true")
        yield _line("kube_pod_container_status_restarts_total", 0, **container)
        if one.model.shape.gpus:
            gpus = {"resource": "nvidia_com_gpu", "unit": "integer", "node": one.node}
            yield _line("kube_pod_container_resource_requests", one.model.shape.slots, **container, **gpus)


def _gpus(nodes: list[Node], replicas: list[Replica]) -> Iterator[str]:
    """Of GPUs that a pod has, with 90 % of the memory taken, as vLLM does at its start."""
    machines = {node.name: node.pool.pool.machine for node in nodes}
    taken: dict[str, int] = {}
    for one in replicas:
        accelerator = machines[one.node].accelerator
        if accelerator is None:
            continue
        memory = accelerator.memory_gib * 1024
        for _ in range(one.model.shape.gpus):
            number = taken[one.node] = taken.get(one.node, -1) + 1
            gpu = {
                "gpu": f"{number}", "UUID": f"GPU-{one.node}-{number}", "device": f"nvidia{number}", "modelName": accelerator.display_name,
                "Hostname": one.node, "namespace": one.namespace, "pod": one.pod, "container": "vllm",
            }  # fmt: skip
            values = {
                "DCGM_FI_DEV_GPU_UTIL": 100 * BUSY,
                "DCGM_FI_DEV_FB_USED": 0.9 * memory,
                "DCGM_FI_DEV_FB_FREE": 0.1 * memory,
                "DCGM_FI_DEV_GPU_TEMP": 38 + 35 * BUSY,
                "DCGM_FI_DEV_MEMORY_TEMP": 40 + 38 * BUSY,
                "DCGM_FI_DEV_POWER_USAGE": 30 + 40 * BUSY,
                "DCGM_FI_PROF_GR_ENGINE_ACTIVE": BUSY,
                "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.2 * BUSY,
                "DCGM_FI_PROF_DRAM_ACTIVE": 0.6 * BUSY,
            }
            quiet = ("XID_ERRORS", "ROW_REMAP_FAILURE", "PCIE_REPLAY_COUNTER", "UNCORRECTABLE_REMAPPED_ROWS", "CORRECTABLE_REMAPPED_ROWS")
            for name, value in {**values, **{f"DCGM_FI_DEV_{name}": 0.0 for name in quiet}}.items():
                yield _line(name, value, **gpu)


@contextmanager
def exporter(text: Callable[[], str]) -> Generator[int]:
    """Serves `text` to Prometheus; the port. Nothing of it is left afterwards."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # it waits no longer, or has ended
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="cluster-metrics", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
