"""The encoders of images and audio in a config.json: their sizes, and the most tokens that one image or recording becomes."""

from __future__ import annotations

from typing import Any

from config.encoder import Encoder

_SPELLINGS = {
    "num_hidden_layers": ("num_hidden_layers", "depth", "vt_num_hidden_layers", "encoder_layers", "num_layers"),
    "intermediate_size": ("intermediate_size", "vt_intermediate_size", "encoder_ffn_dim"),
    "hidden_size": ("embed_dim", "vt_hidden_size", "d_model", "hidden_size"),
}
# Model types (beginnings) whose encoder's MLP has a gate: three matrices.
_GATED = ("qwen2_5_vl", "qwen2_5_omni", "pixtral", "mistral3", "gemma4")
# Tokens of the largest image, where the processor's defaults and not config.json say it: their max_pixels by the area of a token
# (Qwen), 16 tiles and an overview of 144 (Llama 4), 1540 pixels in steps of 28 (Pixtral), five tiles and line ends (LLaVA-NeXT).
_MAX_TOKENS = {"qwen": 16384, "llama4": 2448, "mistral3": 3025, "pixtral": 3025, "llava_next": 2928, "llava": 576}


def encoders(config: dict[str, Any], hidden_size: int) -> dict[str, Encoder]:
    """`vision_config` and `audio_config`, as far as their sizes are said. `hidden_size` is the language model's."""
    nested = config.get("thinker_config")
    whole = {**config, **nested} if isinstance(nested, dict) else config
    found = {key: _encoder(whole, whole[key], hidden_size) for key in ("vision_config", "audio_config") if isinstance(whole.get(key), dict)}
    return {key: encoder for key, encoder in found.items() if encoder}


def _encoder(whole: dict[str, Any], config: dict[str, Any], hidden_size: int) -> Encoder | None:
    sizes = {name: next((config[key] for key in keys if config.get(key)), None) for name, keys in _SPELLINGS.items()}
    if sizes["intermediate_size"] is None and sizes["hidden_size"] and config.get("mlp_ratio"):
        sizes["intermediate_size"] = int(sizes["hidden_size"] * config["mlp_ratio"])
    layers, width, inner = (sizes[name] for name in ("num_hidden_layers", "hidden_size", "intermediate_size"))
    if not (layers and width and inner):
        return None
    model_type = str(whole.get("model_type") or "")
    matrices = 3 if model_type.startswith(_GATED) or str(config.get("model_type")).startswith(_GATED) else 2
    merge = _merge(config, whole)
    patch = config.get("patch_size") if isinstance(config.get("patch_size"), int) else None
    return Encoder(
        model_type=str(config.get("model_type") or model_type),
        num_hidden_layers=layers,
        hidden_size=width,
        intermediate_size=inner,
        patch_size=patch,
        patches_per_token=merge * merge,
        max_tokens=_max_tokens(model_type, config, whole),
        parameters=layers * (4 * width * width + matrices * width * inner)
        + 3 * (config.get("temporal_patch_size") or 1) * (patch or 0) ** 2 * width
        + _positions(config, patch) * width
        + _projector(model_type, config, width * merge * merge, hidden_size),
    )


def _merge(config: dict[str, Any], whole: dict[str, Any]) -> int:
    """Patches along a side that become one token."""
    size = config.get("spatial_merge_size") or whole.get("spatial_merge_size") or (config.get("merge_kernel_size") or [None])[0]
    if size:
        return int(size)
    ratio = config.get("pixel_shuffle_ratio") or whole.get("downsample_ratio")
    return round(1 / ratio) if ratio else int(config.get("pooling_kernel_size") or 1)


def _positions(config: dict[str, Any], patch: int | None) -> int:
    image = config.get("image_size")
    image = image[0] if isinstance(image, list) else image
    return (
        config.get("num_position_embeddings") or config.get("position_embedding_size") or ((image // patch) ** 2 if image and patch else 0)
    )


def _projector(model_type: str, config: dict[str, Any], width: int, hidden_size: int) -> int:
    """What joins the encoder to the language model: two matrices, or as many pairs as it has taps; Gemma's is one."""
    out = config.get("out_hidden_size") or hidden_size
    if model_type.startswith("gemma"):
        return config.get("hidden_size", 0) * out
    if model_type.startswith(("qwen", "kimi")):
        return (1 + len(config.get("deepstack_visual_indexes") or ())) * (width * width + width * out)
    return width * out + out * out


def _max_tokens(model_type: str, config: dict[str, Any], whole: dict[str, Any]) -> int | None:
    said = whole.get("mm_tokens_per_image") or whole.get("vision_soft_tokens_per_image") or config.get("default_output_length")
    if said:
        return int(said)
    if whole.get("max_dynamic_patch"):  # InternVL: tiles of 256 tokens, and an overview
        return (int(whole["max_dynamic_patch"]) + 1) * 256
    return next((tokens for name, tokens in _MAX_TOKENS.items() if model_type.startswith(name)), None)
