"""Whether vLLM can run a model this way on this machine at all: parallel sizes, context length, data types, quantization."""

from __future__ import annotations

from collections.abc import Iterator

from config import engine_flags
from config.architecture import Architecture
from config.errors import Problem
from config.image import names_version
from config.models import Model
from config.node_pools import NodePool
from planning.machines import Machine

# Least compute capability of each quantization method: get_min_capability of vLLM 0.33.0's QuantizationConfigs.
MIN_CAPABILITY = {"fp8": 7.5, "awq": 7.5, "gptq": 7.5, "compressed-tensors": 7.5, "mxfp4": 8.0, "modelopt": 7.5}
BFLOAT16_CAPABILITY = 8.0
FP8_KV_CAPABILITY = 8.9
# _FLOAT16_NOT_SUPPORTED_MODELS of vllm/config/model.py 0.33.0.
NEEDS_BFLOAT16 = frozenset({"gemma2", "gemma3", "gemma3_text"})


def parallel_sizes(path: str, model: Model, architecture: Architecture, machine: Machine, pool: NodePool | None) -> Iterator[Problem]:
    """Tensor and pipeline sizes that vLLM would refuse, or that the node cannot hold."""
    tensor, pipeline, gpus = model.parallelism.tensor, model.parallelism.pipeline, model.parallelism.gpus
    shared = pool is not None and (pool.gpu_sharing is not None or pool.gpu_partition_size is not None)
    available = 1 if shared or machine.is_cpu else machine.gpus
    if gpus > available:
        what = "a share of a GPU" if shared else f"{machine.gpus} GPU{'s' if machine.gpus != 1 else ''} a node"
        yield Problem(
            f"{path}.parallelism",
            f"a replica needs {gpus} GPUs ({_sizes(model)}), but {machine.name} offers {what}",
            "lower the sizes, or choose a machine type with more GPUs: a replica lives on one node",
        )
    lower = "lower parallelism.tensor" + (" or parallelism.data" if model.parallelism.data > 1 else "")
    if not splits_heads(architecture, tensor):
        yield Problem(
            f"{path}.parallelism.tensor",
            f"{tensor} does not divide {_heads(architecture)}",
            "use one of: " + ", ".join(str(size) for size in (1, 2, 4, 5, 8, 10, 16) if splits_heads(architecture, size)),
        )
    elif blocked := unsplittable_block(model, architecture, tensor):
        yield Problem(
            f"{path}.parallelism.tensor",
            blocked,
            f"{lower}, or set parallelism.expert to true" if architecture.is_moe else lower,
        )
    if pipeline > architecture.num_hidden_layers:
        yield Problem(f"{path}.parallelism.pipeline", f"{pipeline} stages for {architecture.num_hidden_layers} layers", "use fewer stages")
    if model.parallelism.expert and not architecture.is_moe:
        yield Problem(f"{path}.parallelism.expert", f"{model.source} has no experts", "remove it")


def _sizes(model: Model) -> str:
    sizes = model.parallelism
    data = f" x data {sizes.data}" if sizes.data > 1 else ""
    return f"tensor {sizes.tensor} x pipeline {sizes.pipeline}{data}"


def splits_heads(architecture: Architecture, tensor: int) -> bool:
    """vLLM's conditions: the heads divide evenly; KV heads divide, or are copied evenly. MLA has one latent for all heads."""
    if architecture.num_attention_heads % tensor:
        return False
    return architecture.is_mla or architecture.kv_heads % tensor == 0 or tensor % architecture.kv_heads == 0


def _heads(architecture: Architecture) -> str:
    heads = f"{architecture.num_attention_heads} attention heads"
    return heads if architecture.is_mla else f"{heads} and {architecture.kv_heads} KV heads"


def unsplittable_block(model: Model, architecture: Architecture, tensor: int) -> str | None:
    """Why the slices would cut a block of quantized weights, if they would."""
    config = architecture.quantization_config
    if config is None or config.weight_block_size is None:
        return None
    block = config.weight_block_size[0]
    width = architecture.moe_intermediate_size if architecture.is_moe else architecture.intermediate_size
    slices = tensor * model.parallelism.data if architecture.is_moe else tensor
    if width is None or (architecture.is_moe and model.parallelism.expert) or width % (slices * block) == 0:
        return None
    name = "moe_intermediate_size" if architecture.is_moe else "intermediate_size"
    return f"{name} {width} over {slices} GPUs is not a multiple of the checkpoint's {block}-wide fp8 blocks"


def context_length(path: str, model: Model, architecture: Architecture) -> Iterator[Problem]:
    longest = architecture.context_length
    if model.engine.max_model_len and model.engine.max_model_len > longest:
        yield Problem(
            f"{path}.engine.maxModelLen",
            f"{model.engine.max_model_len} tokens, but {model.source} was made for {longest} positions",
            f"set it to at most {longest}",
        )


def data_types(path: str, model: Model, architecture: Architecture, machine: Machine) -> Iterator[Problem]:
    """Types that the GPU generation does not have."""
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
            yield Problem(f"{path}.nodePool", f"{model.source} overflows in float16 and {name} has no bfloat16", "choose a newer GPU")
    if model.engine.kv_cache_dtype == "bfloat16" and capability < BFLOAT16_CAPABILITY:
        yield Problem(f"{path}.engine.kvCacheDtype", f"{name} has no bfloat16", "use auto")
    if model.engine.kv_cache_dtype.startswith("fp8") and capability < FP8_KV_CAPABILITY:
        yield Problem(
            f"{path}.engine.kvCacheDtype",
            f"{name} (compute capability {capability}) has no fp8",
            f"use auto, or a GPU of compute capability {FP8_KV_CAPABILITY} or more",
        )
    config = architecture.quantization_config
    least = MIN_CAPABILITY.get(config.quant_method, 0.0) if config else 0.0
    if config and capability < least:
        yield Problem(
            f"{path}.nodePool",
            f"{name} (compute capability {capability}) cannot run {config.quant_method} weights",
            f"choose a GPU of compute capability {least} or more, or an unquantized checkpoint",
        )


def image_warnings(path: str, model: Model) -> Iterator[Problem]:
    version = engine_flags.catalogue()["version"]
    if model.image and not names_version(model.image, version):
        message = f"flags, parsers and memory are planned for vLLM {version}, and this image may hold another version"
        yield Problem(f"{path}.image", message, f"build it from vLLM {version}, and say so at the beginning of its tag")


def data_type_warnings(path: str, model: Model, architecture: Architecture, machine: Machine) -> Iterator[Problem]:
    if machine.accelerator is None:
        return
    capability, name = machine.accelerator.compute_capability, machine.accelerator.display_name
    if capability < BFLOAT16_CAPABILITY and model.engine.dtype == "auto" and architecture.torch_dtype == "bfloat16":
        yield Problem(f"{path}.engine.dtype", f"{name} has no bfloat16, so vLLM falls back to float16", "say float16 if that is meant")
    config = architecture.quantization_config
    if config and config.quant_method == "fp8" and capability < FP8_KV_CAPABILITY:
        yield Problem(
            f"{path}.nodePool", f"{name} has no fp8 arithmetic: the weights are smaller, but not faster", "an Ada or Hopper GPU has it"
        )
    if config and not config.understood:
        yield Problem(
            f"{path}.source",
            f"how large {config.quant_method} weights are is not known, so they are counted as if they were not quantized",
            "expect more room than planned",
        )
    if model.parallelism.data > 1 and not architecture.is_moe:
        yield Problem(
            f"{path}.parallelism.data",
            f"{model.source} has no experts, so its ranks are whole copies that start, drain and change together",
            "replicas of one rank each do the same and move one by one: raise scaling.floor instead",
        )
    if machine.accelerator.interconnect == "pcie" and model.parallelism.tensor > 2:
        yield Problem(
            f"{path}.parallelism.tensor",
            f"{name} has no NVLink, so {model.parallelism.tensor} GPUs exchange every layer over PCIe",
            "expect less than linear speed-up",
        )
