"""Which keys of a config.json the translation reads, and which it must not pass over in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from config.architecture import Architecture

# Other names of an architecture's keys.
SPELLINGS = {
    "dtype": "torch_dtype",
    "n_embd": "hidden_size",
    "d_model": "hidden_size",
    "n_layer": "num_hidden_layers",
    "num_layers": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "attention_head_dim": "head_dim",
    "num_attention_groups": "num_key_value_heads",
    "n_positions": "max_position_embeddings",
    "n_inner": "intermediate_size",
    "block_ff_dim": "intermediate_size",
    "num_local_experts": "num_experts",
    "n_routed_experts": "num_experts",
    "num_routed_experts": "num_experts",
    "moe_num_experts": "num_experts",
    "num_experts_per_token": "num_experts_per_tok",
    "experts_per_token": "num_experts_per_tok",
    "top_k_experts": "num_experts_per_tok",
    "moe_k": "num_experts_per_tok",
    "moe_topk": "num_experts_per_tok",
    "moe_top_k": "num_experts_per_tok",
    "num_shared_experts": "n_shared_experts",
    "num_shared_expert": "n_shared_experts",
    "moe_num_shared_experts": "n_shared_experts",
    "share_expert_dim": "shared_expert_intermediate_size",
    "shared_intermediate_size": "shared_expert_intermediate_size",
    "expert_intermediate_size": "moe_intermediate_size",
    "moe_ffn_hidden_size": "moe_intermediate_size",
    "dense_intermediate_size": "intermediate_size_mlp",
    "num_dense_layers": "first_k_dense_replace",
    "moe_layer_start_index": "first_k_dense_replace",
    "decoder_sparse_step": "interleave_moe_layer_step",
    "moe_layer_interval": "interleave_moe_layer_step",
    "qkv_bias": "attention_bias",
    "tie_embedding": "tie_word_embeddings",
    "mamba_d_state": "ssm_state_size",
    "mamba_n_heads": "mamba_num_heads",
    "mamba_d_head": "mamba_head_dim",
    "mamba_n_groups": "n_groups",
    "mamba_d_conv": "conv_kernel",
    "mamba_ssm_dtype": "mamba_ssm_cache_dtype",
}
# Keys that layers, rope, experts and encoders are worked out from, beside the architecture's own.
_TRANSLATED = frozenset(
    "layer_types no_rope_layers hybrid_layer_pattern layers_block_type linear_attn_config attn_type_list full_attn_idxs moe_layer_freq"
    " mlp_layer_types moe_layer_end_index use_sliding_window max_window_layers indexer_types index_topk_freq index_topk_pattern"
    " index_skip_topk_offset block_auto_adjust_ff_dim block_multiple_of block_ffn_dim_multiplier sliding_window_size"
    " _sliding_window_pattern".split()
)
# Keys of what a forward pass computes, of training and of multi-token prediction: they change neither sizes nor caches.
_HARMLESS = frozenset(
    "attention_dropout attn_pdrop attention_probs_dropout_prob attention_multiplier attention_value_scale attn_logit_softcapping"
    " attn_logits_soft_cap query_pre_attn_scalar use_bidirectional_attention attn_temperature_tuning attn_scale floor_scale layer_norm_eps"
    " layer_norm_epsilon layernorm_epsilon rms_norm_eps use_cache moe_router_scaling_factor routed_scaling_factor norm_topk_prob"
    " moe_renormalize moe_router_activation_func moe_router_dtype moe_norm_min num_expert_group use_grouped_topk expert_dtype"
    " output_router_logits router_aux_loss_coef output_attentions scale_attn_weights reorder_and_upcast_attn"
    " scale_attn_by_inverse_layer_idx cross_attention_hidden_size add_cross_attention pruned_heads add_swa_attention_sink_bias"
    " add_full_attention_sink_bias swa_rope_theta moe_shared_expert_overlap indexer_rope_interleave index_share_for_mtp_iteration"
    " num_nextn_predict_layers mtp_num_hidden_layers mtp_layers_block_type mtp_hybrid_override_pattern mtp_transformer_layers"
    " chunk_size chunk_size_feed_forward use_mamba_kernels mamba_hidden_act mamba_proj_bias use_conv_bias conv_bias mamba_expand"
    " mamba_chunk_size use_qk_norm qk_norm_type qk_layernorm use_moe_router_bias qk_head_dim attn_implementation _attn_implementation"
    " _attn_implementation_internal num_key_value_groups head_dtype num_logits_to_keep rope_interleave ep_size moe_latent_use_norm"
    " zero_expert_type zero_expert_num moe_dropout activation_layer_norm use_routing_bias moe_router_force_load_balancing"
    " attn_dropout hidden_dropout layerdrop moe_use_bias moe_layer_aux_loss output_gate_type scale_depth use_expert_bias"
    " moe_multi_device_mode moe_capacity moe_gate multimodal_max_length full_attention_sink_bias moe_use_aux_free moe_k_group"
    " expert_softcap head_type use_attention_sink original_max_position_embeddings mlp_bias initial_context_length n_ctx"
    " apply_residual_connection_post_layernorm attention_softmax_in_fp32 attention_out_bias use_head_wise_attn_gate"
    " index_norm_type moe_router_topk_scaling_factor moe_router_enable_expert_bias cache_implementation"
    " num_labels head_act classifier_pooling position_embedding_type num_memory_blocks layer_scale_initial_scale".split()
)
# What a key's name says when it is about attention, mixers, experts or caches.
_TELLING = re.compile(
    r"(^|_)(attn|attention|heads?|experts?|moe|mamba|ssm|conv|layers?|cache|caches|window|swa|linear|kv|latent|lora_rank|index|indexer"
    r"|hybrid|pattern|mixer|memory|recurrent|sparse|compress\w*|block_configs|state|cross|delta|gla|kda|dsa|csa|engram|hc|ngram)(_|$)"
)


def unknown_keys(text: dict[str, Any]) -> Iterator[str]:
    """Keys of attention, mixers, experts or caches that the translation does not know, where they say anything."""
    known = Architecture.model_fields.keys() | SPELLINGS.keys() | _TRANSLATED | _HARMLESS
    for key, value in text.items():
        if key not in known and value not in (None, False, 0, "", [], {}) and not isinstance(value, str) and _TELLING.search(key):
            yield key
