"""The PriorityClasses of model servers: floor replicas may preempt burst replicas, which may preempt pods without a class.

Critical DaemonSets have a higher priority than any user's class; the slack on nodes (planning/machines.py) protects from those.
"""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from components.naming import MANAGED, PRIORITY_CLASSES

_VALUES = {"floor": 1_000_000, "burst": 100_000}


def priority_classes(opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """One PriorityClass per tier. The value of a class is immutable: a new value needs a new class."""
    return [
        PriorityClass(
            f"priority-{tier}",
            metadata={"name": PRIORITY_CLASSES[tier], "labels": MANAGED},
            value=value,
            description=f"Model servers of vllm-platform: {tier}",
            opts=opts,
        )
        for tier, value in _VALUES.items()
    ]
