"""The way of a request: from who may call, through the gateway, to the models on the machines of each pool."""

from __future__ import annotations

from dataclasses import dataclass

from config.gateway import Gateway
from config.models import Model
from config.settings import Settings
from planning.machines import NodeGroup
from planning.placement import PoolPlan
from planning.plan import ModelPlan, Plan
from tools.preview.report.words import between, counted, listed

_WAYS_IN = {
    "cluster-ip": "from inside the cluster only",
    "load-balancer": "through a load balancer",
    "gke-gateway": "through Google's application load balancer",
    "ingress": "through the cluster's ingress controller",
}


@dataclass(frozen=True)
class Served:
    """A model, or its candidate, on the machines of its pool."""

    key: str
    names: str
    """By which clients ask for it."""
    replicas: str
    takes: str
    """Of a machine, for each replica."""


@dataclass(frozen=True)
class Machines:
    """A pool: what its nodes are, how many there are, and what runs there."""

    name: str
    machine: str
    hardware: str
    nodes: tuple[str, ...]
    models: tuple[Served, ...]


@dataclass(frozen=True)
class Topology:
    clients: tuple[str, ...]
    gateway: tuple[str, ...]
    pools: tuple[Machines, ...]


def topology(settings: Settings, plan: Plan) -> Topology:
    return Topology(_clients(settings), _gateway(settings.gateway), tuple(_machines(settings, plan, one) for one in plan.pools.values()))


def _clients(settings: Settings) -> tuple[str, ...]:
    gateway = settings.gateway
    if gateway is None:
        return ("Nobody: the stack has no gateway, and only Prometheus reaches its model servers.",)
    if gateway.authentication == "none":
        known = "No keys: every caller is the client anonymous."
    else:
        known = f"{counted(len(gateway.clients), 'client')}, each with keys of its own: {listed(gateway.clients)}."
    limited = [name for name, client in gateway.clients.items() if client.has_budget]
    return (known, *([f"Budgets of tokens or dollars: {listed(limited)}."] if limited else []), f"They call {_WAYS_IN[gateway.exposure]}.")


def _gateway(gateway: Gateway | None) -> tuple[str, ...]:
    if gateway is None:
        return ("None.",)
    where = f"{gateway.host}, an OpenAI-compatible address" if gateway.host else "One OpenAI-compatible address"
    return (
        f"{where} for all models.",
        f"{between(gateway.replicas.min, gateway.replicas.max)} Envoy pods, on nodes without GPUs: keys, limits, routes, audit log.",
    )


def _machines(settings: Settings, plan: Plan, pool: PoolPlan) -> Machines:
    machine, name = pool.pool.machine, pool.pool.name
    here = {key: one for key, one in plan.deployed.items() if one.pool.name == name}
    hardware = f"{machine.vcpus:g} CPUs, {machine.memory_gib:,.0f} GiB"
    if machine.accelerator:
        hardware = f"{machine.gpus} x {machine.accelerator.display_name}, {hardware}"
    groups = (("on demand", pool.pool.on_demand), ("spot", pool.pool.spot))
    return Machines(
        name,
        machine.name,
        hardware,
        tuple(_nodes(kind, group) for kind, group in groups if group),
        tuple(_served(one, settings.deployed[key]) for key, one in here.items()),
    )


def _nodes(kind: str, group: NodeGroup) -> str:
    return f"{between(group.min_nodes, group.max_nodes)} {kind}"


def _served(planned: ModelPlan, model: Model) -> Served:
    shape = planned.shape
    takes = counted(shape.gpus, "GPU") if shape.gpus else f"{shape.cpu:g} CPUs, {shape.memory_gib:g} GiB"
    burst = f", up to {planned.burst} of them on {model.scaling.burst_capacity} nodes" if planned.burst else ""
    role = "candidate: " if planned.is_candidate else ""
    return Served(
        planned.key,
        role + listed((*planned.served_names, *model.lora_adapters)),
        f"{between(planned.floor, planned.floor + planned.burst)} replicas{burst}",
        takes,
    )
