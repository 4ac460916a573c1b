"""The state of fixed size that linear attention, Mamba-2 and short convolution layers keep per sequence.

Shapes and types: vLLM 0.33.0, model_executor/layers/mamba/mamba_utils.py. Convolutions keep their inputs in the model's 16 bits.
"""

from __future__ import annotations

import math

from config.architecture import Architecture
from config.layers import LayerKind

_CONVOLUTION_BYTES = 2
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
# Types of the recurrent state where config.json does not say it: kda_state_dtype, NemotronHForCausalLMConfig,
# Qwen3_5ForConditionalGenerationConfig (whose config.json says mamba_ssm_dtype float32); the model's own for the others.
_STATE_TYPES = {
    "kimi_linear": "float32",
    "nemotron_h": "float32",
    "qwen3_5_text": "float32",
    "qwen3_5_moe_text": "float32",
}


def state_bytes(a: Architecture, kind: LayerKind, tensor: int) -> int:
    """Bytes of one sequence's state in one layer on one of `tensor` GPUs; 0 for layers with a KV cache."""
    if kind == "conv":
        return math.ceil(a.hidden_size / tensor) * (a.conv_L_cache - 1) * _CONVOLUTION_BYTES
    if kind == "linear":
        keys, values = a.linear_num_key_heads * a.linear_key_head_dim, a.linear_num_value_heads * a.linear_value_head_dim
        convolved, temporal = 2 * keys + values, values * a.linear_key_head_dim
        return _bytes(a, math.ceil(convolved / tensor) * (a.linear_conv_kernel_dim - 1), math.ceil(temporal / tensor))
    if kind == "mamba":
        inner, groups = a.mamba_num_heads * a.mamba_head_dim, a.n_groups
        if groups % tensor:  # every GPU needs the groups of its heads
            groups = tensor
        convolved = math.ceil((inner + 2 * groups * a.ssm_state_size) / tensor)
        return _bytes(a, convolved * (a.conv_kernel - 1), math.ceil(inner / tensor) * a.ssm_state_size)
    return 0


def _bytes(a: Architecture, convolution: int, temporal: int) -> int:
    state_type = a.mamba_ssm_cache_dtype or _STATE_TYPES.get(a.model_type, "bfloat16")
    return convolution * _CONVOLUTION_BYTES + temporal * _BYTES[state_type]
