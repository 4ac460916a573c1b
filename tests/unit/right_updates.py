"""Stacks that replace replicas and nodes in a way of their own, and must be accepted."""

from tests.unit.wrong_models import MODEL
from tests.unit.wrong_updates import DISK, POOL, QUOTA

RIGHT = {
    "surge of three": {f"{MODEL}.rollout": {"maxSurge": 3}},
    "no surge, though there is room": {f"{MODEL}.rollout": {"maxSurge": 0, "maxUnavailable": 1}},
    "disk of one replica": DISK,
    "surge node in the quota": QUOTA | {f"{POOL}.upgrade": {"maxSurge": 1}},
    "pool twice in a large quota": {"cluster.gpuQuota": {"nvidia-l4": 8}, f"{POOL}.replacement": "create-first"},
    "quota that a reservation does not use": {"cluster.gpuQuota": {"nvidia-l4": 0}, f"{POOL}.reservation": "l4"},
}
