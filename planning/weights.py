"""Where a replica's weights come from, and how large a volume they need on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from config.models import Model
from planning.memory import GIB

# A checkpoint on disk is larger than in memory where parts of it are not loaded (a multi-token-prediction layer), and a new
# revision is downloaded beside the old one's leftovers. Assumed.
_DISK_FACTOR = 1.2
_DISK_MARGIN_GIB = 2


@dataclass(frozen=True)
class WeightsPlan:
    """`bucket` and `path` are set when the weights are streamed; `storage_gib` is the volume of a download."""

    bucket: str | None
    storage_gib: int
    shared: bool
    """One volume for all replicas instead of one each."""


def plan_weights(model: Model, weights_bytes: int) -> WeightsPlan:
    uri = model.weights.uri
    bucket = uri.removeprefix("gs://").partition("/")[0] if uri else None
    needed = math.ceil(weights_bytes / GIB * _DISK_FACTOR) + _DISK_MARGIN_GIB
    return WeightsPlan(bucket, model.weights.storage_gib or needed, model.weights.cache == "persistent-volume-claim")
