"""What config.json files say, in their writers' many spellings, and what they are refused for."""

import pytest

from config.engine import RopeScaling
from planning.kv_cache import KvCache
from planning.long_context import hf_overrides, stretched
from planning.parameters import count_parameters
from planning.weight_size import bytes_per_weight, weight_bytes
from tests.unit.test_describe_model import DEEPSEEK, GPT_OSS, LLAMA, QWEN_MOE, QWEN_NEXT
from tools.catalogue.hugging_face.config import CannotTranslate, architecture_from_config, as_row

GIB = 1024**3
LLAMA_70B = LLAMA | {"hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64, "intermediate_size": 28672}
FLOAT8 = {"num_bits": 8, "type": "float", "strategy": "channel"}
FP8_DYNAMIC = {
    "quant_method": "compressed-tensors",
    "format": "float-quantized",
    "ignore": ["lm_head"],
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": FLOAT8, "input_activations": {"num_bits": 8, "dynamic": True}}},
}
INT4 = {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 128, "type": "int"}, "input_activations": None}

# What is said, and GiB of weights: 67.72 is what logs of vLLM show for FP8 and INT8 of a Llama 70B.
SPELLINGS = {
    "compressed-tensors FP8": (FP8_DYNAMIC, 67.72),
    "compressed-tensors INT8": (
        FP8_DYNAMIC | {"config_groups": {"g": {"weights": {"num_bits": 8, "type": "int"}, "targets": ["Linear"]}}},
        67.72,
    ),
    "compressed-tensors INT4": (FP8_DYNAMIC | {"config_groups": {"group_0": INT4}}, 37.0),
    "modelopt FP8": ({"quant_method": "modelopt", "quant_algo": "FP8"}, 67.72),
    "modelopt without a method": ({"quant_algo": "FP8", "ignore": ["lm_head"]}, 67.72),
    "modelopt NVFP4": ({"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16}, 39.8),
    "modelopt W4A16": ({"quant_method": "modelopt", "quant_algo": "W4A16_AWQ", "group_size": 128}, 37.0),
    "fp8": ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 67.72),
    "fbgemm_fp8": ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["lm_head"]}, 67.72),
    "awq": ({"quant_method": "awq", "bits": 4, "group_size": 128}, 37.1),
    "awq of old": ({"quant_method": "awq", "w_bit": 4, "q_group_size": 128}, 37.1),
    "gptq of 8 bits": ({"quant_method": "gptq", "bits": 8, "group_size": 128}, 68.9),
    "attention left out": ({"quant_method": "fp8", "ignored_layers": ["re:.*self_attn.*"]}, 78.9),
    "the MLP of every other layer left out": (
        {"quant_method": "fp8", "ignored_layers": [f"model.layers.{n}.mlp" for n in range(0, 80, 2)]},
        93.97,
    ),
    "layers by wildcard": ({"quant_algo": "FP8", "exclude_modules": [f"model.layers.{n}*" for n in range(2, 80)]}, 129.8),
    "a method that is not known": ({"quant_method": "brand_new"}, 131.4),
    "bits that are not said": ({"quant_method": "compressed-tensors"}, 131.4),
    "bits that are no number": (FP8_DYNAMIC | {"config_groups": {"g": {"weights": {"num_bits": True}}, "h": None}}, 131.4),
}


@pytest.mark.parametrize(("said", "gib"), SPELLINGS.values(), ids=SPELLINGS)
def test_weights_follow_from_what_any_writer_says_of_quantization(said, gib):
    found = architecture_from_config(LLAMA_70B | {"quantization_config": said})
    assert weight_bytes(found) / GIB == pytest.approx(gib, rel=0.01)


def test_what_lies_beside_config_json_counts():
    beside = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
    assert weight_bytes(architecture_from_config(LLAMA_70B, beside)) / GIB == pytest.approx(67.72, rel=0.01)


def test_layers_of_mixed_precision_count_each_with_its_bits():
    layers: dict[str, dict[str, object]] = {
        f"model.layers.{n}.self_attn.{name}_proj": {"quant_algo": "FP8"} for n in range(32) for name in "qkvo"
    }
    four: dict[str, object] = {"quant_algo": "NVFP4", "group_size": 16}
    layers |= {f"model.layers.{n}.mlp.{name}_proj": four for n in range(32) for name in ("gate", "up", "down")}
    found = architecture_from_config(LLAMA, {"quantization": {"quant_algo": "MIXED_PRECISION", "quantized_layers": layers}})
    each = bytes_per_weight(found)
    assert (round(each["attention"], 2), each["mlp"], each["lm_head"]) == (1.0, 4.5 / 8, 2)


def test_experts_alone_are_quantized_where_patterns_leave_out_the_rest():
    ignored = ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*", r"re:.*mlp\.(gate|up|gate_up|down)_proj.*"]
    config = {"quant_method": "compressed-tensors", "ignore": ignored, "config_groups": {"group_0": INT4}}
    each = bytes_per_weight(architecture_from_config(DEEPSEEK | {"quantization_config": config}))
    assert each["attention"] == each["mlp"] == each["shared_experts"] == 2
    assert each["experts"] == pytest.approx(4.125 / 8)


def test_a_described_row_is_short_and_says_the_same():
    config = QWEN_MOE | {
        "quantization_config": {"quant_method": "fp8", "modules_to_not_convert": [f"model.layers.{n}.mlp.gate" for n in range(48)]}
    }
    row = as_row(architecture_from_config(config))
    assert row["quantization_config"] == {"quant_method": "fp8", "bits": 8, "activation_bits": 8}


REFUSED = {
    "compressed attention": ({"compress_ratios": [0, 4]}, "compress_ratios"),
    "blocks of their own": ({"block_configs": [{"attention": {}}]}, "block_configs"),
    "block-sparse attention": ({"sparse_attention_config": {"sparse_topk_blocks": 16}}, "sparse_attention_config"),
    "heads that differ by layer": ({"num_attention_heads_per_layer": [8, 16]}, "num_attention_heads_per_layer"),
    "layers of an unknown kind": ({"layer_types": ["lightning_attention"] * 32}, "lightning_attention"),
    "an encoder-decoder": ({"is_encoder_decoder": True}, "encoder-decoder"),
    "heads of keys that are one": ({"multi_query": True}, "multi_query"),
    "a state-space model of another kind": ({"state_size": 16}, "state_size"),
}


@pytest.mark.parametrize(("keys", "named"), REFUSED.values(), ids=REFUSED)
def test_what_planning_does_not_know_is_refused_by_its_name(keys, named):
    with pytest.raises(ValueError, match=named):
        architecture_from_config(LLAMA | keys)


# Files as they are published, and the parameters that the hub shows of them.
PUBLISHED = {
    "llava-hf/llava-1.5-7b-hf, whose text model leaves out what its class says": (
        {
            "model_type": "llava",
            "text_config": {"model_type": "llama", "vocab_size": 32064, "max_position_embeddings": 4096},
            "vision_config": {
                "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
                "num_attention_heads": 16, "patch_size": 14, "image_size": 336,
            },
        },
        7063427072,
    ),
    "EleutherAI/gpt-j-6b, whose MLP has no gate": (
        {"model_type": "gptj", "n_embd": 4096, "n_head": 16, "n_layer": 28, "n_positions": 2048, "vocab_size": 50400},
        6050882784,
    ),
    "zai-org/glm-4-9b-chat": (
        {
            "model_type": "chatglm", "hidden_size": 4096, "num_layers": 40, "num_attention_heads": 32, "multi_query_attention": True,
            "multi_query_group_num": 2, "ffn_hidden_size": 13696, "kv_channels": 128, "padded_vocab_size": 151552, "seq_length": 131072,
            "add_qkv_bias": True,
        },
        9399951360,
    ),
    "CohereLabs/c4ai-command-r7b-12-2024": (
        {
            "model_type": "cohere2", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "head_dim": 128, "intermediate_size": 14336, "vocab_size": 256000, "max_position_embeddings": 132096, "sliding_window": 4096,
            "layer_switch": 4, "order_of_interleaved_layers": "local_attn_first",
        },
        8028033024,
    ),
    "microsoft/Phi-3.5-MoE-instruct": (
        {
            "model_type": "phimoe", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "intermediate_size": 6400, "vocab_size": 32064, "max_position_embeddings": 131072, "num_local_experts": 16,
            "num_experts_per_tok": 2, "sliding_window": 131072, "attention_bias": True, "lm_head_bias": True,
        },
        41873153344,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("config", "parameters"), PUBLISHED.values(), ids=PUBLISHED)
def test_a_published_file_has_the_parameters_that_the_hub_shows(config, parameters):
    assert count_parameters(architecture_from_config(config)).total == pytest.approx(parameters, rel=0.01)


PLAIN = {
    "a shared expert of no width": QWEN_MOE | {"shared_expert_intermediate_size": 0},
    "no window, said at length": LLAMA | {"sliding_window": None, "max_window_layers": 32, "use_sliding_window": False},
    "keys of training": LLAMA | {"attention_dropout": 0.1, "router_aux_loss_coef": 0.001, "num_nextn_predict_layers": 1},
    "a text model under llm_config": {"model_type": "internvl_chat", "llm_config": LLAMA, "downsample_ratio": 0.5},
    "a text model under language_config": {"model_type": "deepseek_vl_v2", "language_config": LLAMA},
    "a thinker": {"model_type": "qwen3_omni_moe", "thinker_config": {"text_config": QWEN_MOE}},
}


@pytest.mark.parametrize("config", PLAIN.values(), ids=PLAIN)
def test_a_plain_model_is_not_refused_for_what_says_nothing(config):
    assert architecture_from_config(config).hidden_size in (2048, 4096)


def test_what_transformers_fills_in_is_filled_in():
    text = {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "intermediate_size": 10240, "sliding_window": 1024}
    found = architecture_from_config({"model_type": "gemma3", "text_config": text, "rope_scaling": {"rope_type": "linear", "factor": 8.0}})
    assert (found.vocab_size, found.context_length, found.tie_word_embeddings) == (262208, 131072, True)
    assert found.layers() == {"sliding": 29, "full": 5}


def test_a_hybrid_is_read_from_a_pattern_and_from_a_list_alike():
    mamba = {"model_type": "nemotron_h", "hidden_size": 2688, "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128,
             "mamba_num_heads": 64, "mamba_head_dim": 64, "ssm_state_size": 128, "n_groups": 8, "intermediate_size": 1856,
             "vocab_size": 131072, "max_position_embeddings": 262144}  # fmt: skip
    pattern = architecture_from_config(mamba | {"hybrid_override_pattern": "M-M*-"})
    blocks = architecture_from_config(mamba | {"layers_block_type": ["mamba", "mlp", "mamba", "attention", "mlp"]})
    assert pattern == blocks
    assert pattern.layers() == {"mamba": 2, "full": 1}


def test_an_indexer_has_weights_and_a_cache_of_its_own():
    plain = architecture_from_config(DEEPSEEK)
    sparse = architecture_from_config(DEEPSEEK | {"index_topk": 2048, "index_head_dim": 128, "index_n_heads": 64})
    assert KvCache(sparse).bytes_per_token - KvCache(plain).bytes_per_token == 61 * 132
    assert count_parameters(sparse).total > count_parameters(plain).total


def test_mxfp4_leaves_attention_alone_and_a_linear_hybrid_has_its_mixers():
    assert bytes_per_weight(architecture_from_config(GPT_OSS))["attention"] == 2
    assert count_parameters(architecture_from_config(QWEN_NEXT)).mixer > 0


def test_a_reason_is_given_and_not_a_traceback():
    with pytest.raises(CannotTranslate, match="planning does not know its compress_ratios"):
        architecture_from_config(LLAMA | {"compress_ratios": [1]})


def test_a_stretched_context_is_what_vllm_is_told_and_what_is_planned():
    scaling = RopeScaling.model_validate({"factor": 4, "originalMaxPositionEmbeddings": 32768})
    plain = architecture_from_config({key: value for key, value in LLAMA.items() if key != "rope_scaling"})
    told = hf_overrides(plain, scaling)
    assert told["rope_parameters"] == {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    assert told["max_position_embeddings"] == stretched(plain, scaling).context_length == 131072
    assert hf_overrides(plain, None) == {}


def test_a_multimodal_model_is_told_below_its_text_config():
    vision = {"hidden_size": 1152, "num_hidden_layers": 27, "intermediate_size": 4304, "patch_size": 14, "image_size": 896}
    both = architecture_from_config({"model_type": "mistral3", "text_config": LLAMA, "vision_config": vision})
    assert hf_overrides(both, RopeScaling(factor=2))["text_config"]["max_position_embeddings"] == 262144
