"""KV cache that a sequence needs, as vLLM's hybrid KV cache manager allocates it.

Formulas: vLLM 0.33.0, v1/core/kv_cache_planning.py and v1/kv_cache_interface.py. Layers of one kind form groups of equal size; a block
is allocated to a whole group and has the same size for every group. Sliding-window and chunked layers keep the tokens of their window
plus those in flight; layers with a state keep it in one block, or two with prefix caching.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from config.architecture import Architecture
from config.layers import STATE_KINDS, LayerKind
from config.models import Model
from planning.states import state_bytes
from planning.weight_size import DTYPE_BYTES

BLOCK_SIZE = 16
CPU_BLOCK_SIZE = 128
# Least block size, tokens, of hybrid models with MLA and state layers (platforms/interface.py).
_LATENT_HYBRID_BLOCK_SIZE = 128
# Asynchronous scheduling, vLLM's default, has one batch in flight beside those of the pipeline stages.
BATCHES_IN_FLIGHT = 2
# Bytes per token and layer of sparse MLA's fp8 cache (fp8_ds_mla); scales of the indexer's keys: 4 bytes for each 128 columns.
_SPARSE_FP8_ROW = 656
_INDEX_SCALE = (128, 4)
# If the layer counts of all kinds differ by less than this factor, the largest count is the group size.
_NEARLY_EQUAL = 1.5


def kv_dtype_bytes(model: Model) -> int:
    """Bytes per element of the KV cache."""
    return 1 if model.engine.kv_cache_dtype.startswith("fp8") else DTYPE_BYTES.get(model.engine.dtype, 2)


@dataclass(frozen=True)
class KvCache:
    """KV cache of one model on one GPU. Sizes in bytes, lengths in tokens."""

    architecture: Architecture
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    dtype_bytes: int = 2
    max_num_batched_tokens: int = 8192
    batches_in_flight: int = BATCHES_IN_FLIGHT
    prefix_caching: bool = True
    smallest_block: int = BLOCK_SIZE

    @property
    def bytes_per_token(self) -> int:
        """Growth per token of context: only full-attention layers grow without limit."""
        return self._layers.get("full", 0) * self._bytes_per_token("full") + self._indexer_bytes

    @cached_property
    def bytes_per_token_and_layer(self) -> int:
        """Bytes per token of one layer, of the kind with the most."""
        return max((self._bytes_per_token(kind) for kind in self._attending), default=0)

    def _bytes_per_token(self, kind: LayerKind) -> int:
        """K and V of the KV heads on this GPU; MLA caches one latent, which tensor parallelism does not split.

        With more GPUs than KV heads each GPU holds one head's copy.
        """
        a = self.architecture
        if a.kv_lora_rank is not None:
            sparse_fp8 = a.index_topk and self.dtype_bytes == 1
            return _SPARSE_FP8_ROW if sparse_fp8 else (a.kv_lora_rank + a.qk_rope_head_dim) * self.dtype_bytes
        heads = a.heads(kind)
        return max(1, heads.key_value // self.tensor_parallel_size) * (heads.key_size + heads.value_size) * self.dtype_bytes

    @property
    def _indexer_bytes(self) -> int:
        """Bytes per token of the sparse-attention indexers' cache: 8-bit keys with scales."""
        a = self.architecture
        if not a.index_topk or not a.is_mla:
            return 0
        columns, scale = _INDEX_SCALE
        indexers = math.ceil((a.indexer_layers or a.num_hidden_layers) / self.pipeline_parallel_size)
        return indexers * (a.index_head_dim + a.index_head_dim // columns * scale)

    @cached_property
    def _layers(self) -> dict[LayerKind, int]:
        """Layers of the largest pipeline stage by kind, without those that share another layer's KV cache."""
        a = self.architecture
        if a.is_encoder:
            return {}
        counts = Counter(a.layer_kinds[: a.num_hidden_layers - a.num_kv_shared_layers])
        return {kind: math.ceil(count / self.pipeline_parallel_size) for kind, count in counts.items() if kind is not None}

    @cached_property
    def _attending(self) -> tuple[LayerKind, ...]:
        return tuple(kind for kind in self._layers if kind not in STATE_KINDS)

    @property
    def has_states(self) -> bool:
        return any(kind in STATE_KINDS for kind in self._layers)

    @cached_property
    def state_bytes(self) -> int:
        """State of one sequence in one state layer, bytes; the largest if the kinds differ."""
        return max((state_bytes(self.architecture, kind, self.tensor_parallel_size) for kind in self._layers), default=0)

    @cached_property
    def block_size(self) -> int:
        """Tokens per block; in a hybrid model enough that a block of attention is at least as large as a state."""
        if not self.has_states:
            return self.smallest_block
        step = max(self.smallest_block, _LATENT_HYBRID_BLOCK_SIZE if self.architecture.is_mla else 0)
        if not self._attending:
            return step
        return step * math.ceil(self.state_bytes / self._bytes_per_token(self._attending[0]) / step)

    @cached_property
    def _page_bytes(self) -> int:
        """Bytes of one block of one layer, equal for every kind."""
        return max(self.block_size * self.bytes_per_token_and_layer, self.state_bytes)

    @cached_property
    def _tokens_per_block(self) -> dict[LayerKind, int]:
        """Tokens per block by kind: a kind with fewer bytes per token has more tokens, if the sizes divide evenly; else padding."""
        ratios = {kind: divmod(self.bytes_per_token_and_layer, self._bytes_per_token(kind)) for kind in self._attending}
        return {kind: self.block_size * (ratio if rest == 0 else 1) for kind, (ratio, rest) in ratios.items()}

    @cached_property
    def _group_size(self) -> int:
        """Layers per group: the smallest layer count of a kind, unless the counts are nearly equal."""
        counts = self._layers.values()
        return max(counts) if max(counts) < min(counts) * _NEARLY_EQUAL else min(counts)

    @cached_property
    def bytes_per_block(self) -> int:
        """Bytes of one block of a group, the indexers' cache included; 0 without a KV cache."""
        if not self._layers:
            return 0
        return self._group_size * self._page_bytes + self.block_size * self._indexer_bytes

    def bytes_per_sequence(self, tokens: int) -> int:
        """KV cache that a sequence of `tokens` needs, at least what vLLM requires at start-up, bytes."""
        if not self._layers:
            return 0
        size = self._group_size
        blocks = sum(math.ceil(count / size) * self._blocks(kind, tokens) for kind, count in self._layers.items())
        return blocks * self.bytes_per_block

    def _blocks(self, kind: LayerKind, tokens: int) -> int:
        if kind in STATE_KINDS:
            return 2 if self.prefix_caching else 1
        a, in_flight = self.architecture, (self.batches_in_flight + self.pipeline_parallel_size - 1) * self.max_num_batched_tokens
        block = self._tokens_per_block[kind]
        if kind == "sliding":
            held = min(max(0, (a.sliding_window or 0) - 1) + in_flight, tokens)
            return math.ceil(held / block) + 1
        if kind == "chunked":
            return math.ceil(min((a.attention_chunk_size or 0) + in_flight, tokens) / block)
        return math.ceil(tokens / block)

    def blocks(self, available_bytes: float) -> int:
        """Blocks in a cache of this size. With state layers vLLM refuses `max_num_seqs` above it (config/compilation.py)."""
        return int(max(0.0, available_bytes) // self.bytes_per_block) if self.bytes_per_block else 0

    def longest_sequence(self, available: float, limit: int) -> int:
        """Longest sequence, up to `limit` tokens, that fits in `available` bytes; 0 if not even one block fits."""
        if self.bytes_per_sequence(limit) <= available:
            return limit
        low, high = 0, limit - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.bytes_per_sequence(middle) <= available:
                low = middle
            else:
                high = middle - 1
        return low
