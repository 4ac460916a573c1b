"""How many bytes a model's weights take, in all and on one GPU: parameters times the bytes that quantization leaves of each."""

from __future__ import annotations

from config.architecture import Architecture, QuantizationConfig
from config.models import Parallelism
from planning.parameters import count_parameters

DTYPE_BYTES = {"float32": 4}
# Quantization methods whose bytes are known; weights of any other are counted as if they were not quantized.
SIZED_METHODS = frozenset({"fp8", "awq", "gptq", "compressed-tensors", "mxfp4", "modelopt", "modelopt_fp4", "nvfp4"})


def weight_bytes(architecture: Architecture, parameters: int | None = None, dtype: str = "auto") -> int:
    """Bytes of the whole model in memory. Parameters that the count does not explain (a vision tower) are not quantized."""
    count = count_parameters(architecture)
    plain = DTYPE_BYTES.get(dtype, 2)
    unexplained = (parameters - count.total) if parameters else 0
    return round(
        (count.linear + count.replicated) * linear_bytes(architecture, plain)
        + count.expert * expert_bytes(architecture, plain)
        + (count.embedding + count.other + unexplained) * plain
    )


def linear_bytes(architecture: Architecture, plain: int = 2) -> float:
    """Bytes of a parameter in a dense projection."""
    config = architecture.quantization_config
    return plain if config is None or config.quant_method == "mxfp4" else _quantized_bytes(config, plain)


def expert_bytes(architecture: Architecture, plain: int = 2) -> float:
    """Bytes of a parameter in an expert."""
    config = architecture.quantization_config
    return plain if config is None else _quantized_bytes(config, plain)


def _quantized_bytes(config: QuantizationConfig, plain: int) -> float:
    """Weight plus its share of the scales: fp32 a block for fp8, fp16 and a zero point a group for integers, 8 bits a group for fp4."""
    method, bits = config.quant_method, config.bits or 4
    if method == "fp8" or (method in ("modelopt", "compressed-tensors") and config.bits == 8):
        rows, columns = config.weight_block_size or (1, 4096)
        return 1 + 4 / (rows * columns)
    if method == "mxfp4":
        return 4.25 / 8
    if method in ("modelopt", "modelopt_fp4", "nvfp4"):
        return 4.5 / 8
    if method in ("awq", "gptq", "compressed-tensors"):
        return bits / 8 + (2 + bits / 8) / (config.group_size or 128) if config.group_size != -1 else bits / 8
    return plain


def weights_per_gpu(architecture: Architecture, total: int, parallelism: Parallelism, dtype: str = "auto") -> float:
    """Bytes on the fullest GPU. Tensor parallelism slices all but norms, routers and MLA's down-projections; experts are spread over the
    data parallel ranks too, sliced or whole (vLLM 0.33.0, FusedMoEParallelConfig).

    With pipeline stages, the fullest has one layer more than the others and one of the two embeddings.
    """
    tensor, pipeline = parallelism.tensor, parallelism.pipeline
    count, plain = count_parameters(architecture), DTYPE_BYTES.get(dtype, 2)
    whole = count.replicated * linear_bytes(architecture, plain) + count.other * plain
    embedding = count.embedding * plain
    layers = architecture.num_hidden_layers
    stage = -(-layers // pipeline) / layers
    embedding_share = 1.0 if pipeline == 1 else 0.5 if not architecture.tie_word_embeddings else 1.0
    experts = count.expert * expert_bytes(architecture, plain)
    expert_share = (
        _largest_share(architecture.num_experts or 1, tensor * parallelism.data) if parallelism.expert else 1 / tensor / parallelism.data
    )
    sliced = (total - whole - embedding - experts) / tensor + experts * expert_share
    return (sliced + whole) * stage + embedding * embedding_share / tensor


def _largest_share(things: int, gpus: int) -> float:
    """Of `things` that are not cut, what the fullest of `gpus` holds."""
    return -(-things // gpus) / things
