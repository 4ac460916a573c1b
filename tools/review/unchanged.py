"""Spares the offline run of the program what a change does not touch: the cluster, and the resources of models.

A stack of 300 models has 4,000 resources, each of which takes milliseconds; a cluster on Google Cloud imports pulumi_gcp, which takes
seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi_kubernetes as kubernetes
from pulumi_gcp import organizations

from components.cluster.connection import ClusterConnection, create_cluster
from components.observability.stack import model_rules
from components.outputs import export_outputs
from components.serving.models import awaiting_model
from components.stack import create_on_cluster
from config.cluster import GkeCluster
from tools.review.snapshot import Planned

# Sections that are not part of every model's resources: what a model takes from these is in its plan or its rules.
_OF_SOME = ("vllm-platform:models", "vllm-platform:nodePools", "vllm-platform:budget", "vllm-platform:gateway")


@dataclass(frozen=True)
class Unchanged:
    """Parts for which the same code makes the same resources, because all that they are made from is equal."""

    models: frozenset[str] = frozenset()
    cluster: bool = False


def unchanged_parts(before: Planned, after: Planned) -> Unchanged:
    if before.plan is None or after.plan is None or _shared(before) != _shared(after):
        return Unchanged()
    both = [name for name in after.plan.models if name in before.plan.models]
    models = {name for name in both if _made_from(before, name) == _made_from(after, name)}
    # These two have a Job that awaits the gateway's routes, which hold every model.
    models -= {awaiting_model(before.settings), awaiting_model(after.settings)}
    return Unchanged(frozenset(models), _cluster_made_from(before) == _cluster_made_from(after))


def _shared(planned: Planned) -> dict[str, Any]:
    return {key: value for key, value in planned.config.items() if key not in _OF_SOME}


def _made_from(planned: Planned, name: str) -> tuple[Any, ...]:
    settings, plan = planned.settings, planned.plan
    return settings.models[name], plan.models[name], plan.candidates.get(name), model_rules(settings, plan, name)


def _cluster_made_from(planned: Planned) -> tuple[Any, ...]:
    """Beside the shared sections. Weights in Google's buckets, or in others, decide about the network."""
    pools = {name: one.pool for name, one in planned.plan.pools.items()}
    sources = {model.weights.source for model in planned.settings.models.values()}
    return planned.settings.node_pools, pools, planned.plan.node_changes, sources


def program(planned: Planned, unchanged: Unchanged) -> Callable[[], None]:
    """The program of `__main__.py` for what is planned already, without the unchanged parts."""
    return partial(_create, planned, unchanged)


def _create(planned: Planned, unchanged: Unchanged) -> None:
    settings, plan = planned.settings, planned.plan
    spared = unchanged.cluster and isinstance(settings.cluster, GkeCluster)
    cluster = _connected(planned) if spared else create_cluster(settings, plan.pools, plan.node_changes)
    changed = [name for name in settings.models if name not in unchanged.models]
    export_outputs(create_on_cluster(settings, plan, cluster, changed))


def _connected(planned: Planned) -> ClusterConnection:
    """A connection like that of the whole program, without the resources of the cluster."""
    project = planned.settings.gcp_project
    number = organizations.get_project_output(project_id=project).number
    provider = kubernetes.Provider(planned.settings.cluster.name)
    return ClusterConnection(provider, anchor=None, kubeconfig_command="", workload_identity=(project, number), nodes=())
