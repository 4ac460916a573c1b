"""A stack's whole configuration, typed. `config.parsing` makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from config.budget import Budget
from config.cluster import Cluster
from config.errors import Problem
from config.gateway import Gateway
from config.models import Model
from config.node_pools import NodePool
from config.platform import Platform
from config.rollout import Colour
from config.secrets import Secrets

PROJECT = "vllm-platform"
SECTIONS = ("cluster", "nodePools", "platform", "models", "gateway", "budget", "secrets")


@dataclass(frozen=True)
class Settings:
    """A stack's configuration. `problems`: errors found in the YAML. `doubtful`: paths of the entries with such errors, which are here
    without the wrong keys, or not at all."""

    gcp_project: str | None
    gcp_region: str | None
    cluster: Cluster
    node_pools: dict[str, NodePool]
    platform: Platform
    models: dict[str, Model]
    gateway: Gateway | None
    budget: Budget
    secrets: Secrets
    candidates: dict[str, Model] = field(default_factory=dict)
    """Of models with a `rollout.candidate`, each under `candidate_key(model)`."""
    problems: tuple[Problem, ...] = ()
    doubtful: frozenset[str] = frozenset()

    @cached_property
    def deployed(self) -> dict[str, Model]:
        """Everything that has replicas: the models and their candidates."""
        return self.models | self.candidates

    def is_frozen(self, key: str) -> bool:
        """Whether the pods of a key of `deployed` must not change: clients' requests are there, and the strategy is blue-green."""
        name, _, is_candidate = self.colour_of(key)
        rollout = self.models[name].rollout
        return rollout.strategy == "blue-green" and (not is_candidate or bool(rollout.candidate and rollout.candidate.weight))

    def colour_of(self, key: str) -> tuple[str, Colour, bool]:
        """Of a key of `deployed`: the model, the colour, and whether it is the model's candidate."""
        if key in self.models:
            return key, self.models[key].rollout.live, False
        name = next(name for name in self.models if candidate_key(name) == key)
        return name, self.models[name].rollout.candidate_colour, True


def candidate_key(model: str) -> str:
    """Name of a model's candidate beside the model: in the plan's tables, and as the label `model` in Prometheus."""
    return f"{model}-candidate"


def is_read(key: str) -> bool:
    """Whether this program reads a key of the configuration; keys of other namespaces belong to other programs."""
    return key in ("gcp:project", "gcp:region") or key.startswith(f"{PROJECT}:")


def replicas_name(model: str, colour: Colour) -> str:
    """What the names of a colour's Deployments and Service begin with."""
    return model if colour == "blue" else f"{model}-{colour}"
