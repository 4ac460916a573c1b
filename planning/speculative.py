"""Speculative decoding: weights and KV cache of the draft, and settings that vLLM refuses.

A head (EAGLE, multi-token prediction) shares the model's embeddings and reads its hidden states; a draft model is a complete model, split
over the tensor parallel GPUs like the target model. The acceptance rate depends on the requests, so the planned speed ignores
speculation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from config import catalog
from config.architecture import Architecture
from config.errors import Problem, suggestion
from config.models import Model, Parallelism
from config.speculative import Speculative
from planning.compatibility import splits_heads
from planning.kv_cache import KvCache, kv_dtype_bytes
from planning.parameters import count_parameters
from planning.weight_size import bytes_per_weight, plain_bytes, weight_bytes, weights_per_gpu

# Model types whose own layers vLLM 0.33.0 can use for multi-token prediction (SpeculativeConfig.hf_config_override).
MTP_MODEL_TYPES = frozenset(
    {"deepseek_v3", "deepseek_v32", "deepseek_v4", "glm_moe_dsa", "glm4_moe", "glm4_moe_lite", "glm_ocr", "glm5_next", "mimo", "mimo_v2",
     "mimo_v2_flash", "ernie4_5_moe", "nemotron_h", "qwen3_next", "qwen3_5", "qwen3_5_moe", "qwen3_5_text", "qwen3_5_moe_text",
     "exaone_moe", "exaone4_5", "longcat_flash", "bailing_hybrid", "pangu_ultra_moe", "kimi_k3", "minimax_m3", "step3p5", "step5", "hy_v3",
     "hy_v4"}
)  # fmt: skip
# Input of a head in multiples of hidden_size: EAGLE-3 reads the hidden states of three layers, the others one and the token's embedding.
_HEAD_INPUTS = {"eagle": 2, "eagle3": 3, "mtp": 2}


@dataclass(frozen=True)
class Draft:
    """A draft model or head, for the methods that need memory for one."""

    method: str
    architecture: Architecture
    """Architecture of the draft model; for a head, its single layer."""
    parameters: int | None = None
    assumed: bool = False
    """The head's architecture is not known, so it counts as one layer of the model."""

    @property
    def is_head(self) -> bool:
        return self.method != "draft_model"


@dataclass(frozen=True)
class KvCacheWithDraft(KvCache):
    """The KV cache of the model plus that of its draft for the same tokens."""

    draft: KvCache | None = None

    @property
    def bytes_per_token(self) -> int:
        return super().bytes_per_token + (self.draft.bytes_per_token if self.draft else 0)

    def bytes_per_sequence(self, tokens: int) -> int:
        return super().bytes_per_sequence(tokens) + (self.draft.bytes_per_sequence(tokens) if self.draft else 0)


def draft_revision(model: Model) -> str | None:
    speculative = model.engine.speculative
    row = catalog.model(speculative.model) if speculative and speculative.model else None
    return (speculative.revision if speculative else None) or (row.revision if row else None)


def draft_of(model: Model, architecture: Architecture) -> Draft | None:
    """None without speculative decoding, for method `ngram`, and for a draft model without a known architecture."""
    speculative = model.engine.speculative
    if speculative is None or speculative.method == "ngram":
        return None
    if speculative.model is None:
        return Draft("mtp", _one_layer(architecture))
    row = catalog.model(speculative.model)
    if speculative.architecture:
        return Draft(speculative.method, speculative.architecture)
    if row:
        return Draft(speculative.method, row.architecture, row.parameters)
    return None if speculative.method == "draft_model" else Draft(speculative.method, _one_layer(architecture), assumed=True)


def _one_layer(architecture: Architecture) -> Architecture:
    """The architecture reduced to one full-attention layer, with experts if the model has experts."""
    plain = {
        "num_hidden_layers": 1, "layer_types": None, "hybrid_override_pattern": None, "full_attention_interval": None,
        "sliding_window": None, "sliding_window_pattern": None, "attention_chunk_size": None, "no_rope_layer_interval": None,
        "first_k_dense_replace": 0, "mlp_only_layers": (), "interleave_moe_layer_step": 1, "num_kv_shared_layers": 0,
        "hidden_size_per_layer_input": 0, "vision_config": None, "audio_config": None, "indexer_layers": None,
    }  # fmt: skip
    return Architecture.model_validate(architecture.model_dump() | plain)


def draft_weights(draft: Draft, architecture: Architecture, parallelism: Parallelism, dtype: str) -> tuple[int, float]:
    """Bytes in total and bytes per GPU. Pipeline parallelism does not split a draft."""
    spread = Parallelism(tensor=parallelism.tensor, data=parallelism.data, expert=parallelism.expert and draft.architecture.is_moe)
    total = weight_bytes(draft.architecture, draft.parameters, dtype)
    per_gpu = weights_per_gpu(draft.architecture, total, spread, dtype)
    if not draft.is_head:
        return total, per_gpu
    count, plain = count_parameters(draft.architecture), plain_bytes(draft.architecture, dtype)
    each = bytes_per_weight(draft.architecture, plain)
    shared = count.embedding * each["embedding"] + (0 if draft.method == "eagle3" else count.lm_head * each["lm_head"])
    reads = _HEAD_INPUTS[draft.method] * architecture.hidden_size * draft.architecture.hidden_size * plain
    return round(total - shared + reads), per_gpu - shared / spread.tensor + reads


def draft_kv_cache(draft: Draft, model: Model, max_num_batched_tokens: int) -> KvCache:
    return KvCache(
        draft.architecture, model.parallelism.tensor, dtype_bytes=kv_dtype_bytes(model), max_num_batched_tokens=max_num_batched_tokens
    )


def with_draft(cache: KvCache, draft: KvCache | None) -> KvCache:
    fields = {name: getattr(cache, name) for name in KvCache.__dataclass_fields__}
    return replace(KvCacheWithDraft(**fields), draft=draft) if draft else cache


def speculative_problems(path: str, model: Model, architecture: Architecture, batched_tokens: int, seqs: int) -> Iterator[Problem]:
    speculative = model.engine.speculative
    if speculative is None:
        return
    path = f"{path}.engine.speculative"
    tokens = speculative.num_speculative_tokens
    if speculative.method != "ngram" and batched_tokens <= tokens:
        message = f"a step of {batched_tokens} tokens has no room for {tokens} proposed ones"
        yield Problem(f"{path}.numSpeculativeTokens", message, "propose fewer, or raise engine.maxNumBatchedTokens")
    if model.lora_adapters and batched_tokens < seqs * (tokens + 1):
        message = f"with adapters vLLM requires a step to hold {tokens} proposed tokens and one of each of {seqs} sequences"
        yield Problem(f"{path}.numSpeculativeTokens", message, f"set engine.maxNumBatchedTokens to at least {seqs * (tokens + 1)}")
    if speculative.model is None:
        if speculative.method == "mtp" and architecture.model_type not in MTP_MODEL_TYPES:
            message = f"{model.source} has no layers for multi-token prediction that vLLM could use"
            yield Problem(f"{path}.method", message, "use ngram, or eagle3 with a head that was trained for it")
        return
    if model.weights.source != "hugging-face":
        message = f"{speculative.model} is downloaded from Hugging Face, but the weights are not, so there is no volume for it"
        yield Problem(f"{path}.model", message, "remove weights.uri or weights.claim, or use method ngram or mtp")
    yield from _draft_problems(path, model, architecture, speculative)


def _draft_problems(path: str, model: Model, architecture: Architecture, speculative: Speculative) -> Iterator[Problem]:
    draft = draft_of(model, architecture)
    if draft is None:
        by_hand = f"give its `architecture`: `make describe-model MODEL={speculative.model}` prints it"
        advice = suggestion(str(speculative.model), catalog.model_ids(), otherwise="")
        message = f"'{speculative.model}' is not in the catalogue"
        yield Problem(f"{path}.model", message, f"{advice} or {by_hand}" if advice else by_hand)
        return
    if not splits_heads(draft.architecture, model.parallelism.tensor):
        message = f"its {draft.architecture.num_attention_heads} attention heads do not divide over {model.parallelism.tensor} GPUs"
        yield Problem(f"{path}.model", message, "choose another draft, or a parallelism.tensor that divides both")
    if draft.is_head:
        return
    if draft.architecture.vocab_size != architecture.vocab_size:
        message = f"its vocabulary has {draft.architecture.vocab_size} tokens, that of {model.source} {architecture.vocab_size}"
        yield Problem(f"{path}.model", message, "choose a draft of the same family, with the same vocabulary")
    length = model.engine.max_model_len or architecture.context_length
    if draft.architecture.context_length < length:
        message = f"it was made for {draft.architecture.context_length} positions, to which vLLM would lower the model's {length}"
        yield Problem(f"{path}.model", message, f"set engine.maxModelLen to at most {draft.architecture.context_length}")


def speculative_warnings(path: str, model: Model, architecture: Architecture) -> Iterator[Problem]:
    draft = draft_of(model, architecture)
    if draft and draft.assumed:
        message = "the size of its weights and KV cache is not known, so it counts as one layer of the model"
        yield Problem(f"{path}.engine.speculative.model", message, "give its architecture, with draft_vocab_size as vocab_size")
