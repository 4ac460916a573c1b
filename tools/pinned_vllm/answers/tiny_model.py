"""A Qwen3 so small that any machine serves it, with a tokenizer of ASCII characters and a LoRA adapter; nothing is downloaded.

The weights are vLLM's own random ones (`--load-format=dummy`), so configuration and tokenizer are all there is to write.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIMENSION, RANK = 128, 2, 2, 1, 64, 8
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_CHARACTERS = 128
VOCABULARY = _CHARACTERS + len(SPECIAL)
_CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": HIDDEN,
    "intermediate_size": 2 * HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD_DIMENSION,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10_000.0,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "vocab_size": VOCABULARY,
    "eos_token_id": _CHARACTERS + 2,
    "torch_dtype": "bfloat16",
}
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_model(folder: Path) -> None:
    """`config.json` and the tokenizer of a model."""
    folder.mkdir()
    _write(folder / "config.json", _CONFIG)
    _write(folder / "tokenizer.json", _tokenizer())
    _write(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": _TEMPLATE},
    )


def write_adapter(folder: Path) -> None:
    """An adapter that changes nothing."""
    folder.mkdir()
    _write(
        folder / "adapter_config.json",
        {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "target_modules": ["q_proj"], "bias": "none", "task_type": "CAUSAL_LM"},
    )
    shapes = {}
    for layer in range(LAYERS):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        shapes[f"{name}.lora_A.weight"] = [RANK, HIDDEN]
        shapes[f"{name}.lora_B.weight"] = [HEADS * HEAD_DIMENSION, RANK]
    header, offset = {}, 0
    for name, (rows, columns) in shapes.items():
        end = offset + 4 * rows * columns
        header[name] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(offset))


def _tokenizer() -> dict[str, object]:
    """Every ASCII character is a token, by GPT-2's way of writing bytes that cannot be printed."""
    unprintable = iter(range(256, 512))
    characters = [chr(byte) if 33 <= byte <= 126 else chr(next(unprintable)) for byte in range(_CHARACTERS)]
    added = [
        {"id": _CHARACTERS + index, "content": token, "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for index, token in enumerate(SPECIAL)
    ]
    split = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": split,
        "post_processor": None,
        "decoder": split,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {character: index for index, character in enumerate(characters)},
            "merges": [],
        },
    }


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1))
