"""The replicas of a model and their nodes: created, started, routed to, drained, taken away."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tools.simulate.engine import Counters, Engine, EngineShape, Request
from tools.simulate.times import StepTimes

Tier = Literal["floor", "burst"]
# The cluster autoscaler removes a node that was not needed for this long (scale-down-unneeded-time, GKE's balanced profile).
LINGER_SECONDS = 600.0


@dataclass(frozen=True)
class Site:
    """A model as it is planned: its engines, its tiers, its nodes and what they cost."""

    times: StepTimes
    shape: EngineShape
    floor: int
    ceiling: int
    node_seconds: float
    """Until a new node is there; 0 where all nodes stand."""
    start_seconds: float
    """On a node that is there."""
    replicas_per_node: int = 1
    most_burst_nodes: float = math.inf
    grace_seconds: float = 120.0
    burst_is_spot: bool = False
    reclaims_per_hour: float = 0.0
    """How often a spot node is taken away."""
    gpus: int = 1
    floor_usd: float = 0.0
    """An hour of a replica of the floor."""
    burst_node_usd: float = 0.0
    """An hour of a node of the burst."""
    start_spread: float = 0.0
    """Starts take up to this share longer than planned."""


@dataclass(slots=True, eq=False)
class Node:
    made: float
    there: float
    replicas: int = 0
    empty_since: float = 0.0


@dataclass(slots=True, eq=False)
class Replica:
    tier: Tier
    engine: Engine
    node: Node | None
    ready_at: float
    ready: bool = False
    draining: bool = False


@dataclass
class Fleet:
    """`schedule` has the caller call a function at a time."""

    site: Site
    schedule: Callable[[float, Callable[[float], None]], None]
    random: random.Random
    choices: int | None = 2
    """Ready replicas of which the gateway compares the requests in flight: Envoy's LEAST_REQUEST takes two. None: all."""
    replicas: list[Replica] = field(default_factory=list)
    routable: list[Replica] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    held: list[Request] = field(default_factory=list)
    """Requests while no replica is ready."""
    gone: Counters = field(default_factory=Counters)
    """Of replicas that are no more."""
    failed: list[Request] = field(default_factory=list)
    touched: list[Engine] = field(default_factory=list)
    """Engines whose `end` may have changed since the caller last looked."""
    replica_seconds: dict[Tier, float] = field(default_factory=lambda: {"floor": 0.0, "burst": 0.0})
    node_seconds: float = 0.0
    """Of the burst."""
    pending: int = 0
    _until: float = 0.0

    def begin(self, now: float, replicas: int) -> None:
        """Ready from the start."""
        self._until = now
        for index in range(replicas):
            tier: Tier = "floor" if index < self.site.floor else "burst"
            one = Replica(tier, Engine(self.site.times, self.site.shape), self._node(now, warm=True) if tier == "burst" else None, now)
            self.replicas.append(one)
            self._ready(now, one)

    @property
    def active(self) -> int:
        """Pods of the Deployments that are not being deleted."""
        return sum(not one.draining for one in self.replicas) + self.pending

    @property
    def ready(self) -> int:
        return len(self.routable)

    def arrive(self, now: float, request: Request) -> None:
        ready = self.routable
        if not ready:
            self.held.append(request)
            return
        if len(ready) == 1:
            chosen = ready[0].engine
        elif self.choices is None:
            chosen = min((one.engine for one in ready), key=lambda engine: engine.in_flight)
        else:
            number, draw = len(ready), self.random.random
            one, other = ready[int(draw() * number)].engine, ready[int(draw() * number)].engine
            chosen = one if one.in_flight <= other.in_flight else other
        if not chosen.arrive(now, request) and not self._retried(now, request):
            request.failed = True
            self.failed.append(request)
        self.touched.append(chosen)

    def _retried(self, now: float, request: Request) -> bool:
        """The gateway's one retry, on the replica with the fewest requests."""
        other = min((one.engine for one in self.routable), key=lambda engine: engine.in_flight)
        self.touched.append(other)
        return other.arrive(now, request)

    def account(self, now: float) -> None:
        """Adds up what stood since the last call."""
        seconds = now - self._until
        self._until = now
        for one in self.replicas:
            self.replica_seconds[one.tier] += seconds
        self.node_seconds += seconds * len(self.nodes)

    def scale(self, now: float, wanted: int) -> None:
        self.account(now)
        self.pending = max(0, min(self.pending, self.pending + wanted - self.active))
        surplus = self.active - wanted
        if surplus > 0:
            for one in sorted((one for one in self.replicas if not one.draining), key=_goes_last, reverse=True)[:surplus]:
                self._drain(now, one)
        missing, self.pending = wanted - self.active + self.pending, 0
        for _ in range(missing):
            self._create(now)
        self._remove_nodes(now)

    def reclaim(self, now: float, seconds: float) -> None:
        """Takes spot nodes away, as often as expected in this time."""
        chance = self.site.reclaims_per_hour * seconds / 3600 if self.site.burst_is_spot else 0.0
        for node in [one for one in self.nodes if chance and self.random.random() < chance]:
            self.account(now)
            self.nodes.remove(node)
            for one in [one for one in self.replicas if one.node is node]:
                one.node = None
                if not one.draining:
                    self._drain(now, one)

    def _create(self, now: float) -> None:
        floor = sum(one.tier == "floor" and not one.draining for one in self.replicas)
        node: Node | None = None
        if floor >= self.site.floor:
            node = self._node(now, warm=False)
            if node is None:
                self.pending += 1
                return
        start = self.site.start_seconds * (1 + self.site.start_spread * self.random.random())
        ready_at = max(now, node.there if node else now) + start
        one = Replica("burst" if node else "floor", Engine(self.site.times, self.site.shape), node, ready_at)
        self.replicas.append(one)
        self.schedule(ready_at, lambda at: self._ready(at, one))

    def _node(self, now: float, *, warm: bool) -> Node | None:
        for node in self.nodes:
            if node.replicas < self.site.replicas_per_node:
                node.replicas += 1
                return node
        if len(self.nodes) >= self.site.most_burst_nodes:
            return None
        self.account(now)
        node = Node(now, now if warm else now + self.site.node_seconds, 1)
        self.nodes.append(node)
        return node

    def _ready(self, now: float, one: Replica) -> None:
        if one.draining:
            return
        one.ready = True
        self.routable.append(one)
        waiting, self.held = self.held, []
        for request in waiting:
            self.arrive(now, request)

    def _drain(self, now: float, one: Replica) -> None:
        one.draining = True
        if one.ready:
            self.routable.remove(one)
        if one.engine.in_flight == 0:
            self._end(now, one)
        else:
            self.schedule(now + self.site.grace_seconds, lambda at: self._end(at, one))

    def drained(self, now: float) -> None:
        """Ends those that drain and are empty."""
        for one in [one for one in self.replicas if one.draining and one.engine.in_flight == 0]:
            self._end(now, one)

    def _end(self, now: float, one: Replica) -> None:
        if one not in self.replicas:
            return
        self.account(now)
        self.replicas.remove(one)
        for request in one.engine.lose():
            request.failed = True
            self.failed.append(request)
        for name in Counters.__slots__:
            setattr(self.gone, name, getattr(self.gone, name) + getattr(one.engine.counters, name))
        if one.node:
            one.node.replicas -= 1
            one.node.empty_since = now

    def _remove_nodes(self, now: float) -> None:
        self.nodes = [
            one for one in self.nodes if one.replicas or now - one.empty_since < (LINGER_SECONDS if self.site.node_seconds else 0)
        ]


def _goes_last(one: Replica) -> tuple[bool, bool, float]:
    """The ReplicaSet deletes pods that are not ready first, then those that were ready last; the floor is another Deployment."""
    return (one.tier == "burst", not one.ready, one.ready_at)
