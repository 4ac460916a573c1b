"""Image references: from the images' own registries, or from the mirror `platform.imageMirror`.

Pure functions: `components.cluster.image_mirror` creates the pull-through repositories.
"""

from __future__ import annotations

from config import catalog
from config.models import Model
from config.settings import Settings
from planning.machines import Machine

ARTIFACT_REGISTRY = "artifact-registry"
MIRRORED_REGISTRIES = ("docker.io", "gcr.io", "ghcr.io", "nvcr.io", "quay.io", "registry.k8s.io")


def model_server_image(settings: Settings, model: Model, machine: Machine) -> str:
    """The model's own image, or the pinned one for GPUs or CPUs."""
    pinned = catalog.image("vllm-cpu" if machine.is_cpu else "vllm")
    return image_reference(settings, model.image or pinned.reference)


def image_reference(settings: Settings, image: str) -> str:
    """`image`, with the mirror in place of its registry if there is one. The rest of the reference is unchanged."""
    host, path = _split(image)
    registry = registry_address(settings, host)
    return image if registry == host else f"{registry}/{path}"


def registry_address(settings: Settings, host: str) -> str:
    """The mirror's address for the registry `host`, or `host` itself if it is not mirrored."""
    mirror = settings.platform.image_mirror
    if mirror is None:
        return host
    if mirror != ARTIFACT_REGISTRY:
        return mirror.rstrip("/")
    if host not in MIRRORED_REGISTRIES:
        return host
    return f"{settings.gcp_region}-docker.pkg.dev/{settings.gcp_project}/{repository_id(settings.cluster.name, host)}"


def repository_id(cluster: str, host: str) -> str:
    """The Artifact Registry repository that mirrors `host` for a cluster; two clusters may share a project."""
    return f"{cluster}-{host.replace('.', '-')}"


def _split(image: str) -> tuple[str, str]:
    """Registry and path. By convention an image without a registry is Docker Hub's, and one without an owner is in `library`."""
    host, slash, path = image.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return host, path
    return "docker.io", image if slash else f"library/{image}"
