"""How many parameters a model has, by what quantization and parallelism do with them.

Counted from the shapes in the model's implementation (Hugging Face transformers, vLLM model_executor/models); checked in the tests
against counts taken from instantiated models.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.architecture import Architecture

_GPT2 = "gpt2"
_QK_NORM = frozenset({"qwen3", "qwen3_moe", "qwen3_next", "qwen3_5", "qwen3_5_text", "gemma3_text", "gemma3", "glm4_moe"})
_FOUR_NORMS = frozenset({"gemma2", "gemma3_text", "gemma3"})
_QKV_BIAS = frozenset({"qwen2", "qwen2_moe", "glm4_moe"})


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of parameters. Quantization leaves `embedding` and `other` alone; tensor parallelism leaves `other` alone."""

    embedding: int
    """Input and output embeddings, and GPT-2's positions."""
    linear: int
    """Projections that tensor parallelism slices."""
    expert: int
    """Routed experts' projections."""
    replicated: int
    """Projections that every GPU holds whole: MLA's down-projections."""
    other: int
    """Norms, biases, routers, convolutions, sinks."""

    @property
    def total(self) -> int:
        return self.embedding + self.linear + self.expert + self.replicated + self.other


def count_parameters(architecture: Architecture) -> ParameterCount:
    """Parameters of the text model with all its experts, without vision tower and multi-token-prediction layers."""
    a = architecture
    layers = a.layers()
    attention_layers = a.num_hidden_layers - layers.get("linear", 0)
    linear, replicated, other = (attention_layers * n for n in _attention(a))
    linear_attention, linear_attention_other = (layers.get("linear", 0) * n for n in _linear_attention(a))
    mlp, expert, mlp_other = _mlps(a)
    norms = (a.num_hidden_layers * (4 if a.model_type in _FOUR_NORMS else 2) + 1) * a.hidden_size
    if a.model_type == _GPT2:
        norms *= 2  # LayerNorm has a bias
    return ParameterCount(
        embedding=_embeddings(a),
        linear=linear + linear_attention + mlp,
        expert=expert,
        replicated=replicated,
        other=other + linear_attention_other + mlp_other + norms,
    )


def active_parameters(architecture: Architecture) -> int:
    """Parameters that one token is multiplied with: all but the experts it does not visit and the embedding it only looks up."""
    count = count_parameters(architecture)
    visited = count.expert * architecture.num_experts_per_tok // (architecture.num_experts or 1)
    return count.linear + count.replicated + visited + architecture.vocab_size * architecture.hidden_size


def _embeddings(a: Architecture) -> int:
    tied = a.tie_word_embeddings or a.model_type == _GPT2
    positions = a.max_position_embeddings * a.hidden_size if a.model_type == _GPT2 else 0
    return a.vocab_size * a.hidden_size * (1 if tied else 2) + positions


def _attention(a: Architecture) -> tuple[int, int, int]:
    """(sliced projections, replicated projections, rest) of one softmax-attention layer."""
    if a.is_mla:
        return _mla(a)
    queries = a.num_attention_heads * a.head_size
    keys = a.kv_heads * a.head_size
    projections = a.hidden_size * (queries * (2 if a.attn_output_gate else 1) + 2 * keys) + queries * a.hidden_size
    other = 2 * a.head_size if a.model_type in _QK_NORM else 0
    if a.attention_bias or a.model_type in _QKV_BIAS or a.model_type == _GPT2:
        other += queries + 2 * keys
    if a.model_type in (_GPT2, "gpt_oss"):
        other += a.hidden_size  # bias of the output projection
    if a.model_type == "gpt_oss":
        other += a.num_attention_heads  # attention sinks
    return projections, 0, other


def _mla(a: Architecture) -> tuple[int, int, int]:
    latent = a.kv_lora_rank or 0
    head = a.qk_nope_head_dim + a.qk_rope_head_dim
    heads = a.num_attention_heads
    down = a.hidden_size * (latent + a.qk_rope_head_dim)
    up = latent * heads * (a.qk_nope_head_dim + a.v_head_dim) + heads * a.v_head_dim * a.hidden_size
    if a.q_lora_rank is None:
        return up + a.hidden_size * heads * head, down, latent
    return up + a.q_lora_rank * heads * head, down + a.hidden_size * a.q_lora_rank, latent + a.q_lora_rank


def _linear_attention(a: Architecture) -> tuple[int, int]:
    """(projections, rest) of one gated-delta-net layer."""
    keys = a.linear_num_key_heads * a.linear_key_head_dim
    values = a.linear_num_value_heads * a.linear_value_head_dim
    projections = a.hidden_size * (2 * keys + 2 * values + 2 * a.linear_num_value_heads) + values * a.hidden_size
    return projections, (2 * keys + values) * a.linear_conv_kernel_dim + 2 * a.linear_num_value_heads + a.linear_value_head_dim


def _mlps(a: Architecture) -> tuple[int, int, int]:
    """(dense and shared projections, routed experts' projections, rest) of all layers' MLPs."""
    width = a.intermediate_size or 4 * a.hidden_size
    if not a.is_moe:
        matrices = 2 if a.model_type == _GPT2 else 3
        bias = width + a.hidden_size if a.model_type == _GPT2 else 0
        return a.num_hidden_layers * matrices * a.hidden_size * width, 0, a.num_hidden_layers * bias
    experts = a.num_experts or 0
    expert_width = a.moe_intermediate_size or width
    moe_layers = (a.num_hidden_layers - a.first_k_dense_replace) // a.interleave_moe_layer_step
    dense_layers = a.num_hidden_layers - moe_layers
    dense = dense_layers * 3 * a.hidden_size * (a.intermediate_size_mlp or width)
    shared_width = a.shared_expert_intermediate_size or a.n_shared_experts * expert_width
    if a.model_type == "llama4_text":
        shared_width = width
    shared = moe_layers * 3 * a.hidden_size * shared_width
    routed = moe_layers * experts * 3 * a.hidden_size * expert_width
    router = a.hidden_size * experts + (a.hidden_size if a.shared_expert_intermediate_size else 0)
    if a.model_type == "gpt_oss":
        router += experts * (1 + 2 * expert_width + a.hidden_size)  # biases of router and experts
    return dense + shared, routed, moe_layers * router
