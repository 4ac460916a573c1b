"""The flags of class `counted` among a model's `extraArgs`: those that change the plan.

`catalog/vllm_flags.json` gives each flag its class; counted flags are read only here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from config.architecture import Architecture
from config.engine_flags import parse
from config.models import Model
from config.quantization import BitsPerWeight, QuantizationConfig

GIB = 1024**3
# Online quantization of 16-bit weights by --quantization (vLLM 0.33.0, config/quantization.py and
# model_executor/layers/quantization/online): bits per weight, scales included, by method; then methods that quantize experts only.
_FP8 = 8.0
_ONLINE: dict[str, float] = {
    "fp8": _FP8,
    "fp8_per_tensor": _FP8,
    "fp8_per_channel": _FP8,
    "fp8_per_block": 8 + 32 / 128**2,
    "mxfp8": 8 + 8 / 32,
    "mxfp4": 4 + 8 / 32,
}
_ONLINE_EXPERTS: dict[str, float] = {"int8_per_channel_weight_only": 8.0, "experts_int8": 8.0}
_BLOCKS = {"fp8_per_block": (128, 128)}
ONLINE_METHODS = (*_ONLINE, *_ONLINE_EXPERTS)
_MAPPINGS = frozenset({"limit_mm_per_prompt", "compilation_config", "eplb_config"})
# Values of cudagraph_mode without full CUDA graphs for decoding steps.
_NOT_FULL = frozenset({"NONE", "PIECEWISE", "0", "1"})


@dataclass(frozen=True)
class EngineOptions:
    """Values of the counted flags, under vLLM's names and defaults. Sizes in GiB, per GPU or per pod as vLLM defines each flag."""

    quantization: str | None = None
    allow_deprecated_quantization: bool = False
    language_model_only: bool = False
    limit_mm_per_prompt: tuple[tuple[str, int], ...] = ()
    skip_mm_profiling: bool = False
    mm_encoder_tp_mode: str = "weights"
    cpu_offload_gb: float = 0.0
    kv_cache_memory_bytes: int | None = None
    block_size: int | None = None
    mamba_cache_dtype: str = "auto"
    mamba_ssm_cache_dtype: str = "auto"
    kv_offloading_size: float = 0.0
    mm_processor_cache_gb: float = 4.0
    api_server_count: int = 1
    mm_ipc_gpu_memory_gb: float = 0.0
    load_format: str | None = None
    runner: str = "auto"
    convert: str = "auto"
    enable_chunked_prefill: bool | None = None
    max_num_active_seqs: int | None = None
    long_prefill_token_threshold: int = 0
    compilation_config: tuple[tuple[str, Any], ...] = ()
    optimization_level: str = "2"
    enable_eplb: bool = False
    eplb_config: tuple[tuple[str, Any], ...] = ()
    enable_batch_sharded_sampling: bool = False

    @property
    def pooling(self) -> bool:
        return self.runner == "pooling" or (self.runner == "auto" and self.convert in ("embed", "classify"))

    @property
    def without_images(self) -> bool:
        """Whether vLLM loads no vision encoder."""
        limits = dict(self.limit_mm_per_prompt)
        return self.language_model_only or (limits.get("image", 1) == 0 and limits.get("video", 1) == 0)

    @property
    def without_audio(self) -> bool:
        return self.language_model_only or dict(self.limit_mm_per_prompt).get("audio", 1) == 0

    @property
    def full_cuda_graphs(self) -> bool:
        """Whether decoding steps use full CUDA graphs, as by default."""
        mode = str(dict(self.compilation_config).get("cudagraph_mode", "")).upper()
        return mode not in _NOT_FULL and self.optimization_level not in ("0", "O0")


def engine_options(model: Model) -> EngineOptions:
    """Reads `extraArgs`; the dotted keys of one JSON flag are merged."""
    return _read(tuple(model.engine.extra_args))


@lru_cache(maxsize=1024)
def _read(arguments: tuple[str, ...]) -> EngineOptions:
    found: dict[str, Any] = {}
    for argument in arguments:
        flag = parse(argument)
        field = flag.name.removeprefix("--").replace("-", "_")
        if field not in EngineOptions.__dataclass_fields__:
            continue
        value = {".".join(flag.keys): flag.value} if flag.keys else flag.value
        if field in _MAPPINGS and not isinstance(value, dict):
            continue
        found[field] = found.get(field, {}) | value if isinstance(value, dict) else value
    if isinstance(limits := found.get("limit_mm_per_prompt"), dict):
        found["limit_mm_per_prompt"] = {
            name.removesuffix(".count"): count for name, value in limits.items() if isinstance(count := _count(value), int)
        }
    frozen: dict[str, Any] = {name: tuple(value.items()) if isinstance(value, dict) else value for name, value in found.items()}
    return EngineOptions(**frozen)


def flag_path(path: str, model: Model, name: str) -> str:
    """Path of a flag's entry in `extraArgs`: `models.m.engine.extraArgs[2]`."""
    names = [parse(argument).name for argument in model.engine.extra_args]
    return f"{path}.engine.extraArgs[{names.index(name)}]"


def _count(value: Any) -> Any:
    """Limit of one modality in --limit-mm-per-prompt: a number, or a mapping with `count`."""
    return value.get("count", 999) if isinstance(value, dict) else value


def served(architecture: Architecture, options: EngineOptions) -> Architecture:
    """The architecture as vLLM loads it with these options: online quantization applied, encoders that are not loaded removed."""
    changes: dict[str, Any] = {}
    if options.quantization in ONLINE_METHODS and architecture.quantization_config is None:
        changes["quantization_config"] = _online(options.quantization)
    if options.without_images and architecture.vision_config:
        changes["vision_config"] = None
    if options.without_audio and architecture.audio_config:
        changes["audio_config"] = None
    state = options.mamba_ssm_cache_dtype if options.mamba_ssm_cache_dtype != "auto" else options.mamba_cache_dtype
    if state != "auto":
        changes["mamba_ssm_cache_dtype"] = state
    return architecture.model_copy(update=changes) if changes else architecture


def _online(method: str) -> QuantizationConfig:
    experts = _ONLINE_EXPERTS.get(method)
    bits = _ONLINE.get(method)
    each = BitsPerWeight(attention=bits, mixer=bits, mlp=bits, shared_experts=bits, experts=experts or bits)
    name = "fp8" if method.startswith("fp8") else method
    return QuantizationConfig(quant_method=name, bits_per_weight=each, weight_block_size=_BLOCKS.get(method))
