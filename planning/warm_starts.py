"""What shortens a start: the image near the node, weights that need no download, graphs that are compiled already; and what each saves.

Image streaming works for images in Artifact Registry alone (cloud.google.com/kubernetes-engine/docs/how-to/image-streaming).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.architecture import Architecture
from config.models import Model
from config.settings import Settings
from config.weights import Weights
from planning.machines import Machine
from planning.startup import (
    COMPILE_CACHE_SECONDS_PER_LAYER,
    IMAGE_DISK_SECONDS,
    IMAGE_PULL_SECONDS,
    IMAGE_STREAMING_SECONDS,
    download_seconds,
    load_seconds,
)

# What is not worth a line of the preview.
_LEAST_SECONDS = 5
_ARTIFACT_REGISTRY_HOST = "-docker.pkg.dev/"


@dataclass(frozen=True)
class Saving:
    """What one measure saves of a start on a new node, against the same start without it."""

    measure: str
    seconds: float
    used: bool


def image_seconds(settings: Settings, model: Model) -> float:
    """From a schedulable node to the container's start."""
    pool = settings.node_pools[model.node_pool]
    if settings.cluster.provider != "gke":
        return IMAGE_PULL_SECONDS
    if pool.image_disk:
        return IMAGE_DISK_SECONDS
    return IMAGE_STREAMING_SECONDS if pool.image_streaming and _in_artifact_registry(settings, model) else IMAGE_PULL_SECONDS


def _in_artifact_registry(settings: Settings, model: Model) -> bool:
    mirror = settings.platform.image_mirror
    if mirror is not None:
        return mirror == "artifact-registry" or _ARTIFACT_REGISTRY_HOST in f"{mirror}/"
    return _ARTIFACT_REGISTRY_HOST in (model.image or "")


def savings(settings: Settings, model: Model, architecture: Architecture, weights_bytes: int, machine: Machine) -> tuple[Saving, ...]:
    """Every measure that the model's cluster, weights and engine allow, in use or not, the largest first."""
    found = [*_of_the_image(settings, model), *_of_the_weights(model, weights_bytes, machine)]
    if not machine.is_cpu and not model.engine.enforce_eager:
        seconds = architecture.num_hidden_layers * COMPILE_CACHE_SECONDS_PER_LAYER
        found.append(Saving("compile cache", seconds, model.weights.compile_cache))
    return tuple(sorted((one for one in found if one.used or one.seconds >= _LEAST_SECONDS), key=lambda one: -one.seconds))


def _of_the_image(settings: Settings, model: Model) -> Iterator[Saving]:
    if settings.cluster.provider != "gke":
        return
    pool = settings.node_pools[model.node_pool]
    streamed = pool.image_streaming and _in_artifact_registry(settings, model)
    yield Saving("image streaming", IMAGE_PULL_SECONDS - IMAGE_STREAMING_SECONDS, streamed)
    otherwise = IMAGE_STREAMING_SECONDS if streamed else IMAGE_PULL_SECONDS
    yield Saving("image disk", otherwise - IMAGE_DISK_SECONDS, bool(pool.image_disk))


def _of_the_weights(model: Model, weights_bytes: int, machine: Machine) -> Iterator[Saving]:
    """Against a download by each replica, and loading from its own disk."""
    if model.weights.source != "hugging-face":
        return
    alone = download_seconds(model, weights_bytes) + load_seconds(Weights(), weights_bytes, machine)
    claim = Weights(cache="persistent-volume-claim")
    shared = model.weights.cache == "persistent-volume-claim"
    yield Saving("shared claim", alone - load_seconds(claim, weights_bytes, machine), shared)
    bucket = Weights(uri="gs://bucket/folder")
    yield Saving("stream from a bucket", alone - load_seconds(bucket, weights_bytes, machine), used=False)
