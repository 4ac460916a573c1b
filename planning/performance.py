"""How fast one replica answers: output tokens per second, time to first token (TTFT), time per output token (TPOT).

A step of the engine reads the weights that its tokens touch and the KV cache of its sequences, multiplies, adds up the results of
tensor parallel GPUs, and has a fixed cost per step and layer. A closed loop is planned: each request is followed by the next, and
prompts are computed between the steps of those that decode (chunked prefill).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from config.architecture import Architecture
from config.catalog import Accelerator
from config.models import Model
from planning.kv_cache import KvCache
from planning.parameters import count_parameters
from planning.weight_size import expert_bytes, linear_bytes

Numbers = Literal["bf16", "fp8", "nvfp4", "mxfp4", "int"]

_HIDDEN_BYTES = 2


@dataclass(frozen=True)
class Constants:
    """What is fitted. Shares are of the datasheet's figure, times in seconds."""

    weight_bandwidth: float = 0.85
    """Share of the memory bandwidth at which dense weights are read."""
    expert_bandwidth: float = 0.75
    """The same for routed experts' weights."""
    weight_only_bandwidth: float = 0.8
    """Share of the above that remains where weights are unpacked to 16 bits first (int4; fp8 and fp4 on GPUs without them)."""
    kv_bandwidth: float = 0.8
    """Share of the memory bandwidth at which the KV cache is read."""
    bf16_arithmetic: float = 0.65
    fp8_arithmetic: float = 0.6
    fp4_arithmetic: float = 0.4
    weight_only_arithmetic: float = 0.45
    """Share of bf16 arithmetic where weights are unpacked to 16 bits first."""
    expert_arithmetic: float = 0.5
    """Share of the above that remains in grouped multiplications of experts."""
    attention_arithmetic: float = 0.4
    """Share of bf16 arithmetic in the attention of a prompt."""
    step: float = 0.001
    """Per step: scheduler, sampler, launch of the graph."""
    layer: float = 2.5e-5
    """Per step and layer: kernels that do little."""
    expert_layer: float = 2e-5
    """Per step and layer with experts: routing, permuting, grouped kernels."""
    sequence: float = 1e-5
    """Per step and sequence: scheduling, sampling, detokenizing."""
    all_reduce: float = 8e-6
    """Latency of one all-reduce, times log2 of the GPUs."""
    link_bandwidth: float = 0.6
    """Share of the link's bandwidth in all-reduces of many bytes."""
    activation_passes: float = 15
    """Times that a token's hidden state is read or written per layer, beside the multiplications."""
    prompt: float = 0.01
    """Per prompt: HTTP, tokenizer, its first scheduling."""
    prompt_layer: float = 2e-4
    """Per prompt and layer: steps with prompts run without whole CUDA graphs."""
    queue: float = 0.06
    """Share of the prompts of all others in flight that a prompt waits for."""


CONSTANTS = Constants()
# Memory time and arithmetic time of a multiplication overlap, but not wholly: the norm in which they add up.
_OVERLAP = 2.0


@dataclass(frozen=True)
class Work:
    """What the tokens of a step ask of each GPU of a replica. FLOPs are per token, bytes per step unless a name says otherwise."""

    layers: int
    expert_layers: int
    tensor: int
    pipeline: int
    data: int
    dense_numbers: Numbers
    dense_bytes: float
    dense_flops: float
    expert_numbers: Numbers
    expert_bytes: float
    expert_flops: float
    expert_share: float
    """Share of the experts that one token visits."""
    output_parameters: float
    hidden_bytes: float
    """A token's hidden states, of all layers."""
    kv_bytes: tuple[tuple[float, float], ...]
    """By kind of layer: KV cache of a token in all its layers, and the most tokens that it sees."""
    state_bytes: float
    """State of a sequence in the layers of linear attention."""
    attention_flops: float
    """Per token and token that it sees, of one layer."""
    attention_layers: tuple[tuple[int, float], ...]
    """By kind of layer: how many, and the most tokens that each sees."""


def work(architecture: Architecture, tensor: int = 1, pipeline: int = 1, data: int = 1, kv_dtype_bytes: int = 2) -> Work:
    a, count = architecture, count_parameters(architecture)
    cache = KvCache(a, tensor, dtype_bytes=kv_dtype_bytes)
    routed = count.expert / (tensor * data)
    share = a.num_experts_per_tok / a.num_experts if a.num_experts else 0.0
    layers = a.layers()
    seen = {
        "full": math.inf,
        "sliding": float(a.sliding_window or math.inf),
        "chunked": (a.attention_chunk_size or math.inf) / 2,
    }
    attending = [(number, seen[kind]) for kind, number in layers.items() if kind in seen and number]
    width = a.num_attention_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim + a.v_head_dim if a.is_mla else 2 * a.head_size)
    return Work(
        layers=a.num_hidden_layers,
        expert_layers=(a.num_hidden_layers - a.first_k_dense_replace) // a.interleave_moe_layer_step if a.is_moe else 0,
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        dense_numbers=_numbers(a, linear_bytes(a)),
        dense_bytes=(count.linear / tensor + count.replicated) * linear_bytes(a),
        dense_flops=2 * (count.linear / tensor + count.replicated),
        expert_numbers=_numbers(a, expert_bytes(a)),
        expert_bytes=routed * expert_bytes(a),
        expert_flops=2 * routed * share,
        expert_share=share,
        output_parameters=a.vocab_size * a.hidden_size / tensor,
        hidden_bytes=a.hidden_size * a.num_hidden_layers * _HIDDEN_BYTES,
        kv_bytes=tuple((number * cache.bytes_per_token_and_layer, most) for number, most in attending),
        state_bytes=layers.get("linear", 0) * cache.state_bytes,
        attention_flops=2 * width / tensor,
        attention_layers=tuple(attending),
    )


def _numbers(architecture: Architecture, size: float) -> Numbers:
    """What weights of `size` bytes are multiplied as, on a GPU that can."""
    config = architecture.quantization_config
    if config is None or size >= _HIDDEN_BYTES:
        return "bf16"
    if config.quant_method == "mxfp4":
        return "mxfp4"
    if config.quant_method in ("modelopt", "modelopt_fp4", "nvfp4") and size < 1:
        return "nvfp4"
    return "fp8" if config.quant_method in ("fp8", "modelopt") or size >= 1 else "int"


@dataclass(frozen=True)
class Served:
    """What clients of one replica see, each with a typical request. Means; seconds."""

    output_tokens_per_second: float
    ttft: float
    """Waiting for room included."""
    tpot: float


@dataclass(frozen=True)
class Performance:
    """Of one model on one replica."""

    work: Work
    accelerator: Accelerator
    constants: Constants = CONSTANTS

    def serve(self, in_flight: float, prompt_tokens: float, output_tokens: float, running: float = math.inf) -> Served:
        """With `in_flight` requests at the replica, of which at most `running` fit at once."""
        w, steps = self.work, max(1.0, output_tokens - 1)
        rank = min(in_flight, running) / w.data
        step = self.step(rank / w.pipeline, prompt_tokens + output_tokens / 2)
        prompt = self.prompt(prompt_tokens, rank / w.pipeline)
        first = prompt + step / 2 + self.constants.queue * max(0.0, rank - 1) * prompt / w.pipeline
        cycle = max(first, rank * prompt / w.pipeline) + steps * step
        rate = rank * w.data / cycle
        waiting = max(0.0, in_flight - running) / rate
        return Served(rate * output_tokens, first + waiting, (cycle - first) / steps)

    def step(self, sequences: float, context: float) -> float:
        """Seconds of a step in which `sequences` of `context` tokens each decode one more."""
        w, c = self.work, self.constants
        read = sum(size * min(context, most) for size, most in w.kv_bytes) + 2 * w.state_bytes
        output = self._multiplied("bf16", w.output_parameters * _HIDDEN_BYTES, 2 * w.output_parameters * sequences)
        each = read / self._bandwidth(c.kv_bandwidth) + c.sequence
        return self._fixed + self._tokens(sequences) + output + sequences * each

    def prompt(self, tokens: float, sequences: float) -> float:
        """Seconds that a prompt of `tokens` adds to a step in which `sequences` decode."""
        w, c = self.work, self.constants
        own = self._tokens(sequences + tokens) - self._tokens(sequences)
        seen = sum(number * min(tokens / 2, most) for number, most in w.attention_layers)
        attention = seen * tokens * w.attention_flops / (self.accelerator.bf16_tflops * 1e12 * c.attention_arithmetic)
        return c.prompt + c.prompt_layer * w.layers + own + attention

    @cached_property
    def _fixed(self) -> float:
        w, c = self.work, self.constants
        reduced = 2 * w.layers * c.all_reduce * math.log2(w.tensor * w.data)
        return c.step + c.layer * w.layers + c.expert_layer * w.expert_layers + reduced

    def _tokens(self, tokens: float) -> float:
        """Seconds of multiplications, communication and traffic of activations, of `tokens` in one step."""
        w, c = self.work, self.constants
        dense = self._multiplied(w.dense_numbers, w.dense_bytes, tokens * w.dense_flops)
        activations = tokens * w.hidden_bytes * c.activation_passes / self._bandwidth(c.weight_bandwidth)
        shared = 4 * (1 - 1 / (w.tensor * w.data)) * tokens * w.hidden_bytes
        reduced = shared / (self.accelerator.interconnect_gb_per_second * 1e9 * c.link_bandwidth)
        return dense + self._experts(tokens * w.data) + activations + reduced

    def _experts(self, tokens: float) -> float:
        w = self.work
        visited = 1 - (1 - w.expert_share) ** tokens
        return self._multiplied(w.expert_numbers, w.expert_bytes * visited, tokens * w.expert_flops, experts=True) if visited else 0.0

    def _multiplied(self, numbers: Numbers, size: float, flops: float, *, experts: bool = False) -> float:
        """Seconds in which weights of `size` bytes are read and `flops` are done with them."""
        c = self.constants
        read = size / self._bandwidth(c.expert_bandwidth if experts else c.weight_bandwidth)
        arithmetic = flops / (self._flops[numbers] * (c.expert_arithmetic if experts else 1.0))
        if numbers != "bf16" and self._flops[numbers] == self._flops["int"]:
            read /= c.weight_only_bandwidth
        return (read**_OVERLAP + arithmetic**_OVERLAP) ** (1 / _OVERLAP)

    @cached_property
    def _flops(self) -> dict[Numbers, float]:
        """FLOPS reached with weights of each kind; where the GPU cannot multiply them they are unpacked to 16 bits first."""
        gpu, c = self.accelerator, self.constants
        unpacked = gpu.bf16_tflops * 1e12 * c.weight_only_arithmetic
        fp8 = gpu.fp8_tflops * 1e12 * c.fp8_arithmetic if gpu.fp8_tflops else unpacked
        fp4 = gpu.fp4_tflops * 1e12 * c.fp4_arithmetic if gpu.fp4_tflops else unpacked
        return {
            "bf16": gpu.bf16_tflops * 1e12 * c.bf16_arithmetic,
            "fp8": fp8,
            "nvfp4": fp4,
            "mxfp4": fp8 if gpu.fp4_tflops else unpacked,
            "int": unpacked,
        }

    def _bandwidth(self, share: float) -> float:
        return self.accelerator.memory_bandwidth_gb_per_second * 1e9 * share
