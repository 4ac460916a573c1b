"""Bytes of a model's weights, in total and per GPU: parameters times bytes per parameter, quantization included."""

from __future__ import annotations

import math
from functools import lru_cache

from config.architecture import Architecture
from config.models import Parallelism
from config.quantization import BitsPerWeight, ModuleClass, QuantizationConfig
from planning.modules import ignored_share, targeted_share
from planning.parameters import ParameterCount, count_parameters
from planning.projections import expert_width

DTYPE_BYTES = {"float32": 4}
# Module classes that a checkpoint without an ignore list quantizes.
_LINEAR: tuple[ModuleClass, ...] = ("attention", "mixer", "mlp", "shared_experts", "experts")
_MODULES: tuple[ModuleClass, ...] = (*_LINEAR, "embedding", "lm_head", "encoder")
# MXFP4 kernels pad experts: the hidden size to a multiple of 256, the slice of the intermediate size to one of 128 (vLLM 0.33.0,
# model_executor/layers/fused_moe/oracle/mxfp4.py; a log of gpt-oss-120b shows 65.97 GiB, and 17.2 on each of four GPUs).
_MXFP4_HIDDEN, _MXFP4_INTERMEDIATE = 256, 128


def weight_bytes(architecture: Architecture, parameters: int | None = None, dtype: str = "auto") -> int:
    """Bytes of the whole model. Parameters beyond those counted are taken as not quantized."""
    count, plain = count_parameters(architecture), plain_bytes(architecture, dtype)
    unexplained = (parameters - count.total) if parameters else 0
    each = bytes_per_weight(architecture, plain)
    counted = sum(getattr(count, module) * each[module] for module in _MODULES)
    return round(counted + count.replicated * each["attention"] + (count.other + unexplained) * plain)


def plain_bytes(architecture: Architecture, dtype: str = "auto") -> int:
    """Bytes of a parameter that is not quantized. With `auto`, vLLM runs a float32 checkpoint in 16 bits."""
    return DTYPE_BYTES.get(dtype, 2)


@lru_cache(maxsize=4096)
def _bits(architecture: Architecture) -> BitsPerWeight:
    config = architecture.quantization_config
    if config is None:
        return BitsPerWeight()
    return config.bits_per_weight or bits_per_weight(architecture, config)


def bits_per_weight(architecture: Architecture, config: QuantizationConfig) -> BitsPerWeight:
    """Mean bits per weight by class of modules, from the formats and the lists of modules that are not quantized."""
    groups = [(group.targets, _format_bits(config, group.bits, group.group_size)) for group in config.groups]
    if not groups:
        groups = [(_default_targets(config), _format_bits(config, config.bits, config.group_size))]
    found: dict[str, float] = {}
    for module in _MODULES:
        kept = ignored_share(architecture, module, config.ignore)
        shares = [(targeted_share(architecture, module, targets), bits) for targets, bits in groups]
        shares = [(share * (1 - kept), bits) for share, bits in shares if bits is not None and share * (1 - kept) > 0]
        if shares:
            quantized = min(1.0, sum(share for share, _ in shares))
            found[module] = round(sum(share * bits for share, bits in shares) + (1 - quantized) * 16, 4)
    return BitsPerWeight.model_validate(found)


def _default_targets(config: QuantizationConfig) -> tuple[str, ...]:
    return ("experts",) if config.is_mxfp4 else ("Linear",)


def _format_bits(config: QuantizationConfig, bits: int | None, group: int | None) -> float | None:
    """Bits per weight, scales included: an fp32 scale per block for 8 bits, an 8-bit scale per group for FP4, an fp16 scale per group for
    integers (with a zero point in AWQ and GPTQ). None if `bits` is not known."""
    if bits is None:
        return None
    if bits == 8 and (config.weight_block_size or not group or group < 0):
        rows, columns = config.weight_block_size or (1, 4096)
        return 8 + 32 / (rows * columns)
    if bits == 4 and (config.is_mxfp4 or (config.quant_method in ("modelopt", "nvfp4") and group in (None, 16, 32))):
        return 4 + 8 / (group or (32 if config.is_mxfp4 else 16))
    if not group or group < 0:
        return float(bits) if group == -1 else bits + 16 / 128
    zero_point = bits if config.quant_method in ("awq", "gptq", "awq_marlin", "gptq_marlin") else 0
    return bits + (16 + zero_point) / group


def bytes_per_weight(architecture: Architecture, plain: int = 2) -> dict[ModuleClass, float]:
    """Bytes of a parameter by class of module."""
    bits = _bits(architecture)
    return {module: plain if (found := getattr(bits, module)) is None else found / 8 for module in _MODULES}


def encoder_bytes(architecture: Architecture, dtype: str = "auto") -> float:
    """Bytes of the vision and audio encoders."""
    return count_parameters(architecture).encoder * bytes_per_weight(architecture, plain_bytes(architecture, dtype))["encoder"]


def weights_per_gpu(architecture: Architecture, total: int, parallelism: Parallelism, dtype: str = "auto") -> float:
    """Bytes on the GPU with the most. Tensor parallelism slices all but norms, routers and MLA's down-projections; experts are divided
    over data parallel ranks too, sliced or whole (vLLM 0.33.0, FusedMoEParallelConfig).

    With pipeline stages, that GPU has one layer more than the others and one of the two embeddings.
    """
    tensor, pipeline = parallelism.tensor, parallelism.pipeline
    count, plain = count_parameters(architecture), plain_bytes(architecture, dtype)
    each = bytes_per_weight(architecture, plain)
    whole = count.replicated * each["attention"] + count.other * plain
    embedding = count.embedding * each["embedding"] + count.lm_head * each["lm_head"]
    layers = architecture.num_hidden_layers
    stage = -(-layers // pipeline) / layers
    embedding_share = 1.0 if pipeline == 1 else 0.5 if count.lm_head else 1.0
    experts = _expert_parameters(architecture, count, parallelism) * each["experts"]
    sliced = (total - whole - embedding - count.experts * each["experts"]) / tensor
    return (sliced + whole + experts) * stage + embedding * embedding_share / tensor


def _expert_parameters(architecture: Architecture, count: ParameterCount, parallelism: Parallelism) -> float:
    """Parameters of all layers' experts on the GPU with the most, padding of the MXFP4 kernels included."""
    gpus, experts = parallelism.tensor * parallelism.data, architecture.num_experts or 1
    kept, cuts = (math.ceil(experts / gpus) / experts, 1) if parallelism.expert else (1.0, gpus)
    config = architecture.quantization_config
    if config is None or not config.is_mxfp4 or not count.experts:
        return count.experts * kept / cuts
    hidden, width = architecture.hidden_size, expert_width(architecture)
    padded = _multiple(hidden, _MXFP4_HIDDEN) * _multiple(math.ceil(width / cuts), _MXFP4_INTERMEDIATE)
    return count.experts * kept * padded / (hidden * width)


def _multiple(value: int, step: int) -> int:
    return math.ceil(value / step) * step
