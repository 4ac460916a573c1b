"""Time until a replica is ready, and the time limits derived from it.

Four limits apply to a start: the startupProbe, VLLM_ENGINE_READY_TIMEOUT_S, the Deployment's progressDeadlineSeconds and Pulumi's update
timeout. They must exceed the start-up time and agree with one another, so all are derived here. All times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from config.architecture import Architecture
from config.errors import Problem
from config.models import Model
from config.weights import Weights
from planning.machines import Machine

# A node from the autoscaler's decision to a schedulable GPU: machine, kubelet, driver. Assumed.
NODE_SECONDS = 240
# Image of vLLM on an L4 node: 214 s pulled; 199 s instead of 409 s in total with image streaming (llm-d PR #1902). From a secondary boot
# disk: up to 29 times faster than a pull (Google Cloud, "Container image preloading with secondary boot disks").
IMAGE_PULL_SECONDS = 214
IMAGE_STREAMING_SECONDS = 10
IMAGE_DISK_SECONDS = IMAGE_PULL_SECONDS / 29
# Imports, config, engine and worker processes: 34-38 s measured without weights or compilation (vLLM 0.32).
FIXED_SECONDS = 38
# Per layer: 70 s of torch.compile and 60 s of graph capture for 80 layers (vllm-project/vllm#19824).
COMPILE_SECONDS_PER_LAYER = 70 / 80
# With a compile cache 100 s instead of 135 s for Qwen3-32B (llm-d, guides/workload-autoscaling), which has 64 layers.
COMPILE_CACHE_SECONDS_PER_LAYER = (135 - 100) / 64
GRAPHS_SECONDS_PER_LAYER = 60 / 80
# Check of peer access between the GPUs of a replica (vllm-project/vllm#19824).
PEER_CHECK_SECONDS = 60
# MiB/s. Hub: assumed. Boot disk: 15 GB in 48 s; streamer: 15 GB in 14.3 s (Run:ai streamer's benchmark). Local SSD: assumed.
HUB_MIB_PER_SECOND = 200.0
DISK_MIB_PER_SECOND = 300.0
LOCAL_SSD_MIB_PER_SECOND = 1500.0
STREAMER_MIB_PER_SECOND = 1000.0
# On CPU, torch.compile calls the C++ compiler. Assumed.
CPU_COMPILE_SECONDS = 60

SAFETY = 2
LEAST_BUDGET = 600
PROBE_PERIOD = 10


@dataclass(frozen=True)
class StartupPlan:
    """Times in seconds. The first five and FIXED_SECONDS add up to a start on a new node."""

    node: float
    image: float
    download: float
    """By each replica; 0 where a Job fills a claim that all share."""
    load: float
    """Of the weights, into the GPU."""
    compile: float
    """torch.compile, CUDA graphs, and the check of peer access between GPUs."""
    fill: float
    """Of that Job, before the replicas start: download and verification."""
    fill_timeout: int
    """activeDeadlineSeconds of that Job, and Pulumi's time limit for it."""
    budget: int
    """Startup probe and VLLM_ENGINE_READY_TIMEOUT_S: from the container's start until /health answers."""
    progress_deadline: int
    """progressDeadlineSeconds of a Deployment: a new node, image, download and `budget`."""
    update_timeout: int
    """Pulumi's update timeout of the Deployment: all replicas, one after another."""

    @property
    def engine(self) -> float:
        """From the container's start until /health answers."""
        return FIXED_SECONDS + self.load + self.compile

    @property
    def expected(self) -> float:
        return self.node + self.image + self.download + self.engine

    @property
    def failure_threshold(self) -> int:
        return self.budget // PROBE_PERIOD


def plan_startup(
    model: Model, architecture: Architecture, weights_bytes: int, machine: Machine, *, image: float, grace: int
) -> StartupPlan:
    """`image`: seconds until the container starts. `grace`: terminationGracePeriodSeconds."""
    shared = model.weights.cache == "persistent-volume-claim"
    fetched = download_seconds(model, weights_bytes)
    download = 0.0 if shared else fetched
    fill = fetched + weights_bytes / 1024**2 / DISK_MIB_PER_SECOND if shared else 0.0
    engine = engine_seconds(model, architecture, weights_bytes, machine)
    budget = _rounded(max(LEAST_BUDGET, SAFETY * engine))
    if model.startup_budget_seconds:
        budget = _rounded(model.startup_budget_seconds)
    progress_deadline = _rounded(NODE_SECONDS + image + SAFETY * download + budget)
    waves = max(1, model.scaling.floor)
    return StartupPlan(
        node=NODE_SECONDS,
        image=image,
        download=download,
        load=load_seconds(model.weights, weights_bytes, machine),
        compile=_compile_seconds(model, architecture, machine),
        fill=fill,
        fill_timeout=_rounded(max(LEAST_BUDGET, NODE_SECONDS + image + SAFETY * fill)),
        budget=budget,
        progress_deadline=progress_deadline,
        update_timeout=_rounded(NODE_SECONDS + waves * (image + SAFETY * download + budget + grace)),
    )


def engine_seconds(model: Model, architecture: Architecture, weights_bytes: int, machine: Machine) -> float:
    """From the container's start until /health answers."""
    return FIXED_SECONDS + load_seconds(model.weights, weights_bytes, machine) + _compile_seconds(model, architecture, machine)


def download_seconds(model: Model, weights_bytes: int) -> float:
    """From Hugging Face to a volume."""
    if model.weights.source != "hugging-face":
        return 0.0
    return weights_bytes / 1024**2 / (model.weights.mib_per_second or HUB_MIB_PER_SECOND)


def startup_problems(path: str, model: Model, seconds: float) -> Iterator[Problem]:
    """A startupBudgetSeconds shorter than the start-up time: the replica would restart for ever."""
    if model.startup_budget_seconds and model.startup_budget_seconds < seconds:
        message = f"{model.startup_budget_seconds} seconds, and loading and compiling take about {math.ceil(seconds)}"
        yield Problem(f"{path}.startupBudgetSeconds", message, f"remove it, or raise it to {_rounded(SAFETY * seconds)}")


def load_seconds(weights: Weights, weights_bytes: int, machine: Machine) -> float:
    """From the source or volume of `weights` into the GPU."""
    if weights.uri:
        bandwidth = weights.mib_per_second or STREAMER_MIB_PER_SECOND
    elif weights.claim:
        bandwidth = weights.mib_per_second or DISK_MIB_PER_SECOND
    else:
        bandwidth = LOCAL_SSD_MIB_PER_SECOND if machine.has_local_ssd and weights.cache == "empty-dir" else DISK_MIB_PER_SECOND
    return weights_bytes / 1024**2 / bandwidth


def _compile_seconds(model: Model, architecture: Architecture, machine: Machine) -> float:
    if machine.is_cpu:
        return 0.0 if model.engine.enforce_eager else CPU_COMPILE_SECONDS
    peers = PEER_CHECK_SECONDS if model.parallelism.gpus > 1 else 0
    if model.engine.enforce_eager:
        return peers
    return peers + architecture.num_hidden_layers * (COMPILE_SECONDS_PER_LAYER + GRAPHS_SECONDS_PER_LAYER)


def _rounded(seconds: float) -> int:
    """Rounds up to a multiple of the startupProbe's period."""
    return PROBE_PERIOD * math.ceil(seconds / PROBE_PERIOD)
