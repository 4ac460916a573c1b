"""Why containers ended, from the last lines of their logs. No I/O.

Sources of the texts: vLLM 0.33 (v1/core/kv_cache_utils.py, v1/worker), PyTorch, huggingface_hub 2 (errors.py, hf_raise_for_status).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.doctor.findings import Cause

_LINES_SHOWN = 3
_WIDEST = 240


@dataclass(frozen=True)
class Ending:
    cause: Cause
    pattern: str
    message: str
    advice: str


_DISK = Ending(
    Cause.OUT_OF_DISK,
    r"No space left on device|Disk quota exceeded|os error 28",
    "the volume of the weights is full",
    "raise weights.storageGiB, or the pool's bootDiskGib",
)
_DOWNLOAD = (
    Ending(
        Cause.WEIGHTS_REFUSED,
        r"\b429\b|Too Many Requests",
        "Hugging Face answers 429: too many requests from this address",
        "set secrets.huggingFaceToken, or keep the weights: weights.cache persistent-volume-claim, or weights.uri in a bucket",
    ),
    Ending(
        Cause.WEIGHTS_REFUSED,
        r"\b403\b|Forbidden|not in the authorized list|awaiting a review",
        "Hugging Face answers 403: the token's account may not read this model",
        "accept the model's licence with that account, and let the token read gated repositories",
    ),
    Ending(
        Cause.WEIGHTS_REFUSED,
        r"RevisionNotFound|EntryNotFound|Revision Not Found",
        "Hugging Face knows no such revision of the model",
        "correct the model's `revision`",
    ),
    Ending(
        Cause.WEIGHTS_REFUSED,
        r"\b401\b|Unauthorized|GatedRepo|Invalid user token|restricted",
        "Hugging Face answers 401: no token, or one that is not valid",
        "pulumi config set --secret --path 'secrets.huggingFaceToken' <token>",
    ),
    Ending(Cause.WEIGHTS_REFUSED, r"\b404\b|RepositoryNotFound", "Hugging Face knows no such model (404)", "correct the model's `source`"),
    _DISK,
    Ending(
        Cause.WEIGHTS_REFUSED,
        r"Name or service not known|Temporary failure in name resolution|Connect(ion)?Error|timed? ?out|Network is unreachable",
        "Hugging Face cannot be reached from the pod",
        "check egress of the nodes (NAT, proxy), DNS, and cluster.serviceRange, by which NetworkPolicies allow DNS",
    ),
)
_ENGINE = (
    Ending(
        Cause.CUDA_OUT_OF_MEMORY,
        r"larger than the available KV cache memory|No available memory for the cache blocks",
        "the GPU has no room for the KV cache of one sequence of engine.maxModelLen",
        "lower engine.maxModelLen, or raise engine.gpuMemoryUtilization",
    ),
    Ending(
        Cause.CUDA_OUT_OF_MEMORY,
        r"Free memory on device .* is less than desired GPU memory utilization",
        "something else holds memory of the GPU",
        "see `nvidia-smi` on the node, or lower engine.gpuMemoryUtilization where GPUs are shared",
    ),
    Ending(
        Cause.CUDA_OUT_OF_MEMORY,
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED",
        "CUDA out of memory: the engine asked for more than the GPU has",
        "lower engine.gpuMemoryUtilization, engine.maxNumSeqs or engine.maxNumBatchedTokens",
    ),
    Ending(
        Cause.GPU_UNUSABLE,
        r"driver version is insufficient|driver on your system is too old|forward compatibility was attempted",
        "the node's NVIDIA driver is too old for the image's CUDA",
        "raise the driver: cluster.gpuStack gke-default installs the newest; elsewhere the GPU Operator's `driver.version`",
    ),
    Ending(
        Cause.GPU_UNUSABLE,
        r"No CUDA GPUs are available|no CUDA-capable device|Failed to infer device type|Can't initialize NVML|libcuda\.so",
        "the container sees no GPU",
        "see that the driver and the container toolkit are ready on the node: `kubectl -n gpu-operator get pods -o wide`",
    ),
    Ending(
        Cause.GPU_UNUSABLE,
        r"uncorrectable ECC error|CUDA error: unspecified launch failure|GPU has fallen off the bus|Xid",
        "the GPU reports a hardware error",
        "drain the node and replace it",
    ),
    Ending(
        Cause.WEIGHTS_REFUSED,
        r"storage\.objects\.(get|list)|does not have storage\.|AccessDenied|\b403\b.*storage\.googleapis",
        "the bucket of weights.uri refuses the pod's identity (403)",
        "run `pulumi up`, which grants it, and check that the bucket is the right one",
    ),
    _DISK,
)


def download_ending(text: str) -> Ending | None:
    return _first(_DOWNLOAD, text)


def engine_ending(text: str) -> Ending | None:
    return _first(_ENGINE, text)


def _first(endings: tuple[Ending, ...], text: str) -> Ending | None:
    return next((one for one in endings if re.search(one.pattern, text)), None)


def last_lines(text: str) -> str:
    """The last lines that are not empty, joined into one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(line[:_WIDEST] for line in lines[-_LINES_SHOWN:])
