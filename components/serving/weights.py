"""Weights on their way to the GPU: a pinned revision downloaded into a volume before vLLM starts, or a stream from a bucket.

The download runs in an init container, so a slow one delays a pod but never trips its startup probe; vLLM itself then works offline.
"""

from __future__ import annotations

from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    PersistentVolumeClaimSpecArgsDict,
    SecurityContextArgsDict,
    VolumeArgsDict,
)

from components.naming import literal
from config.environment import DOWNLOAD_PREFIX
from config.models import LoraAdapter, Model
from planning.plan import ModelPlan

MOUNT = "/models"
VOLUME = "weights"
TOKEN_SECRET = "hugging-face"
TOKEN_KEY = "token"
# Duplicates of the safetensors in other formats.
_NOT_NEEDED = ("original/*", "consolidated*", "*.pth", "*.gguf", "*.h5", "*.msgpack", "*.onnx", "onnx/*", "metal/*")


def location(model: Model, plan: ModelPlan) -> str:
    """What `vllm serve` is given: a folder named after the revision, so that a new one never overwrites the one in use."""
    return model.weights.uri or f"{MOUNT}/{_folder(plan.revision)}"


def claim_name(plan: ModelPlan) -> str | None:
    """The PersistentVolumeClaim that all replicas share, if they share one."""
    return f"{plan.name}-weights" if plan.weights.shared and not plan.weights.bucket else None


def volume(plan: ModelPlan) -> VolumeArgsDict:
    claim = claim_name(plan)
    if claim:
        return {"name": VOLUME, "persistent_volume_claim": {"claim_name": claim}}
    return {"name": VOLUME, "empty_dir": {"size_limit": f"{plan.weights.storage_gib}Gi"}}


def claim_spec(model: Model, plan: ModelPlan) -> PersistentVolumeClaimSpecArgsDict:
    return {
        "access_modes": [model.weights.access_mode],
        "storage_class_name": model.weights.storage_class,
        "resources": {"requests": {"storage": f"{plan.weights.storage_gib}Gi"}},
    }


def adapter_location(adapter: LoraAdapter) -> str:
    return f"{MOUNT}/adapters/{adapter.source}/{_folder(adapter.revision)}"


def _folder(revision: str | None) -> str:
    return (revision or "default-branch").replace("/", "-")


def download_containers(
    model: Model, plan: ModelPlan, image: str, security_context: SecurityContextArgsDict, *, with_token: bool
) -> list[ContainerArgsDict]:
    """Init containers: the model, then its adapters. huggingface_hub resumes what is there and skips what is complete, so a shared
    volume downloads once."""
    excluded = [f"--exclude={pattern}" for pattern in _NOT_NEEDED]
    wanted = [("download", model.source, plan.revision, location(model, plan), excluded)]
    wanted += [
        (f"download-adapter-{index}", adapter.source, adapter.revision, adapter_location(adapter), [])
        for index, adapter in enumerate(model.lora_adapters.values())
    ]
    hub: list[EnvVarArgsDict] = [
        {"name": name, "value": literal(value)} for name, value in model.engine.environment.items() if name.startswith(DOWNLOAD_PREFIX)
    ]
    token: list[EnvVarArgsDict] = (
        [{"name": "HF_TOKEN", "value_from": {"secret_key_ref": {"name": TOKEN_SECRET, "key": TOKEN_KEY}}}] if with_token else []
    )
    return [
        {
            "name": name,
            "image": image,
            "command": ["hf", "download", source],
            "args": [*([f"--revision={revision}"] if revision else []), f"--local-dir={folder}", *options],
            "env": [{"name": "HF_HOME", "value": "/tmp/hugging-face"}, *hub, *token],
            "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
            "security_context": security_context,
            "termination_message_policy": "FallbackToLogsOnError",
            "volume_mounts": [{"name": VOLUME, "mount_path": MOUNT}, {"name": "tmp", "mount_path": "/tmp"}],
        }
        for name, source, revision, folder, options in wanted
    ]
