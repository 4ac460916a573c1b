"""The gateway in numbers: what each model can take, what each client may do, and whether the system nodes have room for its pods.

Pure. How Envoy is told is `components.gateway.envoy`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from config import catalog
from config.cluster import GkeCluster
from config.errors import Problem
from config.gateway import ANONYMOUS, Client, Gateway
from config.models import Affinity
from config.platform import Tracing
from config.settings import Settings
from planning.machines import allocatable_cpu, allocatable_memory_gib

# A gateway replica refuses what is this much beyond what the model servers take. Their own limit (--max-num-queued-reqs) is exact;
# this one bounds the connections and the memory of Envoy.
BREAKER_MARGIN = 1.25
# Envoy's heap may have this share of the pod's memory: what it has beside its heap, and what it takes between two looks, is not in it.
HEAP_SHARE = 0.8
# Shares of that heap: where it gives memory back, and where it takes no more requests. The last resort: bodies are counted before.
SHRINK_AT_HEAP, REFUSE_AT_HEAP = 0.85, 0.95
# The bodies of requests may have this share of the heap, less what Envoy has without any: 70 MiB were measured, 100 with 500 models.
BODIES_SHARE, IDLE_MIB = 0.9, 128
# Envoy keeps a body for another try, and a copy while it is sent. A worker thread must have room for two of the largest.
BODY_COPIES, LEAST_LARGE_BODIES = 2, 2
# Room on every system node that kube-system, GKE's agents and the monitoring stack take. Assumed.
SYSTEM_NODE_CPU, SYSTEM_NODE_MEMORY_GIB = 1.2, 3.0


@dataclass(frozen=True)
class RoutedModel:
    """A model as the gateway sees it."""

    name: str
    names: tuple[str, ...]
    """What a request's `model` may say."""
    max_requests: int
    """Most requests, running and waiting, over all replicas at the ceiling."""
    affinity: Affinity
    max_model_len: int
    """Tokens of a prompt and its answer together."""


@dataclass(frozen=True)
class RoutedClient:
    """A client as the gateway sees it."""

    name: str
    requests_per_minute: int | None
    concurrent_requests: int | None
    """Most in flight at one gateway replica."""
    models: tuple[str, ...]
    """Models that it may use."""
    default_model: str | None
    """What a request without a `model` means: a name that the model server knows."""


@dataclass(frozen=True)
class GatewayPlan:
    models: dict[str, RoutedModel]
    clients: dict[str, RoutedClient]
    settings: Gateway
    tracing: Tracing | None = None

    @property
    def max_heap_bytes(self) -> int:
        return int(self.settings.memory_gib * 1024**3 * HEAP_SHARE)

    @property
    def body_memory_bytes(self) -> int:
        """What the bodies at one worker thread may take."""
        return _body_memory_bytes(self.settings)

    @property
    def client_body_memory_bytes(self) -> int:
        """What those of one client may take of it: where there can be others, half is left to them."""
        return self.body_memory_bytes // (1 if self.settings.authentication == "none" else 2)

    @property
    def max_body_bytes(self) -> int:
        return self.settings.max_body_mib * 1024**2


def plan_gateway(settings: Settings, most_in_flight: Mapping[str, int], max_model_len: Mapping[str, int]) -> GatewayPlan | None:
    """None where the stack has no gateway. By model: requests, running and waiting, that one replica takes; tokens that one request has."""
    gateway = settings.gateway
    if gateway is None:
        return None
    models = {
        name: RoutedModel(
            name=name,
            names=(*(model.served_names or [name]), *model.lora_adapters),
            max_requests=max(1, int(most_in_flight[name] * model.scaling.ceiling * BREAKER_MARGIN)),
            affinity=model.affinity,
            max_model_len=max_model_len[name],
        )
        for name, model in settings.models.items()
    }
    clients = gateway.clients
    if gateway.authentication == "none":
        clients = {ANONYMOUS: clients.get(ANONYMOUS, Client())}
    routed = {name: _client(name, client, models) for name, client in clients.items()}
    return GatewayPlan(models, routed, gateway, settings.platform.tracing)


def _client(name: str, client: Client, models: Mapping[str, RoutedModel]) -> RoutedClient:
    return RoutedClient(
        name=name,
        requests_per_minute=client.requests_per_minute,
        concurrent_requests=client.concurrent_requests,
        models=tuple(client.models or models),
        default_model=models[client.default_model].names[0] if client.default_model else None,
    )


def _body_memory_bytes(gateway: Gateway) -> int:
    heap = gateway.memory_gib * 1024**3 * HEAP_SHARE
    return int((heap * BODIES_SHARE - IDLE_MIB * 1024**2) / gateway.cpu)


def gateway_problems(settings: Settings) -> Iterator[Problem]:
    """A gateway pod that cannot hold the largest requests, or that no system node can hold."""
    gateway = settings.gateway
    if gateway is None:
        return
    least = gateway.max_body_mib * BODY_COPIES * LEAST_LARGE_BODIES
    if _body_memory_bytes(gateway) < least * 1024**2:
        needed = (least * gateway.cpu + IDLE_MIB) / BODIES_SHARE / HEAP_SHARE / 1024
        message = (
            f"{gateway.memory_gib:g} GiB are too few for {gateway.cpu} worker threads with {LEAST_LARGE_BODIES} requests each "
            f"of {gateway.max_body_mib} MiB, which Envoy keeps while they are answered"
        )
        yield Problem("gateway.memoryGiB", message, f"raise it to {math.ceil(needed * 10) / 10:g} or more, or lower gateway.maxBodyMiB")
    room = _system_room(settings)
    if room is None:
        return
    machine, cpu, memory, _ = room
    for key, wanted, there, unit in (("cpu", gateway.cpu, cpu, "CPUs"), ("memoryGiB", gateway.memory_gib, memory, "GiB")):
        if wanted > there:
            message = f"{wanted:g} {unit} a pod, but a system node ({machine}) has {max(0.0, there):.1f} left"
            yield Problem(f"gateway.{key}", message, f"lower it to at most {int(there)}, or choose a larger cluster.systemPool.machineType")


def gateway_warnings(settings: Settings) -> Iterator[Problem]:
    """A ceiling that the system nodes cannot hold, and a gateway that is down with every drained node."""
    gateway = settings.gateway
    if gateway is None:
        return
    if gateway.replicas.min < 2 and settings.platform.require_pinned_revisions:
        yield Problem("gateway.replicas.min", "with one replica every drained node is an outage of all models", "set it to 2 or more")
    room = _system_room(settings)
    if room is None:
        return
    machine, cpu, memory, nodes = room
    most = nodes * int(min(cpu / gateway.cpu, memory / gateway.memory_gib))
    if 0 < most < gateway.replicas.max:
        message = f"{gateway.replicas.max} replicas, but {nodes} system nodes ({machine}) hold about {most}"
        yield Problem("gateway.replicas.max", message, "raise cluster.systemPool.max or lower it")


def _system_room(settings: Settings) -> tuple[str, float, float, int] | None:
    """Machine type, CPUs and GiB of memory that a system node has for the gateway, and the most nodes; None where they are not ours."""
    cluster = settings.cluster
    machine = catalog.machine_types().get(cluster.system_pool.machine_type) if isinstance(cluster, GkeCluster) else None
    if not isinstance(cluster, GkeCluster) or machine is None:
        return None
    cpu = allocatable_cpu(machine.vcpus) - SYSTEM_NODE_CPU
    memory = allocatable_memory_gib(machine.memory_gib) - SYSTEM_NODE_MEMORY_GIB
    return cluster.system_pool.machine_type, cpu, memory, cluster.system_pool.max
