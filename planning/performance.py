"""How fast one replica answers: output tokens per second, time to first token (TTFT), time per output token (TPOT).

A step of the engine reads the weights that its tokens use and the KV cache of its sequences, multiplies, all-reduces the results of
tensor parallel GPUs, and has a fixed cost per step and layer. The model is a closed loop: each request is followed by the next, and
prompts are computed between decoding steps (chunked prefill). `make fit` fits the constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from config.catalog import Accelerator
from planning.work import Matrices, Numbers, Work


@dataclass(frozen=True)
class Constants:
    """Fitted constants. Shares are of the datasheet's figure, times in seconds."""

    weight_bandwidth: float = 0.799
    """Share of the memory bandwidth at which dense weights are read."""
    expert_bandwidth: float = 0.895
    """The same for routed experts' weights."""
    unpacked_bandwidth: float = 0.634
    """Share of the above that remains where experts are unpacked to 16 bits first (int4; fp8 and fp4 on GPUs without them). Kernels
    for dense weights unpack them as fast as they are read."""
    kv_bandwidth: float = 0.912
    """Share of the memory bandwidth at which the KV cache is read."""
    bf16_arithmetic: float = 0.593
    fp8_arithmetic: float = 0.72
    fp4_arithmetic: float = 0.408
    unpacked_arithmetic: float = 0.442
    """Share of bf16 arithmetic where weights are unpacked to 16 bits first."""
    expert_arithmetic: float = 0.495
    """Share of the above that remains in grouped multiplications of experts."""
    attention_arithmetic: float = 0.518
    """Share of bf16 arithmetic in the attention of a prompt."""
    step: float = 0.000372
    """Per step: scheduler, sampler, launch of the graph."""
    layer: float = 3.03e-05
    """Per step and layer: small kernels."""
    expert_layer: float = 1.63e-05
    """Per step and layer with experts: routing, permuting, grouped kernels."""
    sequence: float = 5.61e-06
    """Per step and sequence: scheduling, sampling, detokenizing."""
    all_reduce: float = 6.08e-06
    """Latency of one all-reduce, times log2 of the GPUs."""
    link_bandwidth: float = 0.659
    """Share of the link's bandwidth in all-reduces of many bytes."""
    activation_passes: float = 9.53
    """How often a token's hidden state is read or written per layer, outside matrix multiplications."""
    prompt: float = 0.0173
    """Per prompt, before the GPU starts: HTTP, tokenizer, scheduling."""
    prompt_layer: float = 0.000299
    """Per prompt and layer: steps with prompts run without full CUDA graphs."""
    queue: float = 0.0721
    """Share of the prompts of all other requests in flight for which a prompt waits."""


CONSTANTS = Constants()


@dataclass(frozen=True)
class Served:
    """Speed of one replica under typical requests. Means; times in seconds."""

    output_tokens_per_second: float
    ttft: float
    """Time in the queue included."""
    tpot: float


@dataclass(frozen=True)
class Performance:
    """Speed of one model on one replica."""

    work: Work
    accelerator: Accelerator
    constants: Constants = CONSTANTS
    scale: float = 1.0
    """Times as fast as the constants say: what a measurement has shown."""

    def serve(self, in_flight: float, prompt_tokens: float, output_tokens: float, running: float = math.inf) -> Served:
        """Speed with `in_flight` requests at the replica, of which at most `running` run at once."""
        w, steps = self.work, max(1.0, output_tokens - 1)
        rank = min(in_flight, running) / w.data
        step = self.step(rank / w.pipeline, prompt_tokens + output_tokens / 2)
        prompt = self.prompt(prompt_tokens, rank / w.pipeline)
        others = max(0.0, rank - 1) * prompt / w.pipeline
        first = self.constants.prompt + prompt + step / 2 + self.constants.queue * others
        cycle = max(first, self.constants.prompt + prompt + others) + steps * step
        rate = self.scale * rank * w.data / cycle
        waiting = max(0.0, in_flight - running) / rate
        return Served(rate * output_tokens, first / self.scale + waiting, (cycle - first) / steps / self.scale)

    def prompt_share(self, in_flight: float, prompt_tokens: float, output_tokens: float) -> float:
        """Share of a busy replica's time that it computes prompts; the rest it decodes."""
        w = self.work
        sequences = in_flight / w.data / w.pipeline
        prompts = sequences * self.prompt(prompt_tokens, sequences)
        return prompts / (prompts + max(1.0, output_tokens - 1) * self.step(sequences, prompt_tokens + output_tokens / 2))

    def step(self, sequences: float, context: float) -> float:
        """Seconds of a step in which `sequences` with `context` tokens each decode one token."""
        w, c = self.work, self.constants
        read = sum(one.kv_bytes * min(context, one.most_seen) for one in w.attention) + 2 * w.state_bytes
        each = read / self._bandwidth(c.kv_bandwidth) + c.sequence
        return self._fixed + self._tokens(sequences) + self._multiplied(w.output, sequences) + sequences * each

    def prompt(self, tokens: float, sequences: float) -> float:
        """Seconds that a prompt of `tokens` adds to a step in which `sequences` decode."""
        w, c = self.work, self.constants
        own = self._tokens(sequences + tokens) - self._tokens(sequences)
        flops = tokens * sum(one.flops * min(tokens / 2, one.most_seen) for one in w.attention)
        attention = flops / (self.accelerator.bf16_tflops * 1e12 * c.attention_arithmetic)
        return c.prompt_layer * w.layers + own + attention

    @cached_property
    def _fixed(self) -> float:
        w, c = self.work, self.constants
        reduced = 2 * w.layers * c.all_reduce * math.log2(w.tensor * self._connected)
        return c.step + c.layer * w.layers + c.expert_layer * w.expert_layers + reduced

    @property
    def _connected(self) -> int:
        """Data parallel ranks that exchange tokens: those of a model with experts."""
        return self.work.data if self.work.experts else 1

    def _tokens(self, tokens: float) -> float:
        """Seconds of matrix multiplications, communication and activation traffic for `tokens` in one step."""
        w, c = self.work, self.constants
        multiplied = sum(self._multiplied(one, tokens) for one in w.dense)
        if w.experts:
            visited = 1 - (1 - w.expert_share) ** (tokens * w.data)
            multiplied += self._multiplied(w.experts, tokens * w.data, read=visited, expert=True)
        activations = tokens * w.hidden_bytes * c.activation_passes / self._bandwidth(c.weight_bandwidth)
        exchanged = 4 * (1 - 1 / (w.tensor * self._connected)) * tokens * w.hidden_bytes
        return multiplied + activations + exchanged / (self.accelerator.interconnect_gb_per_second * 1e9 * c.link_bandwidth)

    def _multiplied(self, matrices: Matrices, tokens: float, *, read: float = 1.0, expert: bool = False) -> float:
        """Seconds to multiply `tokens` with the matrices, of whose weights the share `read` is used."""
        c, flops = self.constants, self._flops[matrices.numbers]
        memory = matrices.size * read / self._bandwidth(c.expert_bandwidth if expert else c.weight_bandwidth)
        if expert and matrices.numbers != "bf16" and flops == self._flops["unpacked"]:
            memory /= c.unpacked_bandwidth
        arithmetic = tokens * matrices.flops / (flops * c.expert_arithmetic if expert else flops)
        return math.hypot(memory, arithmetic)

    @cached_property
    def _flops(self) -> dict[Numbers, float]:
        """FLOPS reached with weights of each format; formats that the GPU cannot multiply are unpacked to 16 bits first."""
        gpu, c = self.accelerator, self.constants
        unpacked = gpu.bf16_tflops * 1e12 * c.unpacked_arithmetic
        fp8 = gpu.fp8_tflops * 1e12 * c.fp8_arithmetic if gpu.fp8_tflops else unpacked
        fp4 = gpu.fp4_tflops * 1e12 * c.fp4_arithmetic if gpu.fp4_tflops else unpacked
        # On a GPU with FP4, MXFP4 weights are multiplied with 8-bit activations.
        mxfp4 = fp8 if gpu.fp4_tflops else unpacked
        return {
            "bf16": gpu.bf16_tflops * 1e12 * c.bf16_arithmetic,
            "fp8": fp8,
            "nvfp4": fp4,
            "mxfp4": mxfp4,
            "unpacked": unpacked,
        }

    def _bandwidth(self, share: float) -> float:
        return self.accelerator.memory_bandwidth_gb_per_second * 1e9 * share
