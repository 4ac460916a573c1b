"""LoRA adapters of a model: GPU memory of vLLM's adapter slots, and the architectures for which it is not known."""

from __future__ import annotations

from collections.abc import Iterator

from config.architecture import Architecture
from config.errors import Problem
from config.models import Model

# Limit on --max-loras: adapters that one batch may use.
MOST_IN_A_BATCH = 8
_BYTES = 2


def max_loras(model: Model) -> int:
    """vLLM's --max-loras."""
    return min(len(model.lora_adapters), MOST_IN_A_BATCH)


def max_lora_rank(model: Model) -> int:
    """vLLM's --max-lora-rank: every slot has the size of the largest adapter."""
    return max((adapter.rank for adapter in model.lora_adapters.values()), default=0)


def adapter_bytes(model: Model, architecture: Architecture) -> int:
    """Upper bound of the bytes that vLLM reserves per GPU for the slots: LoRA A and B of every attention and MLP projection, together
    rank x (inputs + outputs), not divided by tensor parallelism (vllm/lora/layers 0.33.0 keeps A whole)."""
    return max_loras(model) * max_lora_rank(model) * _widths(architecture) * _BYTES


def _widths(a: Architecture) -> int:
    """Sum of inputs and outputs of the projections to which adapters apply, over all layers."""
    hidden, query, kv = a.hidden_size, a.num_attention_heads * a.head_size, a.kv_heads * a.head_size
    mlp = a.intermediate_size or 4 * hidden
    attention = 2 * (hidden + query) + 2 * (hidden + kv)
    return a.num_hidden_layers * (attention + 3 * (hidden + mlp))


def adapter_problems(path: str, model: Model, architecture: Architecture) -> Iterator[Problem]:
    """Adapters whose memory this plan cannot compute, or that have no volume to be downloaded to."""
    if not model.lora_adapters:
        return
    if architecture.is_moe or architecture.is_mla or "linear" in architecture.layers():
        message = f"{model.source} has experts, latent or linear attention, for which the memory of adapters is not known"
        yield Problem(f"{path}.loraAdapters", message, "serve the adapter merged into the model, as a model of its own")
    if model.weights.source != "hugging-face":
        message = "are downloaded from Hugging Face, but the weights are not, so there is no volume for them"
        yield Problem(f"{path}.loraAdapters", message, "remove weights.uri or weights.claim")
