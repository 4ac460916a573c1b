"""The Kubernetes provider of an existing cluster, from a kubeconfig and a name. The program never changes its nodes."""

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
        # Update Secrets and ConfigMaps in place: pods refer to them by fixed names.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
    )


def _path(cluster: ExistingCluster) -> str | None:
    """The kubeconfig's path with `~` expanded, which neither the provider nor a quoted shell argument does."""
    return str(Path(cluster.kubeconfig).expanduser()) if cluster.kubeconfig else None


def access_command(cluster: ExistingCluster) -> str:
    """kubectl command with which a user reaches the cluster."""
    options = [("--kubeconfig", _path(cluster)), ("--context", cluster.context)]
    return shlex.join(["kubectl", *(word for option, value in options if value for word in (option, value)), "get", "nodes"])
