"""Sources of weights: a pinned revision downloaded into a volume before vLLM starts, a stream from a bucket, or an existing volume with
the weights.

A replica with a volume of its own downloads in init containers, so that a slow download delays a pod without failing its startupProbe. A
claim that replicas share is filled before them by one Job (weights_job.py). vLLM itself works offline in both cases.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    PersistentVolumeClaimSpecArgsDict,
    SecurityContextArgsDict,
    VolumeArgsDict,
    VolumeMountArgsDict,
)

from components.naming import literal
from config.environment import DOWNLOAD_PREFIX
from config.models import LoraAdapter, Model
from planning.engine_options import engine_options
from planning.plan import ModelPlan

MOUNT = "/models"
VOLUME = "weights"
TOKEN_SECRET = "hugging-face"
TOKEN_KEY = "token"
BUCKET_SECRET = "bucket"
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "access-key-id", "secret-access-key"
# Region in request signatures for servers other than Amazon's.
_ANY_REGION = "us-east-1"
# Mistral's repositories have the weights twice: in Mistral's own format (consolidated*) and in Hugging Face's.
_CONSOLIDATED, _HUGGING_FACE = "consolidated*", "model*.safetensors"
_NOT_NEEDED = ("*.pth", "*.gguf", "*.h5", "*.msgpack", "*.onnx", "onnx/*", "metal/*")


def location(model: Model, plan: ModelPlan) -> str:
    """The model argument of `vllm serve`; for a download a folder named after the revision, so that the one in use is not overwritten."""
    if plan.weights.source == "claim":
        return f"{MOUNT}/{model.weights.path}" if model.weights.path else MOUNT
    return model.weights.uri or f"{MOUNT}/{_folder(plan.revision)}"


@dataclass(frozen=True)
class Repository:
    """A repository of Hugging Face that a model needs, and the folder that it is downloaded to."""

    name: str
    """Of the container that downloads it."""
    source: str
    revision: str | None
    folder: str
    excluded: tuple[str, ...] = ()
    """Patterns of files that vLLM does not need."""


def repositories(model: Model, plan: ModelPlan) -> list[Repository]:
    """The model, then its draft and its adapters."""
    other = _HUGGING_FACE if engine_options(model).load_format == "mistral" else _CONSOLIDATED
    excluded = ("original/*", other, *_NOT_NEEDED)
    found = [Repository("download", model.source, plan.revision, location(model, plan), excluded)]
    if (speculative := model.engine.speculative) and speculative.model:
        folder = draft_location(speculative.model, plan)
        found.append(Repository("download-draft", speculative.model, plan.draft_revision, folder, excluded))
    return found + [
        Repository(f"download-adapter-{index}", adapter.source, adapter.revision, adapter_location(adapter))
        for index, adapter in enumerate(model.lora_adapters.values())
    ]


def claim_name(model: Model, plan: ModelPlan) -> str | None:
    """Name of the PersistentVolumeClaim that all replicas share, if they share one, and of the Job that fills it.

    It ends in a fingerprint of what is downloaded and of what a claim cannot change: another revision gets another claim, so that replicas
    of the old one keep theirs until they are gone.
    """
    if not (plan.weights.shared and plan.weights.downloaded):
        return None
    content = [(one.source, one.revision, one.folder, one.excluded) for one in repositories(model, plan)]
    text = json.dumps([content, model.weights.access_mode, model.weights.storage_class])
    return f"{plan.replicas_name}-weights-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def volumes(model: Model, plan: ModelPlan) -> list[VolumeArgsDict]:
    if plan.weights.streamed:
        return []
    if model.weights.claim:
        return [{"name": VOLUME, "persistent_volume_claim": {"claim_name": model.weights.claim, "read_only": True}}]
    if claim := claim_name(model, plan):
        return [{"name": VOLUME, "persistent_volume_claim": {"claim_name": claim, "read_only": not model.weights.compile_cache}}]
    return [{"name": VOLUME, "empty_dir": {"size_limit": f"{plan.weights.storage_gib}Gi"}}]


def mounts(plan: ModelPlan) -> list[VolumeMountArgsDict]:
    return [] if plan.weights.streamed else [{"name": VOLUME, "mount_path": MOUNT, "read_only": True}]


def streaming_environment(model: Model) -> dict[str, str]:
    """The streamer's environment variables except the credentials (vLLM 0.33.0 documentation, Run:ai Model Streamer)."""
    source = model.weights
    if source.source != "s3":
        return {}
    region = source.region or _ANY_REGION
    environment = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true"}
    if source.endpoint:
        environment["AWS_ENDPOINT_URL"] = source.endpoint.rstrip("/")
        environment["RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING"] = "0" if source.path_style else "1"
    return environment


def credentials(plan: ModelPlan) -> list[EnvVarArgsDict]:
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY} if plan.weights.source == "s3" else {}
    return [{"name": name, "value_from": {"secret_key_ref": {"name": BUCKET_SECRET, "key": key}}} for name, key in keys.items()]


def claim_spec(model: Model, plan: ModelPlan) -> PersistentVolumeClaimSpecArgsDict:
    return {
        "access_modes": [model.weights.access_mode],
        "storage_class_name": model.weights.storage_class,
        "resources": {"requests": {"storage": f"{plan.weights.storage_gib}Gi"}},
    }


def adapter_location(adapter: LoraAdapter) -> str:
    return f"{MOUNT}/adapters/{adapter.source}/{_folder(adapter.revision)}"


def draft_location(draft: str, plan: ModelPlan) -> str:
    return f"{MOUNT}/drafts/{draft}/{_folder(plan.draft_revision)}"


def _folder(revision: str | None) -> str:
    return (revision or "default-branch").replace("/", "-")


def download_containers(
    model: Model, plan: ModelPlan, image: str, security_context: SecurityContextArgsDict, *, with_token: bool
) -> list[ContainerArgsDict]:
    """Containers that download the repositories one after another. huggingface_hub resumes partial files and skips complete ones."""
    return [
        {
            "name": one.name,
            "image": image,
            "command": ["hf", "download", one.source],
            "args": [
                *([f"--revision={one.revision}"] if one.revision else []),
                f"--local-dir={one.folder}",
                *(f"--exclude={pattern}" for pattern in one.excluded),
            ],
            "env": hub_environment(model, with_token=with_token),
            "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
            "security_context": security_context,
            "termination_message_policy": "FallbackToLogsOnError",
            "volume_mounts": [{"name": VOLUME, "mount_path": MOUNT}, {"name": "tmp", "mount_path": "/tmp"}],
        }
        for one in repositories(model, plan)
    ]


def hub_environment(model: Model, *, with_token: bool) -> list[EnvVarArgsDict]:
    """What huggingface_hub reads."""
    environment: list[EnvVarArgsDict] = [{"name": "HF_HOME", "value": "/tmp/hugging-face"}]
    environment += [
        {"name": name, "value": literal(value)} for name, value in model.engine.environment.items() if name.startswith(DOWNLOAD_PREFIX)
    ]
    if with_token:
        environment.append({"name": "HF_TOKEN", "value_from": {"secret_key_ref": {"name": TOKEN_SECRET, "key": TOKEN_KEY}}})
    return environment
