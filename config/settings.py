"""A stack's whole configuration, typed. `config.parsing` makes it."""

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
    problems: tuple[Problem, ...] = ()
    doubtful: frozenset[str] = frozenset()


def is_read(key: str) -> bool:
    """Whether this program reads a key of the configuration; keys of other namespaces belong to other programs."""
    return key in ("gcp:project", "gcp:region") or key.startswith(f"{PROJECT}:")
