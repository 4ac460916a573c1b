"""Parameters outside a model's projections: norms, biases, routers, convolutions, positions. Never quantized, never sliced."""

from __future__ import annotations

from config.architecture import ENCODERS, Architecture
from config.layers import LayerKind
from planning.projections import expert_width, mlp_width

_GPT2 = "gpt2"
_QK_NORM = frozenset(
    {"qwen3", "qwen3_moe", "qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text", "qwen3_vl", "qwen3_vl_text"}
    | {"qwen3_vl_moe", "qwen3_vl_moe_text", "gemma3_text", "gemma3", "gemma4_text", "glm4_moe", "lfm2", "lfm2_moe"}
)
_FOUR_NORMS = frozenset({"gemma2", "gemma3_text", "gemma3", "gemma4_text"})
_QKV_BIAS = frozenset({"qwen2", "qwen2_moe", "qwen2_vl", "qwen2_5_vl", "glm4_moe"})
# Encoders with a table of position embeddings.
_POSITION_TABLE = ENCODERS - {"modernbert", "nomic_bert", "new"}


def small_parameters(a: Architecture) -> int:
    layers = a.layers()
    attending = {kind: count for kind, count in layers.items() if kind in ("full", "sliding", "chunked")}
    total = sum(count * _attention(a, kind) for kind, count in attending.items())
    total += layers.get("linear", 0) * _linear_attention(a) + layers.get("mamba", 0) * _mamba(a)
    total += layers.get("conv", 0) * a.hidden_size * a.conv_L_cache
    return total + sum(a.has_experts) * _router(a) + _norms(a) + _biases_of_mlps(a) + _positions(a)


def _attention(a: Architecture, kind: LayerKind) -> int:
    if a.is_mla:
        indexer = 2 * a.index_head_dim if a.index_topk else 0
        return (a.kv_lora_rank or 0) + (a.q_lora_rank or 0) + indexer
    heads = a.heads(kind)
    queries, keys = heads.query * heads.key_size, heads.key_value * heads.key_size
    other = 2 * heads.key_size if a.model_type in _QK_NORM else 0
    if a.model_type == "minimax_m2":
        other += queries + keys
    biased = a.model_type == _GPT2 or a.model_type in _POSITION_TABLE
    if a.attention_bias or a.model_type in _QKV_BIAS or biased:
        other += queries + 2 * keys
    if biased or a.model_type == "gpt_oss":
        other += a.hidden_size  # bias of the output projection
    if a.model_type == "gpt_oss":
        other += a.num_attention_heads  # attention sinks
    return other


def _linear_attention(a: Architecture) -> int:
    keys, values = a.linear_num_key_heads * a.linear_key_head_dim, a.linear_num_value_heads * a.linear_value_head_dim
    convolution = (2 * keys + values) * a.linear_conv_kernel_dim
    decay = a.linear_num_value_heads + (values if a.model_type == "kimi_linear" else a.linear_num_value_heads)
    return convolution + decay + a.linear_value_head_dim


def _mamba(a: Architecture) -> int:
    inner = a.mamba_num_heads * a.mamba_head_dim
    convolved = inner + 2 * a.n_groups * a.ssm_state_size
    return convolved * (a.conv_kernel + 1) + 3 * a.mamba_num_heads + inner


def _router(a: Architecture) -> int:
    experts = a.num_experts or 0
    router = a.hidden_size * experts + (a.hidden_size if a.shared_expert_intermediate_size else 0)
    if a.model_type == "gpt_oss":
        router += experts * (1 + 2 * expert_width(a) + a.hidden_size)  # biases of router and experts
    if a.enable_moe_block:
        router += a.hidden_size * 4 + experts  # the router's scales and three more norms
    return router


def _norms(a: Architecture) -> int:
    each = 4 if a.model_type in _FOUR_NORMS else 1 if a.hybrid_override_pattern is not None else 2
    norms = (a.num_hidden_layers * each + 1) * a.hidden_size
    if a.hidden_size_per_layer_input:
        norms += a.num_hidden_layers * a.hidden_size + a.hidden_size_per_layer_input
    return norms * (2 if a.model_type == _GPT2 or a.model_type in ENCODERS else 1)  # LayerNorm has a bias


def _biases_of_mlps(a: Architecture) -> int:
    biased = a.model_type == _GPT2 or a.model_type in _POSITION_TABLE
    return a.num_hidden_layers * (mlp_width(a) + a.hidden_size) if biased else 0


def _positions(a: Architecture) -> int:
    if a.model_type in _POSITION_TABLE:
        return (a.max_position_embeddings + 2) * a.hidden_size + a.hidden_size * (a.hidden_size + 1)  # types of segments, the pooler
    return 0
