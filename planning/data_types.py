"""Types of weights, activations and KV cache that the GPU's compute capability does not support, or that vLLM refuses to combine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.architecture import Architecture
from config.errors import Problem
from config.models import Model
from planning.engine_options import ONLINE_METHODS, EngineOptions, flag_path
from planning.machines import Machine

# Least compute capability of each quantization method: get_min_capability of vLLM 0.33.0's QuantizationConfigs. Its image has kernels
# for 7.5 and newer.
MIN_CAPABILITY = {
    "fp8": 7.5,
    "fbgemm_fp8": 8.0,
    "experts_int8": 8.0,
    "fp_quant": 10.0,
    "mxfp4": 8.0,
    "gpt_oss_mxfp4": 8.0,
    "mxfp8": 8.0,
}
_LEAST_CAPABILITY = 7.5
# ModelOptFp8Config; ModelOptNvFp4Config has vLLM's least capability.
_MODELOPT_FP8_CAPABILITY = 8.0
# Quantization methods that vLLM removed or never had.
GONE = frozenset({"bitsandbytes", "gguf", "aqlm", "hqq", "deepspeedfp", "tpu_int8", "qqq", "marlin", "eetq", "exl2", "exl3", "vptq"})
# Words of a repository's name that reveal such a method.
_GONE_BY_NAME = {"gguf": "gguf", "exl2": "exl2", "exl3": "exl3", "bnb": "bitsandbytes"}
# DEPRECATED_QUANTIZATION_METHODS of 0.33.0: refused without --allow-deprecated-quantization.
DEPRECATED = frozenset({"fbgemm_fp8", "fp_quant"})
# Methods that support float32 activations (get_supported_act_dtypes).
_FLOAT32_METHODS = frozenset({"compressed-tensors", "torchao"})
# Methods that support bfloat16 activations only.
_BFLOAT16_METHODS = frozenset({"mxfp4", "gpt_oss_mxfp4", "mxfp8", "fp_quant"})
# Values of --quantization that vLLM accepts for a checkpoint's method (override_quantization_method).
_SPELLINGS = {
    "awq": {"awq", "auto_awq", "awq_marlin", "moe_wna16", "humming"},
    "gptq": {"gptq", "auto_gptq", "gptq_marlin", "moe_wna16", "humming"},
    "modelopt": {"modelopt", "modelopt_fp4", "modelopt_mxfp8", "modelopt_mixed", "humming"},
    "mxfp4": {"mxfp4", "gpt_oss_mxfp4", "humming"},
}
BFLOAT16_CAPABILITY = 8.0
# Least compute capability of fp8 arithmetic and of the Triton kernels' fp8 KV cache. FlashInfer reads an fp8 KV cache from 8.0 on, for
# these head sizes and models without attention sinks.
FP8_CAPABILITY = 8.9
_FLASHINFER_CAPABILITY = 8.0
_FLASHINFER_HEAD_SIZES = frozenset({64, 128, 256, 512})
_WITH_SINKS = frozenset({"gpt_oss"})
# _FLOAT16_NOT_SUPPORTED_MODELS of vllm/config/model.py 0.33.0.
NEEDS_BFLOAT16 = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4"})


def data_types(path: str, model: Model, architecture: Architecture, machine: Machine) -> Iterator[Problem]:
    """Types that the GPU lacks. `architecture`: as served, with online quantization applied."""
    yield from _combinations(path, model, architecture, machine)
    if machine.accelerator is None:
        return
    capability, name = machine.accelerator.compute_capability, machine.accelerator.display_name
    if capability < BFLOAT16_CAPABILITY:
        if model.engine.dtype == "bfloat16":
            yield Problem(
                f"{path}.engine.dtype",
                f"{name} (compute capability {capability}) has no bfloat16",
                "use float16, or a GPU of compute capability 8.0 or more",
            )
        if architecture.model_type in NEEDS_BFLOAT16 and model.engine.dtype != "float32":
            message = f"{model.source} overflows in float16 and {name} has no bfloat16"
            yield Problem(f"{path}.nodePool", message, "choose a newer GPU, or set engine.dtype to float32, which takes twice the memory")
    if model.engine.kv_cache_dtype == "bfloat16" and capability < BFLOAT16_CAPABILITY:
        yield Problem(f"{path}.engine.kvCacheDtype", f"{name} has no bfloat16", "use auto")
    least = _least_fp8_capability(architecture)
    if model.engine.kv_cache_dtype.startswith("fp8") and capability < least:
        yield Problem(
            f"{path}.engine.kvCacheDtype",
            f"{name} (compute capability {capability}) has no attention kernel that reads fp8 for this model",
            f"use auto, or a GPU of compute capability {least} or more",
        )
    yield from _quantization_capability(path, architecture, capability, name)


def _least_fp8_capability(architecture: Architecture) -> float:
    flashinfer = not architecture.is_mla and architecture.head_size in _FLASHINFER_HEAD_SIZES and architecture.model_type not in _WITH_SINKS
    return _FLASHINFER_CAPABILITY if flashinfer else FP8_CAPABILITY


def _quantization_capability(path: str, architecture: Architecture, capability: float, name: str) -> Iterator[Problem]:
    config = architecture.quantization_config
    if config is None:
        return
    least = MIN_CAPABILITY.get(config.quant_method, _LEAST_CAPABILITY)
    if config.quant_method == "modelopt" and config.bits == 8:
        least = _MODELOPT_FP8_CAPABILITY
    if capability < least:
        yield Problem(
            f"{path}.nodePool",
            f"{name} (compute capability {capability}) cannot run {config.quant_method} weights",
            f"choose a GPU of compute capability {least} or more, or an unquantized checkpoint",
        )


def weight_type(model: Model, architecture: Architecture, machine: Machine) -> str:
    """What `dtype: auto` becomes (_resolve_auto_dtype of vllm/config/model.py 0.33.0)."""
    if model.engine.dtype != "auto":
        return model.engine.dtype
    old = machine.accelerator is not None and machine.accelerator.compute_capability < BFLOAT16_CAPABILITY
    return "float16" if old or architecture.torch_dtype == "float16" else "bfloat16"


def _combinations(path: str, model: Model, architecture: Architecture, machine: Machine) -> Iterator[Problem]:
    """Combinations of types that vLLM refuses."""
    weights, cache = weight_type(model, architecture, machine), model.engine.kv_cache_dtype
    if cache in ("float16", "bfloat16") and cache != weights:
        allowed = "auto" if weights == "float32" else f"auto or {weights}"
        yield Problem(f"{path}.engine.kvCacheDtype", f"{cache}, but the model computes in {weights}", f"use {allowed}")
    if architecture.model_type in NEEDS_BFLOAT16 and model.engine.dtype == "float16":
        yield Problem(f"{path}.engine.dtype", f"{model.source} overflows in float16", "use auto or bfloat16")
    config = architecture.quantization_config
    if config is None:
        return
    if cache == "fp8_e5m2" and _is_fp8(architecture):
        yield Problem(f"{path}.engine.kvCacheDtype", "fp8_e5m2 does not go with an FP8 checkpoint", "use fp8 or auto")
    if weights == "float32" and config.quant_method not in _FLOAT32_METHODS:
        yield Problem(f"{path}.engine.dtype", f"{config.quant_method} weights are not multiplied in float32", "use auto")
    if weights == "float16" and config.quant_method in _BFLOAT16_METHODS and model.engine.dtype == "float16":
        yield Problem(f"{path}.engine.dtype", f"{config.quant_method} weights are multiplied in bfloat16 only", "use auto")


def _is_fp8(architecture: Architecture) -> bool:
    """Whether the method stores KV cache scales, which fp8_e5m2 does not support (model_executor/layers/attention/attention.py)."""
    config = architecture.quantization_config
    return config is not None and config.quant_method in ("fp8", "modelopt", "fbgemm_fp8") and config.bits == 8


def quantization(path: str, model: Model, checkpoint: Architecture, options: EngineOptions) -> Iterator[Problem]:
    """Quantization methods that vLLM does not have, and a --quantization that contradicts the checkpoint. `checkpoint`: as stored."""
    config, asked = checkpoint.quantization_config, options.quantization
    method = config.quant_method if config else None
    if gone := method if method in GONE else _gone_by_name(model):
        yield Problem(f"{path}.source", f"the pinned vLLM cannot load {gone} weights", "choose a checkpoint in FP8, AWQ or GPTQ")
    if (method in DEPRECATED or asked in DEPRECATED) and not options.allow_deprecated_quantization:
        where = f"{path}.source" if method in DEPRECATED else flag_path(path, model, "--quantization")
        yield Problem(where, f"vLLM refuses {method or asked} weights, which it will soon drop", "add --allow-deprecated-quantization")
    if asked is None:
        return
    where = flag_path(path, model, "--quantization")
    if method is None and asked not in ONLINE_METHODS:
        message = f"{asked} needs a checkpoint that is quantized so, and {model.source} is not"
        yield Problem(where, message, "choose such a checkpoint, or quantize while loading: " + ", ".join(ONLINE_METHODS))
    if method is not None and asked != method and asked not in _SPELLINGS.get(method, ()):
        yield Problem(where, f"the checkpoint is quantized by {method}, and vLLM refuses another method", "remove it")
    if asked in ("experts_int8", "int8_per_channel_weight_only") and not checkpoint.is_moe:
        yield Problem(where, f"{asked} quantizes experts, and {model.source} has none", "use fp8")


def _gone_by_name(model: Model) -> str | None:
    if model.weights.source != "hugging-face":
        return None
    words = re.split(r"[^a-z0-9]+", model.source.lower())
    return next((_GONE_BY_NAME[word] for word in words if word in _GONE_BY_NAME), None)


def data_type_warnings(path: str, model: Model, architecture: Architecture, machine: Machine) -> Iterator[Problem]:
    if machine.accelerator is None:
        return
    capability, name = machine.accelerator.compute_capability, machine.accelerator.display_name
    if capability < BFLOAT16_CAPABILITY and model.engine.dtype == "auto" and architecture.torch_dtype == "bfloat16":
        yield Problem(f"{path}.engine.dtype", f"{name} has no bfloat16, so vLLM falls back to float16", "set float16 if that is intended")
    config = architecture.quantization_config
    if config and config.quant_method == "fp8" and capability < FP8_CAPABILITY:
        yield Problem(
            f"{path}.nodePool", f"{name} has no fp8 arithmetic: the weights are smaller, but not faster", "an Ada or Hopper GPU has it"
        )
    if config and not config.understood:
        yield Problem(
            f"{path}.source",
            f"the size of {config.quant_method} weights is not known, so they are counted as if they were not quantized",
            "expect more room than planned",
        )
