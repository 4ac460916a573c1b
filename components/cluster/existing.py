"""A cluster that exists already: all that is known of it is a kubeconfig and a name. Its nodes are described, never changed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pulumi_kubernetes as kubernetes

from config.cluster import ExistingCluster


def existing_provider(cluster: ExistingCluster) -> kubernetes.Provider:
    """The provider of the kubeconfig's context. Its identifier is the cluster's name in the stack, so that another path or
    context name for the same cluster does not show every object as replaced."""
    return kubernetes.Provider(
        cluster.name,
        kubeconfig=_path(cluster),
        context=cluster.context,
        cluster_identifier=f"existing/{cluster.name}/g{cluster.generation}",
        # Pods read Secrets and ConfigMaps by name: a change replaces their content, not the objects.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
    )


def _path(cluster: ExistingCluster) -> str | None:
    """Neither the provider nor a quoted argument of the shell knows `~`."""
    return str(Path(cluster.kubeconfig).expanduser()) if cluster.kubeconfig else None


def access_command(cluster: ExistingCluster) -> str:
    """How a person reaches the cluster."""
    options = [("--kubeconfig", _path(cluster)), ("--context", cluster.context)]
    return shlex.join(["kubectl", *(word for option, value in options if value for word in (option, value)), "get", "nodes"])
