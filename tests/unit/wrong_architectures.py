"""Wrong stacks whose problem is in a model's architecture: the changed keys and the expected problem."""

TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 1000,
    "max_position_embeddings": 9000,
}

# name: (keys that are changed, path below the architecture, words of the reason, words of the fix)
CHANGES = {
    "typo": ({"hiden_size": 8}, ".hiden_size", "unknown key", "hidden_size"),
    "a key that planning does not model": (
        {"compress_ratios": [0, 4]},
        ".compress_ratios",
        "planning does not model",
        "choose a model without it",
    ),
    "a key that is spelt otherwise": ({"rope_scaling": {"factor": 4}}, ".rope_scaling", "spelt otherwise", "describe-model"),
    "context scaled to nothing": ({"rope_scaling_factor": 0.00001}, "", "leaves no context", "config.json"),
    "layers without end": ({"num_hidden_layers": 1_000_000_000}, ".num_hidden_layers", "1000000000", "less than or equal to 1000"),
    "sliding layers without a window": ({"layer_types": ["sliding_attention"] * 2}, "", "no sliding_window", "config.json"),
    "a hybrid pattern of other length": (
        {"hybrid_override_pattern": "M*M", "mamba_num_heads": 1, "mamba_head_dim": 1, "ssm_state_size": 1},
        "",
        "names 3 layers of 2",
        "config.json",
    ),
    "a hybrid pattern of other letters": ({"hybrid_override_pattern": "*X"}, "", "has X", "config.json"),
    "a hybrid without states": ({"hybrid_override_pattern": "M*"}, "", "no mamba_num_heads", "config.json"),
    "a dense layer beyond the last": ({"num_experts": 4, "mlp_only_layers": [7]}, "", "names layer 7", "config.json"),
    "every layer shares KV": ({"num_kv_shared_layers": 2}, "", "2 of 2 layers read", "config.json"),
    "an encoder without layers": ({"vision_config": {"hidden_size": 8}}, ".vision_config.num_hidden_layers", "required", "add it"),
    "no width": ({"hidden_size": 0}, ".hidden_size", "0", "greater than 0"),
    "KV heads below nothing": ({"num_key_value_heads": -1}, ".num_key_value_heads", "-1", "greater than 0"),
    "heads of no width": ({"hidden_size": 1}, "", "leaves nothing for each of 4 heads", "config.json"),
    "fewer kinds than layers": ({"layer_types": ["full_attention"]}, "", "names 1 layers of 2", "config.json"),
    "unknown kind of layer": ({"layer_types": ["lightning", "full_attention"]}, "", "names lightning", "config.json"),
    "more experts visited than there are": ({"num_experts": 4, "num_experts_per_tok": 8}, "", "visits 8 of 4 experts", "config.json"),
    "more dense layers than layers": ({"num_experts": 4, "first_k_dense_replace": 9}, "", "is 9, of 2 layers", "config.json"),
    "experts in no layer": ({"num_experts": 4, "interleave_moe_layer_step": 0}, ".interleave_moe_layer_step", "0", "greater than 0"),
    "linear layers without sizes": ({"full_attention_interval": 4}, "", "no linear_num_key_heads", "config.json"),
    "context stretched without end": ({"rope_scaling_factor": float("inf")}, ".rope_scaling_factor", "inf", "1000"),
    "window below nothing": ({"sliding_window": -5}, ".sliding_window", "-5", "equal to 0"),
    "latent of nothing": ({"kv_lora_rank": 0}, ".kv_lora_rank", "0", "greater than 0"),
    "blocks of nothing": (
        {"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 128]}},
        ".quantization_config.weight_block_size[0]",
        "0",
        "greater than 0",
    ),
    "fewer bits than none": ({"quantization_config": {"quant_method": "awq", "bits": -4}}, ".quantization_config.bits", "-4", "greater"),
}
