"""Translates a Hugging Face `config.json` into the architecture that planning reads. Pure.

Takes the text model out of a multimodal one, says in a pattern what the file lists layer by layer, fills in what transformers'
classes fill in, and refuses what planning does not know.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from config.architecture import Architecture
from config.quantization import QuantizationConfig
from planning.weight_size import bits_per_weight
from tools.catalogue.hugging_face.encoders import encoders
from tools.catalogue.hugging_face.keys import SPELLINGS, unknown_keys
from tools.catalogue.hugging_face.layers import attention_layers, expert_layers
from tools.catalogue.hugging_face.rope import positions

# Where multimodal files keep their text model, one inside the other.
_TEXT = ("thinker_config", "text_config", "llm_config", "language_config", "language_model_config")
# Keys that ChatGLM and the GLM-4 of its class spell in their own way.
_CHATGLM = {
    "multi_query_group_num": "num_key_value_heads",
    "ffn_hidden_size": "intermediate_size",
    "kv_channels": "head_dim",
    "padded_vocab_size": "vocab_size",
    "add_qkv_bias": "attention_bias",
}
_ENCODER_DECODERS = frozenset({"whisper", "t5", "bart", "mbart", "florence2", "t5gemma"})
_DEFAULTS = Path(__file__).parent / "class_defaults.json"
_QUANTIZATION = ("quantization_config", "compression_config")


class CannotTranslate(ValueError):  # noqa: N818 - reads as what happened
    """Why a config.json has no architecture that planning knows."""


def architecture_from_config(config: dict[str, Any], hf_quant_config: dict[str, Any] | None = None) -> Architecture:
    """The architecture of the model in `config`; `hf_quant_config` is what lies beside it where config.json does not say it.

    Raises:
        CannotTranslate: the model is of a kind that planning does not know.
        pydantic.ValidationError: `config` lacks a key that an architecture needs.
    """
    text = _text_model(config)
    model_type = str(text.get("model_type") or "")
    if config.get("is_encoder_decoder") or model_type in _ENCODER_DECODERS:
        raise CannotTranslate("it is an encoder-decoder, whose cross-attention planning does not know")
    if unknown := sorted(unknown_keys(text)):
        raise CannotTranslate(f"planning does not know its {', '.join(unknown)}")
    spelt = _spelt(text)
    nested = any(isinstance(config.get(key), dict) for key in _TEXT)
    for key, value in (class_defaults(model_type) | (_all_defaults()["nested"].get(model_type, {}) if nested else {})).items():
        spelt.setdefault(key, value)
    text = text | {key: value for key, value in spelt.items() if key not in text}
    architecture = {key: value for key, value in spelt.items() if key in Architecture.model_fields and _says_something(key, value)}
    if text.get("use_sliding_window") is False:
        architecture.pop("sliding_window", None)
    architecture |= positions(text, str(config.get("model_type") or ""))
    architecture |= _linear_attention(text) | _mlp(text, architecture) | _indexers(text)
    architecture |= attention_layers(text, architecture)
    architecture |= expert_layers(text, architecture)
    architecture |= encoders(config, architecture.get("hidden_size") or 1)
    return _quantized(Architecture.model_validate(architecture), config, text, hf_quant_config)


def as_row(architecture: Architecture) -> dict[str, Any]:
    """The keys that differ from their defaults: what a catalogue row or an inline `architecture:` holds."""
    plain = architecture.model_dump(mode="json", exclude_defaults=True, by_alias=False)
    return {"model_type": plain.pop("model_type"), "torch_dtype": architecture.torch_dtype} | {
        key: value for key, value in plain.items() if key != "torch_dtype"
    }


@cache
def _all_defaults() -> dict[str, dict[str, Any]]:
    """`defaults`, and `nested`: those that only a text model within another is published without."""
    return json.loads(_DEFAULTS.read_text())


def class_defaults(model_type: str) -> dict[str, Any]:
    """What transformers' class fills in where config.json is silent, in an architecture's spelling."""
    return _spelt(_all_defaults()["defaults"].get(model_type, {}))


def _text_model(config: dict[str, Any]) -> dict[str, Any]:
    text = dict(config)
    for key in _TEXT:
        nested = text.pop(key, None)
        if isinstance(nested, dict):
            text = {**text, **nested}
    if text.get("model_type") == "chatglm":
        text.pop("multi_query_attention", None)  # multi_query_group_num says it
        text = {_CHATGLM.get(key, key): value for key, value in text.items()}
    if str(text.get("model_type")).startswith("gemma4"):
        text.pop("per_layer_config", None)  # what transformers makes of global_head_dim and num_global_key_value_heads
    return text


def _spelt(text: dict[str, Any]) -> dict[str, Any]:
    """Keys in an architecture's spelling; a key's own spelling wins over others."""
    found = {SPELLINGS[key]: value for key, value in text.items() if key in SPELLINGS and value is not None}
    return found | {key: value for key, value in text.items() if key not in SPELLINGS and not (value is None and key in found)}


def _says_something(key: str, value: Any) -> bool:
    """Not null, and not a zero that stands for nothing, such as `shared_expert_intermediate_size: 0`."""
    if value is None or value == "auto" or key.endswith("_config") or key == "layer_types":
        return False
    return not (value == 0 and Architecture.model_fields[key].default is None)


def _linear_attention(text: dict[str, Any]) -> dict[str, Any]:
    """Kimi's delta attention, in the keys of linear attention."""
    linear = text.get("linear_attn_config")
    if not isinstance(linear, dict):
        linear = {"num_heads": text.get("linear_num_heads"), "head_dim": text.get("linear_head_dim")}
        linear["short_conv_kernel_size"] = text.get("linear_conv_kernel_dim")
    heads, width = linear.get("num_heads"), linear.get("head_dim")
    if not heads:
        return {}
    return {
        "linear_num_key_heads": heads,
        "linear_num_value_heads": heads,
        "linear_key_head_dim": width,
        "linear_value_head_dim": width,
        "linear_conv_kernel_dim": linear.get("short_conv_kernel_size"),
    }


def _mlp(text: dict[str, Any], architecture: dict[str, Any]) -> dict[str, Any]:
    """The width that LFM2's class makes of the file's; a Granite hybrid without experts has its shared one."""
    if text.get("model_type") == "granitemoehybrid" and not architecture.get("num_experts"):
        return {"intermediate_size": architecture.pop("shared_expert_intermediate_size", None)}
    width = architecture.get("intermediate_size")
    if not text.get("block_auto_adjust_ff_dim") or not width:
        return {}
    width = int(2 * width / 3 * (text.get("block_ffn_dim_multiplier") or 1))
    step = text.get("block_multiple_of") or 1
    return {"intermediate_size": step * -(-width // step)}


def _indexers(text: dict[str, Any]) -> dict[str, Any]:
    """Layers with an indexer of their own, where others use its choice."""
    if types := text.get("indexer_types"):
        return {"indexer_layers": sum(kind == "full" for kind in types)}
    return {}


def _quantized(
    architecture: Architecture, config: dict[str, Any], text: dict[str, Any], hf_quant_config: dict[str, Any] | None
) -> Architecture:
    """The architecture with its quantization, summed up by class of module where lists say more than bits."""
    said = next((found for whole in (config, text) for key in _QUANTIZATION if isinstance(found := whole.get(key), dict) and found), None)
    if said is None and hf_quant_config is None:
        return architecture
    merged = said if said is not None else hf_quant_config or {}
    if not merged.get("quant_method") and not merged.get("quant_algo") and not isinstance(merged.get("quantization"), dict):
        return architecture
    quantization = QuantizationConfig.model_validate(merged)
    plain = quantization.model_copy(update={"ignore": (), "groups": ()})
    each = bits_per_weight(architecture, quantization)
    summary = plain if each == bits_per_weight(architecture, plain) else plain.model_copy(update={"bits_per_weight": each})
    return architecture.model_copy(update={"quantization_config": summary})
