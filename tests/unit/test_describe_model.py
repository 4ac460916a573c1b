"""What `make describe-model` makes of a config.json is what the catalogue holds."""

import json
from dataclasses import replace

import pytest
from httpx2 import ConnectError

from config import catalog
from planning.kv_cache import KvCache
from planning.parameters import count_parameters
from tools.catalogue import describe_model
from tools.catalogue.hugging_face.config import architecture_from_config

LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rope_scaling": {"factor": 8.0, "rope_type": "llama3", "original_max_position_embeddings": 8192}, "tie_word_embeddings": False,
}  # fmt: skip
QWEN_MOE = {
    "model_type": "qwen3_moe", "torch_dtype": "bfloat16", "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
    "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144, "vocab_size": 151936, "max_position_embeddings": 40960,
    "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "sliding_window": None, "use_sliding_window": False,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek_v3", "torch_dtype": "bfloat16", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
    "num_key_value_heads": 128, "intermediate_size": 18432, "vocab_size": 129280, "max_position_embeddings": 163840,
    "n_routed_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 2048, "n_shared_experts": 1, "first_k_dense_replace": 3,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"},
}  # fmt: skip
GPT_OSS = {
    "model_type": "gpt_oss", "hidden_size": 2880, "num_hidden_layers": 24, "num_attention_heads": 64, "num_key_value_heads": 8,
    "head_dim": 64, "intermediate_size": 2880, "vocab_size": 201088, "max_position_embeddings": 131072, "num_local_experts": 32,
    "num_experts_per_tok": 4, "sliding_window": 128, "attention_bias": True, "layer_types": ["sliding_attention", "full_attention"] * 12,
    "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096},
    "quantization_config": {"quant_method": "mxfp4"},
}  # fmt: skip
GEMMA = {
    "model_type": "gemma3", "torch_dtype": "bfloat16", "vision_config": {"hidden_size": 1152},
    "text_config": {
        "model_type": "gemma3_text", "hidden_size": 5376, "num_hidden_layers": 62, "num_attention_heads": 32, "num_key_value_heads": 16,
        "head_dim": 128, "intermediate_size": 21504, "vocab_size": 262208, "max_position_embeddings": 131072, "sliding_window": 1024,
        "tie_word_embeddings": True, "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 10 + ["sliding_attention"] * 2,
    },
}  # fmt: skip
QWEN_NEXT = {
    "model_type": "qwen3_next", "torch_dtype": "bfloat16", "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 16,
    "num_key_value_heads": 2, "head_dim": 256, "intermediate_size": 5120, "vocab_size": 151936, "max_position_embeddings": 262144,
    "attn_output_gate": True, "num_experts": 512, "num_experts_per_tok": 10, "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512, "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 12,
    "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
}  # fmt: skip
DIALOGPT = {"model_type": "gpt2", "n_embd": 1024, "n_layer": 24, "n_head": 16, "n_positions": 1024, "vocab_size": 50257, "n_inner": None}
SCOUT = {
    "model_type": "llama4", "text_config": {
        "model_type": "llama4_text", "torch_dtype": "bfloat16", "hidden_size": 5120, "num_hidden_layers": 48, "num_attention_heads": 40,
        "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 8192, "intermediate_size_mlp": 16384, "vocab_size": 202048,
        "max_position_embeddings": 10485760, "num_local_experts": 16, "num_experts_per_tok": 1, "interleave_moe_layer_step": 1,
        "attention_chunk_size": 8192, "no_rope_layers": [1, 1, 1, 0] * 12,
    },
}  # fmt: skip

KNOWN = {
    "meta-llama/Llama-3.1-8B": LLAMA,
    "Qwen/Qwen3-30B-A3B": QWEN_MOE,
    "deepseek-ai/DeepSeek-V3": DEEPSEEK,
    "openai/gpt-oss-20b": GPT_OSS,
    "google/gemma-3-27b-it": GEMMA,
    "Qwen/Qwen3-Next-80B-A3B-Instruct": QWEN_NEXT,
    "microsoft/DialoGPT-medium": DIALOGPT,
    "meta-llama/Llama-4-Scout-17B-16E": SCOUT,
}


@pytest.mark.parametrize(("source", "config"), KNOWN.items(), ids=KNOWN)
def test_a_config_gives_the_architecture_of_the_catalogue(source, config):
    described, row = architecture_from_config(config), catalog.model(source)
    assert row is not None
    assert described.layers() == row.architecture.layers()
    assert described.context_length == row.architecture.context_length
    assert replace(count_parameters(described), encoder=0) == replace(count_parameters(row.architecture), encoder=0)
    assert KvCache(described).bytes_per_token == KvCache(row.architecture).bytes_per_token
    assert described.quantization_config == row.architecture.quantization_config


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
# name: (keys that are changed, the context that vLLM 0.33.0's _get_and_verify_max_len derives)
CONTEXTS = {
    "yarn's factor is part of max_position_embeddings": ({"max_position_embeddings": 32768, "rope_scaling": YARN}, 32768),
    "and stays so": ({"max_position_embeddings": 131072, "rope_scaling": YARN}, 131072),
    "llama3 likewise": ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 131072),
    "linear is multiplied": ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
    "dynamic too": ({"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, 8192),
    "a default has no factor": ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, 131072),
    "each kind of layers has its own": (
        {"max_position_embeddings": 1000, "rope_parameters": {"a": {"rope_type": "default"}, "b": {"rope_type": "linear", "factor": 3}}},
        3000,
    ),
    "but Gemma 3's is scaled already": (
        {"model_type": "gemma3_text", "sliding_window": 512, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
        131072,
    ),
    "model_max_length wins": ({"max_position_embeddings": 8192, "model_max_length": 131072}, 131072),
    "the smallest of several keys": ({"max_position_embeddings": 8192, "seq_length": 4096}, 4096),
    "RoBERTa's positions begin after two": ({"model_type": "xlm-roberta", "max_position_embeddings": 8194}, 8192),
}


@pytest.mark.parametrize(("changes", "tokens"), CONTEXTS.values(), ids=CONTEXTS)
def test_the_context_is_what_vllm_derives(changes, tokens):
    rest = {key: value for key, value in LLAMA.items() if key != "rope_scaling"}
    assert architecture_from_config(rest | changes).context_length == tokens


def test_a_longrope_model_takes_its_original_context_unless_asked_for_more():
    scaling = {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}
    found = architecture_from_config(LLAMA | {"model_type": "phi3", "rope_scaling": scaling, "original_max_position_embeddings": 4096})
    assert (found.default_context_length, found.context_length) == (4096, 131072)


def test_an_irregular_order_of_layers_is_kept_as_it_is():
    types = ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]
    found = architecture_from_config(LLAMA | {"num_hidden_layers": 4, "layer_types": types, "sliding_window": 512})
    assert found.layers() == {"full": 2, "sliding": 2}


def test_a_file_prints_a_row_that_the_catalogue_would_take(tmp_path, capsys, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    monkeypatch.setattr("sys.argv", ["describe-model", str(tmp_path)])
    assert describe_model.main() == 0
    printed = capsys.readouterr().out
    assert "15.0 GiB of weights, 131,072 positions" in printed
    assert "assumed: true" in printed, "the parameters were counted, not read"


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "is not JSON"), ("{}", "lacks model_type, hidden_size"), (json.dumps({"model_type": "bert"}), "lacks hidden_size")],
)
def test_what_is_no_config_is_refused_in_one_line(tmp_path, capsys, monkeypatch, content, reason):
    file = tmp_path / "config.json"
    file.write_text(content)
    monkeypatch.setattr("sys.argv", ["describe-model", str(file)])
    assert describe_model.main() == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "value"), [("num_hidden_layers", "many"), ("hidden_size", {"a": 1}), ("hidden_size", [1]), ("num_attention_heads", "8 of 9")]
)
def test_a_value_of_another_form_is_named_with_its_key(tmp_path, capsys, monkeypatch, key, value):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA | {key: value, "layer_types": ["full_attention"] * 32}))
    monkeypatch.setattr("sys.argv", ["describe-model", str(tmp_path)])
    assert describe_model.main() == 2
    assert key in capsys.readouterr().err


@pytest.mark.parametrize(("model", "reason"), [("a/b/c", "neither a Hugging Face id"), ("Qwen/Qwen3-8B", "did not answer")])
def test_a_hub_that_does_not_answer_is_said_in_one_line(capsys, monkeypatch, model, reason):
    def no_network(*_: object, **__: object) -> None:
        raise ConnectError("no route to host")

    monkeypatch.setattr("httpx2.HTTPTransport.handle_request", no_network)
    monkeypatch.setattr("sys.argv", ["describe-model", model])
    assert describe_model.main() == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_missing_file_and_a_missing_argument_are_refused_in_one_line(capsys, monkeypatch):
    for arguments, reason in ((["nowhere/config.json"], "cannot be read"), ([], "say which model")):
        monkeypatch.setattr("sys.argv", ["describe-model", *arguments])
        assert describe_model.main() == 2
        assert reason in capsys.readouterr().err
