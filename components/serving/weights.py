"""Sources of weights: a pinned revision downloaded into a volume before vLLM starts, a stream from a bucket, or an existing volume with
the weights.

The download runs in an init container, so that a slow one delays a pod without failing its startupProbe; vLLM itself then works offline.
"""

from __future__ import annotations

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


def claim_name(plan: ModelPlan) -> str | None:
    """Name of the PersistentVolumeClaim for a download that all replicas share, if they share one."""
    return f"{plan.replicas_name}-weights" if plan.weights.shared and plan.weights.downloaded else None


def volumes(model: Model, plan: ModelPlan) -> list[VolumeArgsDict]:
    if plan.weights.streamed:
        return []
    if model.weights.claim:
        return [{"name": VOLUME, "persistent_volume_claim": {"claim_name": model.weights.claim, "read_only": True}}]
    if claim := claim_name(plan):
        return [{"name": VOLUME, "persistent_volume_claim": {"claim_name": claim}}]
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
    """Init containers that download the model, then its draft and its adapters. huggingface_hub resumes partial files and skips complete
    ones, so a shared volume is filled once."""
    other = _HUGGING_FACE if engine_options(model).load_format == "mistral" else _CONSOLIDATED
    excluded = [f"--exclude={pattern}" for pattern in ("original/*", other, *_NOT_NEEDED)]
    wanted = [("download", model.source, plan.revision, location(model, plan), excluded)]
    if (speculative := model.engine.speculative) and speculative.model:
        wanted.append(("download-draft", speculative.model, plan.draft_revision, draft_location(speculative.model, plan), excluded))
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
