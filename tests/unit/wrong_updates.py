"""Wrong stacks whose problem is in how replicas and nodes are replaced."""

from tests.unit.wrong_models import EXISTING, MODEL

ROLLOUT, POOL = f"{MODEL}.rollout", "nodePools.l4"
QUOTA = {"cluster.gpuQuota": {"nvidia-l4": 4}, f"{MODEL}.scaling": {"floor": 3, "ceiling": 4}}
FULL = {"nodePools.l4.onDemand": {"max": 2}, f"{MODEL}.scaling": {"floor": 2, "ceiling": 4}}
DISK = {
    f"{MODEL}.weights": {"cache": "persistent-volume-claim", "accessMode": "ReadWriteOnce"},
    f"{MODEL}.scaling": {"floor": 1, "ceiling": 1},
}

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "rollout that replaces nothing": ({ROLLOUT: {"maxSurge": 0, "maxUnavailable": 0}}, ROLLOUT, "no way to replace", "set one of them"),
    "surge without room": (FULL | {ROLLOUT: {"maxSurge": 1}}, f"{ROLLOUT}.maxSurge", "no room for a surge replica", "onDemand.max"),
    "surge of more than there is room for": ({ROLLOUT: {"maxSurge": 9}}, f"{ROLLOUT}.maxSurge", "has room for 3", "lower it to 3"),
    "nothing may be missing and nothing fits": (
        FULL | {ROLLOUT: {"maxUnavailable": 0}}, f"{ROLLOUT}.maxUnavailable", "no replica could be replaced", "set it to 1"
    ),
    "more missing than there are": ({ROLLOUT: {"maxUnavailable": 2}}, f"{ROLLOUT}.maxUnavailable", "2 of a floor of 1", "lower it to 1"),
    "surge of a replica that keeps its disk": (
        DISK | {ROLLOUT: {"maxSurge": 1}}, f"{ROLLOUT}.maxSurge", "attached to one node", "set it to 0"
    ),
    "rollout of no floor": (
        {f"{MODEL}.scaling": {"floor": 0, "ceiling": 2}, ROLLOUT: {"maxSurge": 1}}, f"{ROLLOUT}.maxSurge", "no floor", "remove it"
    ),
    "upgrade that replaces nothing": (
        {f"{POOL}.upgrade": {"maxSurge": 0, "maxUnavailable": 0}}, f"{POOL}.upgrade", "no way to replace a node", "set one of them"
    ),
    "upgrade of too many nodes": ({f"{POOL}.upgrade": {"maxSurge": 21}}, f"{POOL}.upgrade", "at most 20 nodes", "lower"),
    "surge nodes of a reservation": (
        {f"{POOL}.reservation": "l4", f"{POOL}.upgrade": {"maxSurge": 1}}, f"{POOL}.upgrade.maxSurge", "reservation 'l4' too", "set it to 0"
    ),
    "surge nodes beyond the quota": (
        QUOTA | {f"{POOL}.upgrade": {"maxSurge": 2}}, f"{POOL}.upgrade.maxSurge", "2 GPUs more, and cluster.gpuQuota leaves 1", "to 0"
    ),
    "pool beyond the quota": (
        {"cluster.gpuQuota": {"nvidia-l4": 3}}, "cluster.gpuQuota.nvidia-l4", "may have 4 GPUs", "lower nodePools.l4.onDemand.max"
    ),
    "quota of no accelerator": ({"cluster.gpuQuota": {"nvidia-l5": 3}}, "cluster.gpuQuota.nvidia-l5", "not an accelerator", "nvidia-l4"),
    "pool twice in its quota": (
        QUOTA | {f"{POOL}.replacement": "create-first"}, f"{POOL}.replacement", "takes 3 GPUs twice, and cluster.gpuQuota leaves 1",
        "write delete-first",
    ),
    "pool twice in its reservation": (
        {f"{POOL}.reservation": "l4", f"{MODEL}.scaling": {"floor": 3, "ceiling": 3}, f"{POOL}.replacement": "create-first"},
        f"{POOL}.replacement", "3 nodes twice, and reservation 'l4' is for 4", "write delete-first",
    ),
    "upgrade of nodes that exist": (
        EXISTING | {f"{POOL}.upgrade": {"maxSurge": 1}}, f"{POOL}.upgrade", "only a node pool that this program creates", "remove it"
    ),
    "replacement of nodes that exist": (
        EXISTING | {f"{POOL}.replacement": "delete-first"}, f"{POOL}.replacement", "only a node pool that this program creates", "remove it"
    ),
}  # fmt: skip
