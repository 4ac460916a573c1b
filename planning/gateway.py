"""Figures of the gateway: request limits by model and client, body memory, and whether system nodes have room for its pods.

`components.gateway.envoy` translates them into Envoy's configuration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from config import catalog
from config.cluster import GkeCluster
from config.errors import Problem
from config.gateway import ANONYMOUS, Client, Gateway
from config.models import Affinity, Model
from config.platform import Tracing
from config.rollout import Colour, Rollout
from config.settings import Settings, candidate_key
from planning.client_budgets import ClientBudget, client_budgets, token_price_problems, token_prices
from planning.cost import ModelCost, TokenUsd
from planning.machines import allocatable_cpu, allocatable_memory_gib

# Envoy's circuit breaker (max_requests), as a multiple of the requests that all model servers accept. Their own limit
# (--max-num-queued-reqs) is exact; this one bounds Envoy's connections and memory.
BREAKER_MARGIN = 1.25
# Limit of Envoy's heap as a share of the pod's memory: the rest is for memory outside the heap, and for growth between two checks of it.
HEAP_SHARE = 0.8
# Shares of that heap at which the overload manager shrinks it, and refuses requests. A last resort: the limit on bodies applies first.
SHRINK_AT_HEAP, REFUSE_AT_HEAP = 0.85, 0.95
# Request bodies may take this share of the heap, less Envoy's idle memory: 70 MiB were measured, 100 with 500 models.
BODIES_SHARE, IDLE_MIB = 0.9, 128
# Envoy keeps a body for a retry, and a copy while it sends it. A worker thread must have room for two bodies of the largest size.
BODY_COPIES, LEAST_LARGE_BODIES = 2, 2
# CPUs and memory of every system node that kube-system, GKE's agents and the monitoring stack use. Assumed.
SYSTEM_NODE_CPU, SYSTEM_NODE_MEMORY_GIB = 1.2, 3.0


@dataclass(frozen=True)
class OtherColour:
    """The colour of a blue-green model that is not live, whether it has replicas or not: the gateway always knows both, so that no change
    of colours takes one away that a route still leads to, or leads to one that is not known yet."""

    colour: Colour
    weight: int
    """Percentage of the model's requests; 0 without a candidate."""
    max_requests: int


@dataclass(frozen=True)
class RoutedModel:
    """Routing figures of a model."""

    name: str
    names: tuple[str, ...]
    """Values of a request's `model` field that route to this model."""
    max_requests: int
    """Envoy's max_requests: running and waiting requests of all replicas at the ceiling, with BREAKER_MARGIN."""
    affinity: Affinity
    max_model_len: int
    """Most tokens of a prompt and its completion together."""
    price: TokenUsd | None = None
    """What its tokens cost clients with a budget in dollars."""
    wakes_in_seconds: float | None = None
    """Of a model that sleeps: how long it takes until a replica answers."""
    colour: Colour = "blue"
    """Of the live replicas."""
    other: OtherColour | None = None


@dataclass(frozen=True)
class RoutedClient:
    """Limits and models of a client."""

    name: str
    requests_per_minute: int | None
    concurrent_requests: int | None
    """Most requests in flight at one gateway replica."""
    models: tuple[str, ...]
    """Models that the client may use."""
    default_model: str | None
    """Served name of the model for requests without a `model` field."""
    budgets: tuple[ClientBudget, ...] = ()


@dataclass(frozen=True)
class GatewayPlan:
    models: dict[str, RoutedModel]
    clients: dict[str, RoutedClient]
    settings: Gateway
    tracing: Tracing | None = None

    @property
    def budgets(self) -> tuple[ClientBudget, ...]:
        """One of each kind that any client has; none: nothing has to be counted over all replicas."""
        kinds = {budget.name: budget for client in self.clients.values() for budget in client.budgets}
        return tuple(kinds.values())

    def without_budgets(self) -> GatewayPlan:
        """The same where nothing counts tokens."""
        return replace(self, clients={name: replace(client, budgets=()) for name, client in self.clients.items()})

    @property
    def max_heap_bytes(self) -> int:
        return int(self.settings.memory_gib * 1024**3 * HEAP_SHARE)

    @property
    def body_memory_bytes(self) -> int:
        """Limit on the request bodies in one worker thread."""
        return _body_memory_bytes(self.settings)

    @property
    def client_body_memory_bytes(self) -> int:
        """Limit on one client's request bodies in one worker thread: half, if there can be other clients."""
        return self.body_memory_bytes // (1 if self.settings.authentication == "none" else 2)

    @property
    def max_body_bytes(self) -> int:
        return self.settings.max_body_mib * 1024**2


def plan_gateway(
    settings: Settings,
    most_in_flight: Mapping[str, int],
    max_model_len: Mapping[str, int],
    costs: Mapping[str, ModelCost],
    start_seconds: Mapping[str, float],
) -> GatewayPlan | None:
    """None without `gateway`. `most_in_flight`: running and waiting requests that one replica of each model accepts."""
    gateway = settings.gateway
    if gateway is None:
        return None
    prices = token_prices(settings, costs)
    most = {name: max(1, int(most_in_flight[name] * one.scaling.ceiling * BREAKER_MARGIN)) for name, one in settings.deployed.items()}
    models = {
        name: RoutedModel(
            name=name,
            names=(*(model.served_names or [name]), *model.lora_adapters),
            max_requests=most[name],
            affinity=model.affinity,
            max_model_len=min(max_model_len[key] for key in _answering(name, model)),
            price=prices.get(name),
            wakes_in_seconds=start_seconds[name] if model.scaling.scale_to_zero else None,
            colour=model.rollout.live,
            other=_other_colour(model.rollout, most.get(candidate_key(name), most[name])),
        )
        for name, model in settings.models.items()
    }
    clients = gateway.clients
    if gateway.authentication == "none":
        clients = {ANONYMOUS: clients.get(ANONYMOUS, Client())}
    routed = {name: _client(name, client, models) for name, client in clients.items()}
    return GatewayPlan(models, routed, gateway, settings.platform.tracing)


def _other_colour(rollout: Rollout, max_requests: int) -> OtherColour | None:
    if rollout.strategy == "rolling":
        return None
    return OtherColour(rollout.candidate_colour, rollout.candidate.weight if rollout.candidate else 0, max_requests)


def _answering(name: str, model: Model) -> list[str]:
    """Keys of the colours that clients' requests may arrive at."""
    candidate = model.rollout.candidate
    return [name, *([candidate_key(name)] if candidate and candidate.weight else [])]


def _client(name: str, client: Client, models: Mapping[str, RoutedModel]) -> RoutedClient:
    return RoutedClient(
        name=name,
        requests_per_minute=client.requests_per_minute,
        concurrent_requests=client.concurrent_requests,
        models=tuple(client.models or models),
        default_model=models[client.default_model].names[0] if client.default_model else None,
        budgets=client_budgets(client),
    )


def _body_memory_bytes(gateway: Gateway) -> int:
    heap = gateway.memory_gib * 1024**3 * HEAP_SHARE
    return int((heap * BODIES_SHARE - IDLE_MIB * 1024**2) / gateway.cpu)


def gateway_problems(settings: Settings, costs: Mapping[str, ModelCost]) -> Iterator[Problem]:
    """A gateway pod whose memory cannot hold the largest requests, or that fits no system node; budgets in dollars without prices."""
    gateway = settings.gateway
    if gateway is None:
        return
    yield from token_price_problems(settings, costs)
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
    """More gateway replicas than the system nodes can hold, or a single one, which every drained node interrupts."""
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
    """System nodes: machine type, CPUs and GiB of memory that each has for the gateway, most nodes. None on an existing cluster."""
    cluster = settings.cluster
    machine = catalog.machine_types().get(cluster.system_pool.machine_type) if isinstance(cluster, GkeCluster) else None
    if not isinstance(cluster, GkeCluster) or machine is None:
        return None
    cpu = allocatable_cpu(machine.vcpus) - SYSTEM_NODE_CPU
    memory = allocatable_memory_gib(machine.memory_gib) - SYSTEM_NODE_MEMORY_GIB
    return cluster.system_pool.machine_type, cpu, memory, cluster.system_pool.max
