"""What LoRA adapters of a model take: memory of every GPU, and disk on the way."""

from __future__ import annotations

from collections.abc import Iterator

from config.architecture import Architecture
from config.errors import Problem
from config.models import Model

# Adapters that one batch may mix; more than these take turns.
MOST_IN_A_BATCH = 8
_BYTES = 2


def max_loras(model: Model) -> int:
    """vLLM's --max-loras."""
    return min(len(model.lora_adapters), MOST_IN_A_BATCH)


def max_lora_rank(model: Model) -> int:
    """vLLM's --max-lora-rank: every slot is as large as the largest adapter."""
    return max((adapter.rank for adapter in model.lora_adapters.values()), default=0)


def adapter_bytes(model: Model, architecture: Architecture) -> int:
    """Bytes that vLLM sets aside on each GPU for the slots, upper bound: the two factors of every projection of attention and MLP, of
    rank x (inputs + outputs) each, not divided by tensor parallelism (vllm/lora/layers 0.33.0 keeps the first factor whole)."""
    return max_loras(model) * max_lora_rank(model) * _widths(architecture) * _BYTES


def _widths(a: Architecture) -> int:
    """Inputs plus outputs of the projections that adapters have factors for, over all layers."""
    hidden, query, kv = a.hidden_size, a.num_attention_heads * a.head_size, a.kv_heads * a.head_size
    mlp = a.intermediate_size or 4 * hidden
    attention = 2 * (hidden + query) + 2 * (hidden + kv)
    return a.num_hidden_layers * (attention + 3 * (hidden + mlp))


def adapter_problems(path: str, model: Model, architecture: Architecture) -> Iterator[Problem]:
    """Adapters where this plan does not know what they take."""
    if not model.lora_adapters:
        return
    if architecture.is_moe or architecture.is_mla or "linear" in architecture.layers():
        message = f"{model.source} has experts, latent or linear attention, where what adapters take is not known"
        yield Problem(f"{path}.loraAdapters", message, "serve the adapter merged into the model, as a model of its own")
    if model.weights.source != "hugging-face":
        message = "are downloaded from Hugging Face, but the weights are not, so there is no volume for them"
        yield Problem(f"{path}.loraAdapters", message, "remove weights.uri or weights.claim")
