"""The input of findings: the plan of a stack, and a snapshot of the cluster. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from components.naming import COLOUR_LABEL, TIER_LABEL, model_namespace
from components.serving import rollout
from components.serving.pod import Tier
from config.settings import Settings
from planning.plan import ModelPlan, Plan
from tools.doctor.objects import Container, Object, about, is_true, labels, name, namespace, selects
from tools.engine_log import as_text


@dataclass(frozen=True)
class Snapshot:
    """Objects of the cluster. Pods and workloads are those of the models and of the namespaces that the platform uses."""

    taken_at: datetime
    namespaces: frozenset[str] = frozenset()
    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    daemon_sets: tuple[Object, ...] = ()
    disruption_budgets: tuple[Object, ...] = ()
    external_metrics: Object | None = None
    """The APIService of external.metrics.k8s.io."""
    events: tuple[Object, ...] = ()
    """Warning events, and events of containers that a kubelet killed."""
    logs: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """The last lines of containers that failed, by namespace, pod and container."""

    @cached_property
    def ready_nodes(self) -> frozenset[str]:
        return frozenset(name(node) for node in self.nodes if is_true(node, "Ready"))

    def events_about(self, one: Object) -> list[Object]:
        return about(self.events, one)

    def last_words(self, container: Container) -> str:
        """The end of its log; if the log could not be read, the termination message in the pod's status."""
        key = (namespace(container.pod), name(container.pod), container.name)
        return as_text(self.logs.get(key) or container.ended.get("message") or "")


@dataclass(frozen=True)
class Replicas:
    """The floor or burst replicas of a model: planned and actual."""

    model: ModelPlan
    tier: Tier
    deployment: Object | None
    pods: tuple[Object, ...]

    @property
    def about(self) -> str:
        return f"model {self.model.key}"

    @property
    def is_floor(self) -> bool:
        return self.tier.name == rollout.FLOOR

    @property
    def may_wait(self) -> bool:
        """Whether pending pods are no fault: burst replicas on spot nodes."""
        return not self.is_floor and self.tier.group.capacity == "spot"


@dataclass(frozen=True)
class Case:
    """A plan and a snapshot of its cluster."""

    settings: Settings
    plan: Plan
    snapshot: Snapshot

    @property
    def grows(self) -> bool:
        """Whether the cluster has an autoscaler that adds nodes."""
        return self.settings.cluster.provider == "gke"

    def replicas(self) -> Iterator[Replicas]:
        pods: dict[tuple[str, str], list[Object]] = {}
        for pod in self.snapshot.pods:
            pods.setdefault((labels(pod).get(COLOUR_LABEL, ""), labels(pod).get(TIER_LABEL, "")), []).append(pod)
        deployments = {(namespace(one), name(one)): one for one in self.snapshot.deployments}
        for key, model in self.plan.deployed.items():
            for tier in rollout.tiers(self.settings.deployed[key], model):
                deployment = deployments.get((model_namespace(model.name), f"{model.replicas_name}-{tier.name}"))
                yield Replicas(model, tier, deployment, tuple(pods.get((model.replicas_name, tier.name), ())))

    def nodes_of(self, selector: Mapping[str, str]) -> list[Object]:
        return [node for node in self.snapshot.nodes if selects(selector, labels(node))]
