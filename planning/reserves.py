"""What vLLM takes of a GPU beside weights and KV cache: activations, CUDA graphs, memory outside PyTorch. GiB per GPU."""

from __future__ import annotations

from config.models import Model

# Peak of the activations at 8,192 batched tokens and memory outside PyTorch, measured by llm-d-planner 0.3.3 on H100 (49 runs).
_ACTIVATION_GIB = {
    "llama": 1.89,
    "qwen2": 2.25,
    "qwen3": 2.21,
    "qwen3moe": 2.68,
    "mistral3": 2.10,
    "deepseekv2": 1.93,
    "phi3": 1.52,
    "gemma3": 3.94,
    "mixtral": 1.21,
    "dense": 2.0,
    "moe": 2.5,
    "multimodal": 2.0,
}
_ACTIVATION_TOKENS = 8192
_NON_TORCH_GIB = {1: 0.27}
_NON_TORCH_PARALLEL_GIB = 2.10
# vLLM subtracts its estimate of the CUDA graphs since 0.21; assumed, between the 0.5 and 1 GiB seen.
_CUDA_GRAPHS_GIB = 0.75


def activation_gib(family: str, max_num_batched_tokens: int) -> float:
    """Peak of the activations, in the profile run's batch of `max_num_batched_tokens`."""
    return _ACTIVATION_GIB.get(family, _ACTIVATION_GIB["dense"]) * max(1.0, max_num_batched_tokens / _ACTIVATION_TOKENS)


def cuda_graphs_gib(model: Model) -> float:
    return 0.0 if model.engine.enforce_eager else _CUDA_GRAPHS_GIB


def non_torch_gib(gpus: int) -> float:
    """Memory outside PyTorch: CUDA's context, NCCL's buffers between the `gpus` of a replica."""
    return _NON_TORCH_GIB.get(gpus, _NON_TORCH_PARALLEL_GIB)
