"""The PriorityClasses of model servers: a floor takes the place of a burst, a burst that of pods without a class.

They do not protect from critical DaemonSets, which stand above every class that users may make; that is what the slack on a node is for.
"""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from components.naming import MANAGED, PRIORITY_CLASSES

_VALUES = {"floor": 1_000_000, "burst": 100_000}


def priority_classes(opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """One for each tier of a model. A class's value cannot be changed, so another value is another class."""
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
