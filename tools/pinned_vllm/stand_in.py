"""A CUDA platform for vLLM with given values instead of a driver: name, compute capability, memory and number of GPUs.

With it vLLM builds its configuration on a machine without a GPU. No kernels are loaded, so errors that vLLM raises only when it loads
weights, selects an attention backend or captures CUDA graphs do not show.
"""

# ruff: noqa: E402
from __future__ import annotations

import sys
import types
from dataclasses import dataclass

# Modules linked against libcuda.
_ATTENTION = [f"vllm.vllm_flash_attn._vllm_fa{version}_C" for version in (2, 3)]
for _name in ("vllm._C_stable_libtorch", "vllm._moe_C_stable_libtorch", "vllm._qutlass_C", *_ATTENTION):
    sys.modules[_name] = types.ModuleType(_name)

import vllm.platforms
from vllm.platforms.cuda import NonNvmlCudaPlatform
from vllm.platforms.interface import DeviceCapability


@dataclass(frozen=True)
class Gpu:
    name: str
    capability: float
    memory_gib: float
    count: int


class StandIn(NonNvmlCudaPlatform):
    gpu = Gpu("NVIDIA H100 80GB HBM3", 9.0, 79.6, 8)

    @classmethod
    def get_device_capability(cls, device_id: int = 0) -> DeviceCapability:
        return DeviceCapability(*(int(part) for part in str(cls.gpu.capability).split(".")))

    @classmethod
    def get_device_name(cls, device_id: int = 0) -> str:
        return cls.gpu.name

    @classmethod
    def get_device_total_memory(cls, device_id: int = 0) -> int:
        return int(cls.gpu.memory_gib * 1024**3)

    @classmethod
    def device_count(cls) -> int:
        return cls.gpu.count

    @classmethod
    def is_fully_connected(cls, physical_device_ids: list[int]) -> bool:
        return True

    @classmethod
    def log_warnings(cls) -> None:
        pass


vllm.platforms._current_platform = StandIn()

import vllm._custom_ops

# Support functions of kernels that are called while model classes are imported, by least compute capability (times ten).
for _name, _least in {
    "scaled_mm_supports_fp8": 89,
    "scaled_mm_supports_block_fp8": 90,
    "group_gemm_supported": 90,
    "scaled_mm_supports_fp4": 100,
}.items():
    setattr(vllm._custom_ops, f"cutlass_{_name}", lambda capability, least=_least: capability >= least)
