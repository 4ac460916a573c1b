"""Whether vLLM can run a model on a machine at all: parallel sizes, quantization blocks, features of the model's class."""

from __future__ import annotations

import math
from collections.abc import Iterator

from config import catalog, engine_flags
from config.architecture import Architecture
from config.errors import Problem
from config.image import names_version
from config.models import Model
from config.node_pools import NodePool
from config.quantization import QuantizationConfig
from planning.engine_options import EngineOptions, flag_path
from planning.machines import Machine
from planning.projections import expert_width, mlp_width, shared_expert_width

_EXPERTS = "the experts' width"
_SMALLEST_BLOCK = 32


def parallel_sizes(path: str, model: Model, architecture: Architecture, machine: Machine, pool: NodePool | None) -> Iterator[Problem]:
    """Parallel sizes that vLLM refuses, or for which the node has too few GPUs."""
    tensor, pipeline, gpus = model.parallelism.tensor, model.parallelism.pipeline, model.parallelism.gpus
    shared = pool is not None and (pool.gpu_sharing is not None or pool.gpu_partition_size is not None)
    available = 1 if shared or machine.is_cpu else machine.gpus
    if gpus > available:
        what = "a share of a GPU" if shared else f"{machine.gpus} GPU{'s' if machine.gpus != 1 else ''} a node"
        yield Problem(
            f"{path}.parallelism",
            f"a replica needs {gpus} GPUs ({_sizes(model)}), but {machine.name} offers {what}",
            "lower the sizes, or choose a machine type with more GPUs: a replica runs on one node",
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


def model_class(path: str, model: Model, architecture: Architecture) -> Iterator[Problem]:
    """Settings that the model's class in vLLM does not support: LoRA, pipeline parallelism."""
    classes, name = catalog.model_classes(), architecture.model_type
    if model.lora_adapters and name in classes.without_lora:
        message = f"vLLM {classes.version} supports no LoRA for {name} models"
        yield Problem(f"{path}.loraAdapters", message, "serve the adapter merged into the model, as a model of its own")
    if model.parallelism.pipeline > 1 and name in classes.without_pipeline:
        message = f"vLLM {classes.version} supports no pipeline parallelism for {name} models"
        yield Problem(f"{path}.parallelism.pipeline", message, "use parallelism.tensor")


def expert_balance(path: str, model: Model, options: EngineOptions) -> Iterator[Problem]:
    """--enable-eplb, which copies experts between GPUs (_validate_parallel_config of vllm/config/parallel.py 0.33.0)."""
    if options.enable_eplb and model.parallelism.tensor * model.parallelism.data == 1:
        yield Problem(
            flag_path(path, model, "--enable-eplb"),
            "experts are balanced between GPUs, and a replica has one",
            "remove it, or raise parallelism.tensor or parallelism.data",
        )
    if dict(options.eplb_config).get("num_redundant_experts"):
        message = "redundant experts take GPU memory that planning does not count"
        yield Problem(flag_path(path, model, "--eplb-config"), message, "remove num_redundant_experts")


def sampling_shards(path: str, model: Model, options: EngineOptions) -> Iterator[Problem]:
    """--enable-batch-sharded-sampling (_validate_batch_sharded_sampling of vllm/config/vllm.py 0.33.0)."""
    if options.enable_batch_sharded_sampling and model.parallelism.tensor == 1:
        where = flag_path(path, model, "--enable-batch-sharded-sampling")
        yield Problem(where, "tensor parallel GPUs share the sampling out, and there is one", "remove it, or raise parallelism.tensor")


def splits_heads(architecture: Architecture, tensor: int) -> bool:
    """vLLM's conditions: tensor divides the attention heads; it divides the KV heads or is a multiple of them, except for MLA, which caches
    one latent for all heads."""
    if architecture.num_attention_heads % tensor:
        return False
    return architecture.is_mla or architecture.kv_heads % tensor == 0 or tensor % architecture.kv_heads == 0


def _heads(architecture: Architecture) -> str:
    heads = f"{architecture.num_attention_heads} attention heads"
    return heads if architecture.is_mla else f"{heads} and {architecture.kv_heads} KV heads"


def unsplittable_block(model: Model, architecture: Architecture, tensor: int) -> str | None:
    """Message if tensor parallelism would cut through a block of quantized weights, else None."""
    config = architecture.quantization_config
    if config is None or config.weight_block_size is None or (architecture.is_moe and model.parallelism.expert):
        return None
    block = config.weight_block_size[0]
    for name, width, slices in _sliced_widths(model, architecture, tensor):
        uneven = width % (slices * block) != 0
        if uneven and not (name == _EXPERTS and _refines(architecture, config, width, slices)):
            return f"{name} {width} over {slices} GPUs is not a multiple of the checkpoint's {block}-wide fp8 blocks"
    return None


def _sliced_widths(model: Model, architecture: Architecture, tensor: int) -> Iterator[tuple[str, int, int]]:
    if not architecture.is_moe:
        yield "intermediate_size", mlp_width(architecture), tensor
        return
    yield _EXPERTS, expert_width(architecture), tensor * model.parallelism.data
    if shared := shared_expert_width(architecture):
        yield "the shared experts' width", shared, tensor


def _refines(architecture: Architecture, config: QuantizationConfig, width: int, slices: int) -> bool:
    """Whether vLLM divides the experts' blocks into smaller ones that fit the slices: refine_fp8_moe_block_shape of
    model_executor/layers/fused_moe/oracle/fp8.py 0.33.0, used by quantization method fp8 only."""
    blocks = config.weight_block_size or (1, 1)
    return (
        config.quant_method == "fp8"
        and width % slices == 0
        and math.gcd(*blocks, width // slices, architecture.hidden_size) >= _SMALLEST_BLOCK
    )


def image_warnings(path: str, model: Model) -> Iterator[Problem]:
    version = engine_flags.catalogue()["version"]
    if model.image and not names_version(model.image, version):
        message = f"flags, parsers and memory are planned for vLLM {version}, and this image may hold another version"
        yield Problem(f"{path}.image", message, f"build it from vLLM {version}, and say so at the beginning of its tag")


def parallel_warnings(path: str, model: Model, architecture: Architecture, machine: Machine) -> Iterator[Problem]:
    if model.parallelism.data > 1 and not architecture.is_moe:
        yield Problem(
            f"{path}.parallelism.data",
            f"{model.source} has no experts, so its ranks are whole copies that start, drain and change together",
            "replicas of one rank each do the same and move one by one: raise scaling.floor instead",
        )
    if machine.accelerator and machine.accelerator.interconnect == "pcie" and model.parallelism.tensor > 2:
        yield Problem(
            f"{path}.parallelism.tensor",
            f"{machine.accelerator.display_name} has no NVLink, so {model.parallelism.tensor} GPUs exchange every layer over PCIe",
            "expect less than linear speed-up",
        )
