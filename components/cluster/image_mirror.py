"""Pull-through (remote) repositories in Artifact Registry, one for each registry of the platform's images.

Nodes then pull from their own region, also during an outage of the registry, and Docker Hub's rate limits apply to the mirror, not to
nodes. `components.images` rewrites image names. `gke.gcr.io` is not mirrored: nodes reach it by Private Google Access.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import artifactregistry

from components.images import MIRRORED_REGISTRIES, repository_id
from components.naming import google_labels


@dataclass(frozen=True)
class ImageMirrorArgs:
    region: str
    cluster: str
    """Name of the cluster that pulls; each cluster of a project has its own mirror."""


class ImageMirror(pulumi.ComponentResource):
    """The repositories, by the registry that each mirrors."""

    repositories: dict[str, artifactregistry.Repository]

    def __init__(self, name: str, args: ImageMirrorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:cluster:ImageMirror", name, None, opts)
        self.repositories = {
            registry: artifactregistry.Repository(
                repository_id(name, registry),
                repository_id=repository_id(args.cluster, registry),
                location=args.region,
                description=f"Pull-through mirror of {registry} for GKE cluster {args.cluster}",
                format="DOCKER",
                mode="REMOTE_REPOSITORY",
                remote_repository_config={"description": registry, **_upstream(registry)},
                labels=google_labels(args.cluster),
                # Its name is fixed, since image references hold it, and what it holds is a cache: a new upstream replaces it in place.
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
            for registry in MIRRORED_REGISTRIES
        }
        self.register_outputs({"repositories": {registry: repository.id for registry, repository in self.repositories.items()}})


def _upstream(registry: str) -> artifactregistry.RepositoryRemoteRepositoryConfigArgsDict:
    if registry == "docker.io":
        return {"docker_repository": {"public_repository": "DOCKER_HUB"}}
    return {"common_repository": {"uri": f"https://{registry}"}}
