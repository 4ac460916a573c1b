"""`models`: one entry a model that the platform serves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.architecture import Architecture
from config.engine import Engine
from config.errors import rule
from config.image import ImageReference
from config.measured import Measured, MeasuredSpeed
from config.rollout import Rollout
from config.scaling import Scaling
from config.section import Cpus, Form, MemoryGib, Name, Positive, Section, distinct
from config.weights import HuggingFaceId, Revision, Weights

# Kubernetes sets variables such as VLLM_PORT in every pod for a Service of one of these names, and vLLM reads them as its settings.
# vllm/envs.py 0.33.0: VLLM_PORT, VLLM_DP_MASTER_PORT, VLLM_NIXL_SIDE_CHANNEL_PORT, ...
BANNED_NAMES = frozenset(
    f"vllm{suffix}" for suffix in ("", "-dp-master", "-nixl-side-channel", "-p2p-side-channel", "-ec-side-channel", "-mooncake-bootstrap")
)


# Needs no escaping in a command line, a URL or a Prometheus label.
ServedName = Annotated[
    str,
    Form("[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}", "a name for the API", "use letters, digits and . _ : / @ + -, no sign first"),
]


def check_name(name: str) -> str:
    """Rule on the key of an entry, which becomes the name of a Service."""
    if name in BANNED_NAMES:
        raise rule(
            f"a Service named '{name}' makes Kubernetes set variables such as VLLM_PORT, which stop the engine",
            "choose another name, such as the model's own",
        )
    return name


class Parallelism(Section):
    """How one replica spreads over the GPUs of a node."""

    tensor: Positive = Field(default=1, description="Tensor parallel size: GPUs that share every layer.")
    pipeline: Positive = Field(default=1, description="Pipeline parallel size: stages of consecutive layers.")
    data: Positive = Field(default=1, description="Data parallel size: copies of all but the experts, each with a KV cache of its own.")
    expert: bool = Field(
        default=False, description="Expert parallelism: whole experts on each of tensor x data GPUs, instead of a slice of every expert."
    )

    @property
    def gpus_per_rank(self) -> int:
        """GPUs of one data parallel rank."""
        return self.tensor * self.pipeline

    @property
    def gpus(self) -> int:
        """GPUs of a replica."""
        return self.gpus_per_rank * self.data


class Traffic(Section):
    """A typical request: the input for capacity and $ per million tokens.

    Defaults: mean of the conversation service in Azure's LLM inference trace of 2023 (19,366 requests).
    """

    prompt_tokens: Positive = Field(default=1155, description="Mean prompt length.")
    output_tokens: Positive = Field(default=211, description="Mean completion length.")


class Slo(Section):
    """Service level objectives."""

    ttft_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Mean time to first token. The plan limits requests in flight to as many as meet it. Default: as many as memory holds.",
    )
    tpot_seconds: float | None = Field(
        default=None, gt=0, description="Mean time per output token, a limit in the same way: 0.05 is 20 tokens/s."
    )
    latency_share: float = Field(
        default=0.95,
        gt=0,
        lt=1,
        description="Share of requests that must be within ttftSeconds and tpotSeconds, for error budgets and their alerts; with "
        "monitoring both must be edges of vLLM's histograms.",
    )
    availability: float = Field(default=0.99, gt=0, lt=1, description="Share of requests that must succeed.")


class Affinity(Section):
    """Sends similar requests to the same replica by consistent hashing, so that they hit its prefix cache."""

    by: Literal["none", "session", "prefix"] = Field(
        default="none",
        description="none: to the replica with the fewest requests. session: by a header. prefix: by the beginning of the prompt.",
    )
    header: Annotated[str, Form(r"[a-z0-9-]+", "a header's name", "use lower-case letters, digits and dashes")] = Field(
        default="x-session-id", description="Header of `by: session`."
    )


class LoraAdapter(Section):
    """A LoRA adapter of a model; clients request it by its key."""

    source: HuggingFaceId = Field(description="Hugging Face id.")
    revision: Revision | None = Field(default=None, description="Commit of the adapter's repository, 40 hexadecimal digits.")
    rank: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512] = Field(default=16, description="`r` of its adapter_config.json, rounded up.")


class Resources(Section):
    """Requests of the model server's container. Default: the replica's share of its node."""

    cpu: Cpus | None = Field(default=None, description="CPUs.")
    memory_gib: MemoryGib | None = Field(default=None, description="Memory, /dev/shm included.")


class Model(Section):
    """A model that the platform serves."""

    source: HuggingFaceId = Field(description="Hugging Face id, such as Qwen/Qwen3-8B.")
    revision: Revision | None = Field(
        default=None, description="Commit of the model's repository, 40 hexadecimal digits. Default: the catalogue's."
    )
    architecture: Architecture | None = Field(
        default=None, description="By the keys of config.json, for a model that the catalogue does not have."
    )
    measured: list[Measured] = Field(
        default=[],
        description="Memory figures of vLLM start-up logs (`make calibrate` prints them), used instead of estimates.",
    )
    measured_speed: list[MeasuredSpeed] = Field(
        default=[],
        description="What replicas answered under load (`make load` prints one, `make reconcile` writes one): the newest scales the "
        "plan's speed.",
    )
    served_names: Annotated[list[ServedName], AfterValidator(distinct)] = Field(
        default=[], description="Names that clients may use in the `model` field. Default: the entry's key."
    )
    lora_adapters: dict[ServedName, LoraAdapter] = Field(default={}, description="LoRA adapters, by the name that clients use.")
    node_pool: Name = Field(description="Key under nodePools.")
    image: ImageReference | None = Field(
        default=None,
        description="Image of the model server and of the download of its weights, with a tag or digest. Default: the pinned vLLM.",
    )
    engine: Engine = Field(default=Engine(), description="Settings of vLLM.")
    parallelism: Parallelism = Field(default=Parallelism(), description="GPUs of a replica.")
    scaling: Scaling = Field(default=Scaling(), description="Replicas.")
    rollout: Rollout = Field(default=Rollout(), description="Updates.")
    weights: Weights = Field(default=Weights(), description="Source and cache of the weights.")
    resources: Resources = Field(default=Resources(), description="CPU and memory of a replica.")
    traffic: Traffic = Field(default=Traffic(), description="A typical request.")
    affinity: Affinity = Field(default=Affinity(), description="How the gateway chooses a replica.")
    slo: Slo = Field(default=Slo(), description="Objectives.")
    startup_budget_seconds: Positive | None = Field(
        default=None, ge=60, description="Time that a replica may take to become ready before it is restarted. Default: the plan's."
    )
