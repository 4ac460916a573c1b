"""What a sequence costs in KV cache, as vLLM's hybrid allocator counts it.

Formulas: vLLM 0.33.0, v1/core/kv_cache_utils.py and v1/kv_cache_interface.py. Layers are put into groups of equal size by how they
attend; a block of `block_size` tokens is allocated to a whole group. Sliding and chunked layers keep what they can still see plus
what is in flight; linear layers keep one state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from config.architecture import Architecture
from config.layers import LayerKind

BLOCK_SIZE = 16
# Asynchronous scheduling, vLLM's default, has two batches in flight.
BATCHES_IN_FLIGHT = 2
# fp32, as Qwen3-Next and Qwen3.5 keep the temporal state of their linear layers.
_STATE_BYTES = 4


@dataclass(frozen=True)
class KvCache:
    """KV cache of one model on one GPU. Sizes in bytes, lengths in tokens."""

    architecture: Architecture
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    dtype_bytes: int = 2
    max_num_batched_tokens: int = 8192
    batches_in_flight: int = BATCHES_IN_FLIGHT

    @cached_property
    def bytes_per_token_and_layer(self) -> int:
        """K and V of the KV heads on this GPU; MLA caches one latent, which tensor parallelism does not split.

        With more GPUs than KV heads each GPU holds one head's copy.
        """
        a = self.architecture
        if a.kv_lora_rank is not None:
            return (a.kv_lora_rank + a.qk_rope_head_dim) * self.dtype_bytes
        return 2 * max(1, a.kv_heads // self.tensor_parallel_size) * a.head_size * self.dtype_bytes

    @property
    def bytes_per_token(self) -> int:
        """Growth per token of context: only layers that see the whole context grow."""
        return self._layers.get("full", 0) * self.bytes_per_token_and_layer

    @cached_property
    def _layers(self) -> dict[LayerKind, int]:
        """Layers of the largest pipeline stage."""
        stages = self.pipeline_parallel_size
        return {kind: math.ceil(count / stages) for kind, count in self.architecture.layers().items()}

    @property
    def state_bytes(self) -> int:
        """State of one sequence in one linear-attention layer: convolution and temporal state."""
        a = self.architecture
        keys = a.linear_num_key_heads * a.linear_key_head_dim
        values = a.linear_num_value_heads * a.linear_value_head_dim
        convolution = (2 * keys + values) * max(0, a.linear_conv_kernel_dim - 1)
        temporal = values * a.linear_key_head_dim
        return math.ceil((convolution + temporal) / self.tensor_parallel_size) * _STATE_BYTES

    @cached_property
    def block_size(self) -> int:
        """Tokens of a block; with linear layers, enough that a block is as large as a state."""
        if "linear" not in self._layers:
            return BLOCK_SIZE
        return BLOCK_SIZE * math.ceil(self.state_bytes / self.bytes_per_token_and_layer / BLOCK_SIZE)

    @cached_property
    def _group_size(self) -> int:
        """Layers of a group: as many as the rarest kind has, unless the kinds are nearly equal in number."""
        counts = self._layers.values()
        return max(counts) if max(counts) < min(counts) * 1.25 else min(counts)

    def bytes_per_sequence(self, tokens: int) -> int:
        """KV cache that a sequence of `tokens` needs; never less than what vLLM would refuse to start without."""
        size = self._group_size
        blocks = sum(math.ceil(count / size) * self._blocks(kind, tokens) for kind, count in self._layers.items())
        return blocks * size * self.block_size * self.bytes_per_token_and_layer

    def _blocks(self, kind: LayerKind, tokens: int) -> int:
        a, in_flight = self.architecture, self.batches_in_flight * self.max_num_batched_tokens
        if kind == "linear":
            return 1
        if kind == "sliding":
            held = min((a.sliding_window or 0) - 1 + in_flight, tokens)
            return math.ceil(held / self.block_size) + 1
        if kind == "chunked":
            return math.ceil(min((a.attention_chunk_size or 0) + in_flight, tokens) / self.block_size)
        return math.ceil(tokens / self.block_size)

    def longest_sequence(self, available: float, limit: int) -> int:
        """The most tokens, up to `limit`, that a sequence may have with `available` bytes; 0 where not even one block fits."""
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            if self.bytes_per_sequence(middle) <= available:
                low = middle
            else:
                high = middle - 1
        return low
