"""How a checkpoint is quantized, read from `quantization_config` in config.json or from hf_quant_config.json.

Translates the spellings of all quantizers into bits per group of modules. `planning/weight_size.py` turns bits into bytes,
`planning/data_types.py` checks that vLLM supports them on the GPU.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.section import Positive

Bits = Annotated[int, Field(gt=0, le=32)]
# Modules that a checkpoint quantizes, or leaves alone, together.
ModuleClass = Literal["attention", "mixer", "mlp", "shared_experts", "experts", "embedding", "lm_head", "encoder"]

# By modelopt's quant_algo: bits of a weight, and bits of the activations that it is multiplied with (vLLM 0.33.0,
# model_executor/layers/quantization/modelopt.py).
_ALGORITHMS: dict[str, tuple[int, int]] = {
    "FP8": (8, 8),
    "FP8_PER_CHANNEL_PER_TOKEN": (8, 8),
    "FP8_PB_WO": (8, 8),
    "MXFP8": (8, 8),
    "NVFP4": (4, 4),
    "NVFP4_AWQ": (4, 4),
    "W4A8_NVFP4_FP8": (4, 8),
    "W4A16_NVFP4": (4, 16),
    "W4A8_AWQ": (4, 8),
    "W4A16_AWQ": (4, 16),
    "W4A16": (4, 16),
    "W8A16": (8, 16),
    "W8A8_SQ_PER_CHANNEL": (8, 8),
    "MXFP4": (4, 16),
    "INT4_AWQ": (4, 16),
    "INT8_SQ": (8, 8),
}
_GROUPS = {"NVFP4": 16, "NVFP4_AWQ": 16, "W4A16_NVFP4": 16, "W4A8_NVFP4_FP8": 16, "MXFP4": 32, "MXFP8": 32}
# By quant_method, for methods with a single format: bits of a weight, bits of activations.
_BITS = {
    "fp8": (8, 8),
    "fbgemm_fp8": (8, 8),
    "ptpc_fp8": (8, 8),
    "deepseek_v4_fp8": (8, 8),
    "mxfp8": (8, 8),
    "mxfp4": (4, 16),
    "gpt_oss_mxfp4": (4, 16),
    "awq": (4, 16),
    "awq_marlin": (4, 16),
    "gptq": (4, 16),
    "gptq_marlin": (4, 16),
    "modelopt_fp4": (4, 4),
    "modelopt_mxfp8": (8, 8),
    "nvfp4": (4, 4),
}
_MODELOPT = frozenset({"modelopt", "modelopt_fp4", "modelopt_mixed", "modelopt_mxfp8"})
_IGNORED = ("ignore", "ignored_layers", "exclude_modules", "exclude", "modules_to_not_convert")


class QuantizedGroup(BaseModel):
    """Modules that are quantized in the same way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[str, ...] = Field(default=(), description="Names, patterns (re:...) or classes (Linear) of the modules.")
    bits: Bits | None = Field(default=None, description="Bits of a weight.")
    group_size: int | None = Field(default=None, ge=-1, description="Weights that share a scale; -1: those of a row.")


class BitsPerWeight(BaseModel):
    """Mean bits per weight, scales included, by class of modules; a class without a value is not quantized."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attention: float | None = Field(default=None, gt=0, le=32, description="Projections of softmax attention.")
    mixer: float | None = Field(default=None, gt=0, le=32, description="Projections of linear attention, Mamba and convolutions.")
    mlp: float | None = Field(default=None, gt=0, le=32, description="Dense MLPs.")
    shared_experts: float | None = Field(default=None, gt=0, le=32, description="Shared experts.")
    experts: float | None = Field(default=None, gt=0, le=32, description="Routed experts.")
    embedding: float | None = Field(default=None, gt=0, le=32, description="Input embedding.")
    lm_head: float | None = Field(default=None, gt=0, le=32, description="Output embedding.")
    encoder: float | None = Field(default=None, gt=0, le=32, description="Encoders of images and audio.")


class QuantizationConfig(BaseModel):
    """`quantization_config` of a quantized checkpoint, from config.json or from the summary of `make describe-model`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    quant_method: str = Field(description="fp8, awq, gptq, mxfp4, modelopt, compressed-tensors, ...")
    bits: Bits | None = Field(default=None, description="Bits of a weight. Unknown bits count as unquantized. Default: the method's.")
    group_size: int | None = Field(default=None, ge=-1, description="Weights that share a scale; -1: those of a row.")
    weight_block_size: tuple[Positive, Positive] | None = Field(default=None, description="Block of weights that shares a scale.")
    activation_bits: Positive | None = Field(
        default=None, description="Bits of the activations that weights are multiplied with. Default: the method's."
    )
    groups: tuple[QuantizedGroup, ...] = Field(default=(), description="Modules quantized in different ways.")
    ignore: tuple[str, ...] = Field(default=(), description="Modules that are not quantized: names, wildcards, or re: and a pattern.")
    bits_per_weight: BitsPerWeight | None = Field(default=None, description="Resulting bits by class of modules; replaces `bits`.")

    @model_validator(mode="before")
    @classmethod
    def _translated(cls, value: Any) -> Any:
        return _translated(value) if isinstance(value, dict) else value

    @property
    def understood(self) -> bool:
        """Whether the bits are known; else weights count as if they were not quantized."""
        return self.bits is not None or bool(self.bits_per_weight) or any(group.bits for group in self.groups)

    @property
    def is_mxfp4(self) -> bool:
        return self.quant_method in ("mxfp4", "gpt_oss_mxfp4")


def _translated(raw: dict[str, Any]) -> dict[str, Any]:
    """Translates any quantizer's keys into those of `QuantizationConfig`."""
    if isinstance(raw.get("quantization"), dict):  # hf_quant_config.json
        raw = {"quant_method": "modelopt", **{key: value for key, value in raw.items() if key != "quantization"}, **raw["quantization"]}
    value = {key: raw[key] for key in QuantizationConfig.model_fields if raw.get(key) is not None}
    algorithm = str(raw.get("quant_algo") or "").upper()
    method = str(raw.get("quant_method") or ("modelopt" if algorithm else "")).lower().replace("_", "-")
    method = "compressed-tensors" if method == "compressed-tensors" else method.replace("-", "_")
    if method:
        value["quant_method"] = "modelopt" if method in _MODELOPT else method
    value.setdefault("ignore", tuple(name for key in _IGNORED for name in _names(raw.get(key))))
    for key, found in _uniform(raw, method, algorithm).items():
        value.setdefault(key, found)
    return value


def _uniform(raw: dict[str, Any], method: str, algorithm: str) -> dict[str, Any]:
    """Bits of all quantized modules, or the groups where they differ."""
    groups = _groups(raw)
    if len({(group["bits"], group["group_size"]) for group in groups}) > 1 or (groups and algorithm == "MIXED_PRECISION"):
        return {"groups": tuple(groups)}
    if groups:
        first, activations = groups[0], _activations(raw)
        blocks = {"weight_block_size": first["block"]} if first.get("block") else {}
        targets = {} if _all_linear(group["targets"] for group in groups) else {"groups": tuple(groups)}
        return {"bits": first["bits"], "group_size": first["group_size"], "activation_bits": activations} | blocks | targets
    if algorithm in _ALGORITHMS:
        bits, activations = _ALGORITHMS[algorithm]
        return {"bits": bits, "activation_bits": activations, "group_size": raw.get("group_size") or _GROUPS.get(algorithm)}
    bits, activations = (raw.get("w_bit"), 16) if raw.get("w_bit") else _BITS.get(method, (None, None))
    group = {"group_size": raw["q_group_size"]} if raw.get("q_group_size") else {}
    return {"bits": bits, "activation_bits": activations, **group}


def _groups(raw: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(raw.get("config_groups"), dict) and raw["config_groups"]:
        return [_group(group) for group in raw["config_groups"].values() if isinstance(group, dict)]
    if not isinstance(raw.get("quantized_layers"), dict):
        return []
    by_format: dict[tuple[int | None, int | None], list[str]] = {}
    for name, layer in raw["quantized_layers"].items():
        algorithm = str(layer.get("quant_algo", "")).upper() if isinstance(layer, dict) else ""
        bits = _ALGORITHMS.get(algorithm, (None, None))[0]
        size = _whole(layer.get("group_size")) if isinstance(layer, dict) else None
        by_format.setdefault((bits, size or _GROUPS.get(algorithm)), []).append(name)
    return [{"targets": tuple(names), "bits": bits, "group_size": size} for (bits, size), names in by_format.items()]


def _group(group: dict[str, Any]) -> dict[str, Any]:
    weights = group.get("weights")
    weights = weights if isinstance(weights, dict) else {}
    found = {
        "targets": _names(group.get("targets")),
        "bits": _whole(weights.get("num_bits")),
        "group_size": _whole(weights.get("group_size")),
    }
    if weights.get("strategy") == "block" and isinstance(weights.get("block_structure"), (list, tuple)):
        found["block"] = tuple(weights["block_structure"])
    return found


def _activations(raw: dict[str, Any]) -> int:
    groups = raw.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        inputs = group.get("input_activations") if isinstance(group, dict) else None
        if isinstance(inputs, dict):
            return _whole(inputs.get("num_bits")) or 16
    return 16


def _all_linear(targets: Any) -> bool:
    return all(not names or "Linear" in names for names in targets)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in value) if isinstance(value, (list, tuple)) else ()
