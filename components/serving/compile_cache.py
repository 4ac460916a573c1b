"""Containers that keep a model's compiled graphs on the claim of its weights. Pure.

vLLM 0.33 writes its caches under HOME, under names that hold the process id alone (compilation/decorators.py) or are opened in place
(compilation/backends.py): two pods, whose processes have the same ids, would write the same file on a shared volume. So each replica
compiles in a HOME of its own, and only whole copies are shared. The model server itself cannot write to the claim.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pulumi_kubernetes.core.v1 import ContainerArgsDict, SecurityContextArgsDict

from components.naming import API_PORT, literal
from components.serving.weights import MOUNT, VOLUME
from planning.plan import ModelPlan

_PROGRAM = (Path(__file__).parent / "compiled.py").read_text()
_FOLDER = f"{MOUNT}/compiled"


def fingerprint(image: str, plan: ModelPlan, arguments: list[str], environment: dict[str, str]) -> str:
    """Of all that decides what is compiled. `arguments`: those of a tier whose drain does not differ between the tiers."""
    text = json.dumps(
        [image, plan.pool.machine.accelerator_type, plan.pool.machine.slot_memory_gib, arguments, sorted(environment.items())]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def restoring(image: str, home: str, kept: str, security_context: SecurityContextArgsDict) -> ContainerArgsDict:
    return _container("restore-compiled", "restore", image, home, kept, security_context, read_only=True)


def keeping(image: str, home: str, kept: str, security_context: SecurityContextArgsDict) -> ContainerArgsDict:
    return _container("keep-compiled", "keep", image, home, kept, security_context, read_only=False)


def _container(
    name: str, verb: str, image: str, home: str, kept: str, security_context: SecurityContextArgsDict, *, read_only: bool
) -> ContainerArgsDict:
    return {
        "name": name,
        "image": image,
        "command": ["python3", "-c", literal(_PROGRAM)],
        "args": [verb, home, f"{_FOLDER}/{kept}"],
        "env": [{"name": "API_PORT", "value": str(API_PORT)}],
        # From the node's slack: beside the replica's share, which the plan gives to the model server alone.
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "1Gi"}},
        "security_context": security_context,
        "termination_message_policy": "FallbackToLogsOnError",
        "volume_mounts": [{"name": "home", "mount_path": home}, {"name": VOLUME, "mount_path": MOUNT, "read_only": read_only}],
    }
