"""The Job that fills a claim with weights before the replicas that mount it: one download, however many replicas.

It runs on a node of the model's pool: a StorageClass that waits for the first consumer makes its disk in the zone of the Job's pod, and the
replicas must be able to run there. Its requests fit beside replicas on a full node.
"""

from __future__ import annotations

import json
from pathlib import Path

from pulumi_kubernetes.batch.v1 import JobSpecArgsDict

from components.naming import BURST, MANAGED, PRIORITY_CLASSES, literal
from components.serving.isolation import JOB_LABELS
from components.serving.pod import POD_SECURITY_CONTEXT, SECURITY_CONTEXT, Tier, tolerations
from components.serving.weights import MOUNT, VOLUME, claim_name, hub_environment, repositories
from config.models import Model
from planning.machines import SLACK_CPU, SLACK_MEMORY_GIB
from planning.plan import ModelPlan
from planning.weights import TMP_GIB

# A failed Job is made again by the next `pulumi up`, instead of failing that one too.
REPLACED_IF_FAILED = {"pulumi.com/replaceUnready": "true"}
_PROGRAM = (Path(__file__).parent / "fill_claim.py").read_text()
_TRIES = 6


def job_spec(model: Model, plan: ModelPlan, tier: Tier, image: str, *, with_token: bool) -> JobSpecArgsDict:
    """A JobSpec. `tier`: one whose nodes the weights must reach."""
    wanted = [
        {"source": one.source, "revision": one.revision, "folder": one.folder, "excluded": one.excluded}
        for one in repositories(model, plan)
    ]
    return {
        "backoff_limit": _TRIES,
        "active_deadline_seconds": plan.startup.fill_timeout,
        "template": {
            "metadata": {"labels": JOB_LABELS | {"app.kubernetes.io/instance": plan.name} | MANAGED},
            "spec": {
                "service_account_name": plan.name,
                "priority_class_name": PRIORITY_CLASSES[BURST],
                "automount_service_account_token": False,
                "enable_service_links": False,
                "restart_policy": "OnFailure",
                "security_context": POD_SECURITY_CONTEXT,
                "node_selector": tier.group.node_selector,
                "tolerations": tolerations(tier.group),
                "containers": [
                    {
                        "name": "fill",
                        "image": image,
                        "command": ["python3", "-c", literal(_PROGRAM)],
                        "args": [literal(json.dumps(wanted))],
                        "env": hub_environment(model, with_token=with_token),
                        "resources": {
                            "requests": {"cpu": f"{int(SLACK_CPU * 1000)}m", "memory": f"{int(SLACK_MEMORY_GIB * 1024)}Mi"},
                            "limits": {"memory": "4Gi"},
                        },
                        "security_context": SECURITY_CONTEXT,
                        "termination_message_policy": "FallbackToLogsOnError",
                        "volume_mounts": [{"name": VOLUME, "mount_path": MOUNT}, {"name": "tmp", "mount_path": "/tmp"}],
                    }
                ],
                "volumes": [
                    {"name": VOLUME, "persistent_volume_claim": {"claim_name": claim_name(model, plan) or ""}},
                    {"name": "tmp", "empty_dir": {"size_limit": f"{TMP_GIB}Gi"}},
                ],
            },
        },
    }
