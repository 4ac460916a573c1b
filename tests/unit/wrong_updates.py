"""Wrong stacks whose problem is in how replicas and nodes are replaced."""

from tests.unit.wrong_models import MODEL

ROLLOUT = f"{MODEL}.rollout"
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
}  # fmt: skip
