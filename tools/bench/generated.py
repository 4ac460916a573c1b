"""Stacks of any size, for benchmarks and for tests of the whole program."""

from __future__ import annotations

from typing import Any

from config.rules import OPERANDS_PER_NODE

REVISION = "0123456789abcdef0123456789abcdef01234567"

MOST_BEHIND_ONE_GATEWAY = 500


def generated(models: int) -> dict[str, Any]:
    """A stack of many models over three pools of different GPUs, with a gateway where one can hold them all."""
    sources = [
        ("l4", "Qwen/Qwen3-8B", {"maxModelLen": 8192}, {}),
        ("l4", "openai/gpt-oss-20b", {"maxModelLen": 16384}, {}),
        ("a100", "google/gemma-3-27b-it", {"maxModelLen": 8192}, {}),
        ("h100", "Qwen/Qwen3-32B-FP8", {"maxModelLen": 32768}, {}),
        ("h100", "meta-llama/Llama-3.3-70B-Instruct", {"maxModelLen": 16384}, {"tensor": 4}),
        ("h100", "Qwen/Qwen3-Next-80B-A3B-Instruct", {"maxModelLen": 32768}, {"tensor": 4}),
    ]
    entries = {}
    for index in range(models):
        pool, source, engine, parallelism = sources[index % len(sources)]
        entries[f"model-{index}"] = {
            "source": source,
            "revision": REVISION,
            "nodePool": pool,
            "engine": engine,
            "parallelism": parallelism,
            "scaling": {"floor": 1 + index % 2, "ceiling": 3},
        }
    with_gateway = models <= MOST_BEHIND_ONE_GATEWAY
    clients = {"team-a": {"requestsPerMinute": 600}, "team-b": {"models": ["model-0"]}}
    keys = {client: {"secure": f"v1:aaaa:{client}"} for client in clients}
    nodes = {"onDemand": {"max": 2 * models}, "spot": {"max": 3 * models}}
    return {
        "gcp:project": "acme-llm",
        "gcp:region": "us-central1",
        "vllm-platform:cluster": {
            "provider": "gke",
            "name": "llm",
            "zones": ["us-central1-a", "us-central1-c"],
            "ranges": {"nodes": "10.0.0.0/16", "pods": "11.0.0.0/8", "services": "12.8.0.0/20"},
        },
        "vllm-platform:nodePools": {
            "l4": {"machineType": "g2-standard-12", **nodes},
            "a100": {"machineType": "a2-ultragpu-1g", **nodes},
            "h100": {"machineType": "a3-highgpu-8g", **nodes},
        },
        "vllm-platform:models": entries,
        "vllm-platform:platform": {"gpuOperator": {"podQuota": 1000 + 3 * 5 * models * OPERANDS_PER_NODE}},
        "vllm-platform:secrets": {"huggingFaceToken": {"secure": "v1:aaaa:bbbb"}, **({"clientKeys": keys} if with_gateway else {})},
        **({"vllm-platform:gateway": {"clients": clients}} if with_gateway else {}),
    }
