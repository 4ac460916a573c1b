"""The projections (large matrices) of a model's layers: parameters of each, whether tensor parallelism slices it, and its name in
checkpoints.

Names are relative to a layer in Hugging Face's implementations, as in a checkpoint's lists of modules that are not quantized.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from config.architecture import ENCODERS, Architecture
from config.layers import LayerKind
from config.quantization import ModuleClass

# Model types whose MLP has no gate: two matrices, not three.
_UNGATED = (ENCODERS - {"modernbert", "nomic_bert", "new"}) | {
    "gpt2",
    "gptj",
    "nemotron_h",
    "nemotron",
    "starcoder2",
    "phi",
    "gpt_neox",
    "falcon",
    "opt",
    "bloom",
    "arcee",
}
_KDA = "kimi_linear"


@dataclass(frozen=True)
class Projection:
    """A matrix of some layers; for experts, that of all experts together."""

    name: str
    module: ModuleClass
    parameters: int
    """Per layer."""
    layers: tuple[int, ...]
    sliced: bool = True

    @property
    def total(self) -> int:
        return self.parameters * len(self.layers)


@lru_cache(maxsize=4096)
def projections(architecture: Architecture) -> tuple[Projection, ...]:
    """Every projection of the language model's layers, without embeddings and encoders."""
    found: list[Projection] = []
    for kind in architecture.layers():
        layers = tuple(index for index, one in enumerate(architecture.layer_kinds) if one == kind)
        found += _mixer(architecture, kind, layers)
    return tuple(one for one in (*found, *_mlps(architecture), *_per_layer_inputs(architecture)) if one.layers)


def _mixer(a: Architecture, kind: LayerKind, layers: tuple[int, ...]) -> Iterator[Projection]:
    if kind == "linear":
        return _kimi_delta_attention(a, layers) if a.model_type == _KDA else _gated_delta_net(a, layers)
    if kind == "mamba":
        return _mamba(a, layers)
    if kind == "conv":
        return _short_convolution(a, layers)
    return _latent_attention(a, layers) if a.is_mla else _attention(a, kind, layers)


def _attention(a: Architecture, kind: LayerKind, layers: tuple[int, ...]) -> Iterator[Projection]:
    prefix, heads = "mixer" if a.hybrid_override_pattern is not None else "self_attn", a.heads(kind)
    queries, keys, values = heads.query * heads.key_size, heads.key_value * heads.key_size, heads.key_value * heads.value_size
    own = tuple(index for index in layers if index < a.num_hidden_layers - a.num_kv_shared_layers)
    yield Projection(f"{prefix}.q_proj", "attention", a.hidden_size * queries * (2 if a.attn_output_gate else 1), layers)
    yield Projection(f"{prefix}.k_proj", "attention", a.hidden_size * keys, own)
    if not (a.attention_k_eq_v and kind == "full"):
        yield Projection(f"{prefix}.v_proj", "attention", a.hidden_size * values, own)
    yield Projection(f"{prefix}.o_proj", "attention", heads.query * heads.value_size * a.hidden_size, layers)


def _latent_attention(a: Architecture, layers: tuple[int, ...]) -> Iterator[Projection]:
    latent, heads = a.kv_lora_rank or 0, a.num_attention_heads
    queries = heads * (a.qk_nope_head_dim + a.qk_rope_head_dim)
    if a.q_lora_rank is None:
        yield Projection("self_attn.q_proj", "attention", a.hidden_size * queries, layers)
    else:
        yield Projection("self_attn.q_a_proj", "attention", a.hidden_size * a.q_lora_rank, layers, sliced=False)
        yield Projection("self_attn.q_b_proj", "attention", a.q_lora_rank * queries, layers)
    yield Projection("self_attn.kv_a_proj_with_mqa", "attention", a.hidden_size * (latent + a.qk_rope_head_dim), layers, sliced=False)
    yield Projection("self_attn.kv_b_proj", "attention", latent * heads * (a.qk_nope_head_dim + a.v_head_dim), layers)
    yield Projection("self_attn.o_proj", "attention", heads * a.v_head_dim * a.hidden_size, layers)
    if a.index_topk:
        width, indexed = a.index_n_heads * a.index_head_dim, layers[: a.indexer_layers]
        yield Projection("self_attn.indexer.wq_b", "attention", (a.q_lora_rank or a.hidden_size) * width, indexed, sliced=False)
        yield Projection("self_attn.indexer.wk", "attention", a.hidden_size * a.index_head_dim, indexed, sliced=False)
        yield Projection("self_attn.indexer.weights_proj", "attention", a.hidden_size * a.index_n_heads, indexed, sliced=False)


def _gated_delta_net(a: Architecture, layers: tuple[int, ...]) -> Iterator[Projection]:
    keys, values = a.linear_num_key_heads * a.linear_key_head_dim, a.linear_num_value_heads * a.linear_value_head_dim
    yield Projection("linear_attn.in_proj_qkv", "mixer", a.hidden_size * (2 * keys + values), layers)
    yield Projection("linear_attn.in_proj_z", "mixer", a.hidden_size * values, layers)
    yield Projection("linear_attn.in_proj_a", "mixer", a.hidden_size * a.linear_num_value_heads, layers)
    yield Projection("linear_attn.in_proj_b", "mixer", a.hidden_size * a.linear_num_value_heads, layers)
    yield Projection("linear_attn.out_proj", "mixer", values * a.hidden_size, layers)


def _kimi_delta_attention(a: Architecture, layers: tuple[int, ...]) -> Iterator[Projection]:
    width, head = a.linear_num_value_heads * a.linear_value_head_dim, a.linear_value_head_dim
    for name in ("q_proj", "k_proj", "v_proj"):
        yield Projection(f"self_attn.{name}", "mixer", a.hidden_size * width, layers)
    for name in ("f", "g"):
        yield Projection(f"self_attn.{name}_a_proj", "mixer", a.hidden_size * head, layers, sliced=False)
        yield Projection(f"self_attn.{name}_b_proj", "mixer", head * width, layers)
    yield Projection("self_attn.b_proj", "mixer", a.hidden_size * a.linear_num_value_heads, layers)
    yield Projection("self_attn.o_proj", "mixer", width * a.hidden_size, layers)


def _mamba(a: Architecture, layers: tuple[int, ...]) -> Iterator[Projection]:
    inner = a.mamba_num_heads * a.mamba_head_dim
    inputs = 2 * inner + 2 * a.n_groups * a.ssm_state_size + a.mamba_num_heads
    yield Projection("mixer.in_proj", "mixer", a.hidden_size * inputs, layers)
    yield Projection("mixer.out_proj", "mixer", inner * a.hidden_size, layers)


def _short_convolution(a: Architecture, layers: tuple[int, ...]) -> Iterator[Projection]:
    yield Projection("conv.in_proj", "mixer", 3 * a.hidden_size * a.hidden_size, layers)
    yield Projection("conv.out_proj", "mixer", a.hidden_size * a.hidden_size, layers)


def _mlps(a: Architecture) -> Iterator[Projection]:
    sparse = tuple(index for index, experts in enumerate(a.has_experts) if experts)
    prefix = "mlp"
    if a.hybrid_override_pattern is not None:
        prefix, dense = "mixer", tuple(index for index, letter in enumerate(a.hybrid_override_pattern) if letter == "-")
    else:
        dense = tuple(index for index, experts in enumerate(a.has_experts) if not experts or a.enable_moe_block)
    width = (a.intermediate_size_mlp if a.is_moe else None) or mlp_width(a)
    yield from _mlp(a, prefix, "mlp", a.hidden_size * width, dense)
    if a.use_double_wide_mlp:
        yield from _mlp(a, prefix, "mlp", a.hidden_size * width, dense[len(dense) - a.num_kv_shared_layers :])
    if not sparse:
        return
    inner, experts = a.moe_latent_size or a.hidden_size, a.num_experts or 0
    yield from _mlp(a, f"{prefix}.shared_experts", "shared_experts", a.hidden_size * shared_expert_width(a), sparse)
    beside = "experts.0" if a.enable_moe_block else f"{prefix}.experts.0"
    yield from _mlp(a, beside, "experts", experts * inner * expert_width(a), sparse)
    if a.moe_latent_size:
        for name in ("fc1_latent_proj", "fc2_latent_proj"):
            yield Projection(f"{prefix}.{name}", "shared_experts", a.hidden_size * a.moe_latent_size, sparse, sliced=False)


def _mlp(a: Architecture, prefix: str, module: ModuleClass, parameters: int, layers: tuple[int, ...]) -> Iterator[Projection]:
    for name in ("up_proj", "down_proj") if a.model_type in _UNGATED else ("gate_proj", "up_proj", "down_proj"):
        if parameters:
            yield Projection(f"{prefix}.{name}", module, parameters, layers)


def _per_layer_inputs(a: Architecture) -> Iterator[Projection]:
    if a.hidden_size_per_layer_input:
        layers, size = tuple(range(a.num_hidden_layers)), a.hidden_size * a.hidden_size_per_layer_input
        yield Projection("per_layer_model_projection", "mlp", size, layers)
        yield Projection("per_layer_input_gate", "mlp", size, layers, sliced=False)
        yield Projection("per_layer_projection", "mlp", size, layers, sliced=False)


def mlp_width(a: Architecture) -> int:
    return a.intermediate_size or 4 * a.hidden_size


def expert_width(a: Architecture) -> int:
    return a.moe_intermediate_size or mlp_width(a)


def shared_expert_width(a: Architecture) -> int:
    """Width of all shared experts together."""
    if a.model_type == "llama4_text":
        return mlp_width(a)
    if a.moe_shared_expert_intermediate_size:
        return a.moe_shared_expert_intermediate_size * max(1, a.n_shared_experts)
    return a.shared_expert_intermediate_size or a.n_shared_experts * expert_width(a)
