"""Wrong stacks whose problem is in a model's architecture: what the architecture is, and what has to be said about it."""

TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 1000,
    "max_position_embeddings": 9000,
}

# name: (keys that are changed, path below the architecture, words of the reason, words of the fix)
WRONG = {
    "typo": ({"hiden_size": 8}, ".hiden_size", "unknown key", "hidden_size"),
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
