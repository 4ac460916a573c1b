"""The whole of a stack's configuration, typed. `config.parsing` makes it."""

from __future__ import annotations

from dataclasses import dataclass

from config.budget import Budget
from config.cluster import Cluster
from config.errors import Problem
from config.gateway import Gateway
from config.models import Model
from config.node_pools import NodePool
from config.platform import Platform
from config.secrets import Secrets

PROJECT = "vllm-platform"
SECTIONS = ("cluster", "nodePools", "platform", "models", "gateway", "budget", "secrets")


@dataclass(frozen=True)
class Settings:
    """What a stack says. `problems` is what was wrong with the YAML; `doubtful` are the entries that it was wrong in:
    they are here without what was wrong, or not at all."""

    gcp_project: str | None
    gcp_region: str | None
    cluster: Cluster
    node_pools: dict[str, NodePool]
    platform: Platform
    models: dict[str, Model]
    gateway: Gateway | None
    budget: Budget
    secrets: Secrets
    problems: tuple[Problem, ...] = ()
    doubtful: frozenset[str] = frozenset()


def is_read(key: str) -> bool:
    """Whether the program reads a key of the configuration; those of other namespaces are other programs' business."""
    return key in ("gcp:project", "gcp:region") or key.startswith(f"{PROJECT}:")
