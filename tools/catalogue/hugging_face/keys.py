"""Which keys of a config.json the translation reads, and which it must not pass over in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
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
    "layer_switch": "sliding_window_pattern",
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
    {
        "layer_types",
        "no_rope_layers",
        "hybrid_layer_pattern",
        "layers_block_type",
        "linear_attn_config",
        "attn_type_list",
        "full_attn_idxs",
        "moe_layer_freq",
        "mlp_layer_types",
        "moe_layer_end_index",
        "use_sliding_window",
        "max_window_layers",
        "indexer_types",
        "index_topk_freq",
        "index_topk_pattern",
        "index_skip_topk_offset",
        "block_auto_adjust_ff_dim",
        "block_multiple_of",
        "block_ffn_dim_multiplier",
        "sliding_window_size",
        "_sliding_window_pattern",
        "linear_num_heads",
        "linear_head_dim",
    }
)
# Keys of what a forward pass computes, of training and of multi-token prediction: they change neither sizes nor caches.
_HARMLESS = frozenset((Path(__file__).parent / "harmless_keys.txt").read_text().split())
# What a key's name says when it is about attention, mixers, experts or caches.
_TELLING = re.compile(
    r"(^|_)(attn|attention|heads?|experts?|moe|mamba|ssm|conv|layers?|cache|caches|window|swa|linear|kv|latent|lora_rank|indexer"
    r"|hybrid|pattern|mixer|memory|recurrent|sparse|compress\w*|block_configs|state|cross|delta|gla|kda|dsa|csa|engram|altup|laurel|hc|ngram)(_|$)"
    r"|^index_|^multi_query$"
)
# Names of tokens, of losses and of encoders' taps.
_UNTELLING = re.compile(
    r"token|ignore_index|_loss|loss_|dropout|_eps$|feature_layer|initializer|_act$|_scale$|softcap|activation|^vision_|^image_|^audio_"
)
# Names of keys whose value is a number in every file.
_NUMBER = re.compile(r"^(num|n)_|(^|_)(size|dim|rank|heads|embeddings|depth|ratio|factor|topk|positions)$|^num_\w*layers$")


def odd_values(config: dict[str, Any]) -> Iterator[str]:
    """Keys that say a number in other files and something else in this one, with what they say."""
    for key, value in config.items():
        if _NUMBER.search(key) and isinstance(value, (str, list, dict)):
            yield f"{key} is {str(value)[:40]!r}"
        elif isinstance(value, dict):
            yield from odd_values(value)


def unknown_keys(text: dict[str, Any]) -> Iterator[str]:
    """Keys of attention, mixers, experts or caches that the translation does not know, where they say anything."""
    known = Architecture.model_fields.keys() | SPELLINGS.keys() | _TRANSLATED | _HARMLESS
    for key, value in text.items():
        if (
            key not in known
            and value not in (None, False, 0, "", [], {})
            and not isinstance(value, str)
            and _TELLING.search(key)
            and not _UNTELLING.search(key)
        ):
            yield key
