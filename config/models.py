"""`models`: one entry a model that the platform serves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.architecture import Architecture
from config.engine import Engine
from config.errors import rule
from config.image import ImageReference
from config.measured import Measured
from config.section import Cpus, Form, MemoryGib, Name, NonNegative, Positive, Section, distinct
from config.weights import HuggingFaceId, Revision, Weights

# vLLM reads variables of these names; the variables that Kubernetes makes of a Service of the same name break it.
# vllm/envs.py 0.33.0: VLLM_PORT, VLLM_DP_MASTER_PORT, VLLM_NIXL_SIDE_CHANNEL_PORT, ...
BANNED_NAMES = frozenset(
    f"vllm{suffix}" for suffix in ("", "-dp-master", "-nixl-side-channel", "-p2p-side-channel", "-ec-side-channel", "-mooncake-bootstrap")
)


# What a command line, a URL and a metric's label take as it is.
ServedName = Annotated[
    str,
    Form("[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}", "a name for the API", "use letters, digits and . _ : / @ + -, no sign first"),
]


def check_name(name: str) -> str:
    """A rule on an entry's key: it becomes the name of a Service."""
    if name in BANNED_NAMES:
        raise rule(
            f"a Service named '{name}' makes Kubernetes set variables such as VLLM_PORT, which stop the engine",
            "choose another name, such as the model's own",
        )
    return name


class Parallelism(Section):
    """How one replica spreads over the GPUs of a node."""

    tensor: Positive = Field(default=1, description="Tensor parallel size: GPUs that share every layer.")
    pipeline: Positive = Field(default=1, description="Pipeline parallel size: GPUs that follow one another.")
    data: Positive = Field(default=1, description="Data parallel size: copies of all but the experts, each with a KV cache of its own.")
    expert: bool = Field(default=False, description="Place whole experts on GPUs, over tensor x data, instead of slices of each.")

    @property
    def gpus_per_rank(self) -> int:
        """GPUs of one data parallel rank."""
        return self.tensor * self.pipeline

    @property
    def gpus(self) -> int:
        """GPUs of a replica."""
        return self.gpus_per_rank * self.data


class Traffic(Section):
    """What a typical request looks like; capacity and $ per million tokens follow from it.

    Defaults: mean of the conversation service in Azure's LLM inference trace of 2023 (19,366 requests).
    """

    prompt_tokens: Positive = Field(default=1155, description="Mean prompt length.")
    output_tokens: Positive = Field(default=211, description="Mean completion length.")


class Scaling(Section):
    """How many replicas, and where."""

    floor: NonNegative = Field(default=1, description="Replicas that are always on, on on-demand nodes.")
    ceiling: Positive = Field(default=1, description="Most replicas, floor and burst together.")
    burst: Literal["spot", "on-demand"] = Field(default="spot", description="Nodes of the replicas above the floor.")

    @model_validator(mode="after")
    def _floor_within_ceiling(self) -> Scaling:
        if self.floor > self.ceiling:
            raise rule(f"floor {self.floor} is above ceiling {self.ceiling}", "raise scaling.ceiling or lower scaling.floor")
        return self


class Rollout(Section):
    """How a change reaches the replicas."""

    strategy: Literal["rolling"] = Field(default="rolling", description="Replace replicas one after another.")


class Slo(Section):
    """What clients may expect."""

    ttft_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Mean time to first token. The plan aims for as many requests in flight as meet it. Default: as many as memory holds.",
    )
    tpot_seconds: float | None = Field(default=None, gt=0, description="Mean time per output token, likewise: 0.05 is 20 tokens/s.")
    latency_share: float = Field(
        default=0.95,
        gt=0,
        lt=1,
        description="Share of requests that must be within ttftSeconds and tpotSeconds, for error budgets and their alerts; with "
        "monitoring both must be edges of vLLM's histograms.",
    )
    availability: float = Field(default=0.99, gt=0, lt=1, description="Share of requests that must succeed.")


class Affinity(Section):
    """Which replica a request goes to: requests alike to the same one, so that its prefix cache stays warm (consistent hashing)."""

    by: Literal["none", "session", "prefix"] = Field(
        default="none", description="none: the least busy. session: by a header. prefix: by the beginning of the prompt."
    )
    header: Annotated[str, Form(r"[a-z0-9-]+", "a header's name", "use lower-case letters, digits and dashes")] = Field(
        default="x-session-id", description="Header of `by: session`."
    )


class LoraAdapter(Section):
    """A LoRA adapter of a model, served beside it under the name that it is keyed by."""

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
        default=None, description="In the terms of config.json, for a model that the catalogue does not know."
    )
    measured: list[Measured] = Field(
        default=[],
        description="What starts of vLLM reported of its memory (`make calibrate` prints one): planned with instead of estimates.",
    )
    served_names: Annotated[list[ServedName], AfterValidator(distinct)] = Field(
        default=[], description="Names that clients may use in the `model` field. Default: the entry's key."
    )
    lora_adapters: dict[ServedName, LoraAdapter] = Field(default={}, description="LoRA adapters, by the name that clients use.")
    node_pool: Name = Field(description="Key under nodePools.")
    image: ImageReference | None = Field(
        default=None, description="Image of the model server and of its download, with a tag or digest. Default: the pinned vLLM."
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
        default=None, ge=60, description="Time until ready before a replica is restarted. Default: planned."
    )
