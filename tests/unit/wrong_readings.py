"""Wrong stacks with an impossible context length, or an architecture that contradicts the catalogue."""

from tests.unit.wrong_architectures import TINY
from tests.unit.wrong_models import MODEL

QWEN = {"model_type": "qwen3", "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "intermediate_size": 12288, "vocab_size": 151936, "max_position_embeddings": 40960}  # fmt: skip
TINY_MODEL = {f"{MODEL}.source": "acme/tiny"}

# name: (changes, path, words of the reason, words of the fix); the model is Qwen/Qwen3-8B unless changed.
WRONG = {
    "another width than the catalogue's": (
        {f"{MODEL}.architecture": QWEN | {"hidden_size": 2048}},
        f"{MODEL}.architecture",
        "hidden_size 2048 (catalogue: 4096)",
        "remove `architecture`",
    ),
    "fewer layers than the catalogue's": (
        {f"{MODEL}.architecture": QWEN | {"num_hidden_layers": 18}},
        f"{MODEL}.architecture",
        "num_hidden_layers 18 (catalogue: 36)",
        "config.json",
    ),
    "quantized where the catalogue's is not": (
        {f"{MODEL}.architecture": QWEN | {"quantization_config": {"quant_method": "awq", "bits": 4}}},
        f"{MODEL}.architecture",
        "quantization awq (catalogue: none)",
        "config.json",
    ),
    "another context than the catalogue's": (
        {f"{MODEL}.architecture": QWEN | {"max_position_embeddings": 131072}},
        f"{MODEL}.architecture",
        "context 131072 (catalogue: 40960)",
        "config.json",
    ),
    "a context that YaRN could give": (
        {f"{MODEL}.engine.maxModelLen": 80000},
        f"{MODEL}.engine.maxModelLen",
        "made for 40960 positions",
        "engine.ropeScaling {ropeType: yarn, factor: 2.0}",
    ),
    "a context beyond the stretched one": (
        {f"{MODEL}.engine.maxModelLen": 90000, f"{MODEL}.engine.ropeScaling": {"factor": 2}},
        f"{MODEL}.engine.maxModelLen",
        "made for 81920 positions",
        "at most 81920",
    ),
    "a factor that stretches nothing": (
        {f"{MODEL}.engine.ropeScaling": {"factor": 1}},
        f"{MODEL}.engine.ropeScaling.factor",
        "1",
        "greater than 1",
    ),
    "an original context beyond the model's": (
        {f"{MODEL}.engine.ropeScaling": {"factor": 2, "originalMaxPositionEmbeddings": 100000}},
        f"{MODEL}.engine.ropeScaling.originalMaxPositionEmbeddings",
        "made for 40960 positions",
        "leave it out",
    ),
    "scaling of positions that do not rotate": (
        {**TINY_MODEL, f"{MODEL}.architecture": TINY | {"model_type": "gpt2"}, f"{MODEL}.engine.ropeScaling": {"factor": 2}},
        f"{MODEL}.engine.ropeScaling",
        "no rotary positions",
        "remove it",
    ),
    "scaling that vLLM skips": (
        {**TINY_MODEL, f"{MODEL}.architecture": TINY | {"model_type": "gemma3_text"}, f"{MODEL}.engine.ropeScaling": {"factor": 2}},
        f"{MODEL}.engine.ropeScaling",
        "without the factor",
        "remove it",
    ),
}
