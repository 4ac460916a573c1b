"""A model's architecture, in the terms of its Hugging Face `config.json`: what memory, parallelism and context length follow from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from config.errors import rule
from config.numbers import StrictNumbers
from config.section import NonNegative, Positive

AttentionKind = Literal["full", "sliding", "chunked", "linear"]

# Model types whose sliding-window fields in config.json are set but not used.
_EVERY_LAYER_FULL = frozenset({"qwen2", "qwen3", "qwen3_moe"})


_LAYER_KINDS: dict[str, AttentionKind] = {
    "full_attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "chunked",
    "linear_attention": "linear",
}


def _named(*names: str, description: str, default: Any = ...) -> Any:
    return Field(default=default, validation_alias=AliasChoices(*names), serialization_alias=names[0], description=description)


class QuantizationConfig(BaseModel):
    """`quantization_config` of a quantized checkpoint."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    quant_method: str = Field(description="fp8, awq, gptq, mxfp4, modelopt, compressed-tensors.")
    bits: Positive | None = Field(default=None, description="Bits of a weight.")
    group_size: int | None = Field(default=None, ge=-1, description="Weights that share a scale; -1: those of a row.")
    weight_block_size: tuple[Positive, Positive] | None = Field(default=None, description="Block of weights that shares a scale.")


class Architecture(StrictNumbers):
    """Counts of a transformer, spelt as `config.json` spells them (the text model's own, where vision is nested around it)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=())

    model_type: str = Field(description="llama, qwen3, deepseek_v3, ...")
    torch_dtype: str = _named("torch_dtype", "dtype", default="bfloat16", description="Type of the unquantized weights.")
    hidden_size: Positive = _named("hidden_size", "n_embd", description="Width of the residual stream.")
    num_hidden_layers: Positive = _named("num_hidden_layers", "n_layer", description="Layers.")
    num_attention_heads: Positive = _named("num_attention_heads", "n_head", description="Query heads.")
    num_key_value_heads: Positive | None = Field(default=None, description="KV heads. Default: as many as query heads.")
    head_dim: Positive | None = Field(default=None, description="Width of a head. Default: hidden_size / num_attention_heads.")
    intermediate_size: Positive | None = _named(
        "intermediate_size", "n_inner", default=None, description="Width of the MLP. Default: 4 x hidden_size."
    )
    vocab_size: Positive = Field(description="Tokens of the vocabulary.")
    max_position_embeddings: Positive = _named(
        "max_position_embeddings", "n_positions", description="Longest context that the model was made for."
    )
    rope_scaling_factor: float = Field(
        default=1.0, gt=0, le=1000, description="Factor of rope_scaling where max_position_embeddings does not include it."
    )
    tie_word_embeddings: bool = Field(default=False, description="Input and output embeddings are one matrix.")
    attention_bias: bool = Field(default=False, description="Projections of the attention have a bias.")
    attn_output_gate: bool = Field(default=False, description="Attention's output is gated (Qwen3-Next).")

    num_experts: NonNegative | None = _named(
        "num_experts", "num_local_experts", "n_routed_experts", default=None, description="Experts of a layer."
    )
    num_experts_per_tok: Positive = Field(default=1, description="Experts that a token visits.")
    moe_intermediate_size: Positive | None = Field(default=None, description="Width of an expert. Default: intermediate_size.")
    n_shared_experts: NonNegative = Field(default=0, description="Experts that every token visits.")
    shared_expert_intermediate_size: Positive | None = Field(default=None, description="Width of the shared expert.")
    first_k_dense_replace: NonNegative = Field(default=0, description="First layers with a dense MLP.")
    interleave_moe_layer_step: Positive = Field(default=1, description="Every n-th layer has experts (Llama 4).")
    intermediate_size_mlp: Positive | None = Field(
        default=None, description="Width of the dense MLP where intermediate_size is an expert's (Llama 4)."
    )

    q_lora_rank: Positive | None = Field(default=None, description="MLA: rank of the queries' compression.")
    kv_lora_rank: Positive | None = Field(default=None, description="MLA: rank of the latent that is cached.")
    qk_nope_head_dim: NonNegative = Field(default=0, description="MLA: width of a head without position.")
    qk_rope_head_dim: NonNegative = Field(default=0, description="MLA: width of a head with position, cached too.")
    v_head_dim: NonNegative = Field(default=0, description="MLA: width of a value head.")

    sliding_window: NonNegative | None = Field(default=None, description="Tokens that a sliding layer sees.")
    sliding_window_pattern: Positive | None = Field(default=None, description="Every n-th layer is full, the others slide.")
    attention_chunk_size: Positive | None = Field(default=None, description="Tokens of a chunk (Llama 4).")
    no_rope_layer_interval: Positive | None = Field(default=None, description="Every n-th layer is full, the others are chunked (Llama 4).")
    layer_types: tuple[str, ...] | None = Field(default=None, description="Kind of each layer, where a pattern cannot say it.")

    full_attention_interval: Positive | None = Field(default=None, description="Every n-th layer is full, the others linear (Qwen3-Next).")
    linear_num_key_heads: NonNegative = Field(default=0, description="Linear attention: key heads.")
    linear_num_value_heads: NonNegative = Field(default=0, description="Linear attention: value heads.")
    linear_key_head_dim: NonNegative = Field(default=0, description="Linear attention: width of a key head.")
    linear_value_head_dim: NonNegative = Field(default=0, description="Linear attention: width of a value head.")
    linear_conv_kernel_dim: NonNegative = Field(default=0, description="Linear attention: width of the convolution.")

    quantization_config: QuantizationConfig | None = Field(default=None, description="How the checkpoint is quantized.")

    @model_validator(mode="after")
    def _counts_are_possible(self) -> Architecture:
        for impossible in self._contradictions():
            raise rule(impossible, "copy the keys from the model's config.json")
        return self

    def _contradictions(self) -> Iterator[str]:
        if self.head_size == 0:
            yield f"hidden_size {self.hidden_size} leaves nothing for each of {self.num_attention_heads} heads"
        if self.layer_types is not None and len(self.layer_types) != self.num_hidden_layers:
            yield f"layer_types names {len(self.layer_types)} layers of {self.num_hidden_layers}"
        if unknown := sorted(set(self.layer_types or ()) - _LAYER_KINDS.keys()):
            yield f"layer_types names {', '.join(unknown)}, and planning knows {', '.join(_LAYER_KINDS)}"
        if self.num_experts and self.num_experts_per_tok > self.num_experts:
            yield f"a token visits {self.num_experts_per_tok} of {self.num_experts} experts"
        if self.first_k_dense_replace > self.num_hidden_layers:
            yield f"first_k_dense_replace is {self.first_k_dense_replace}, of {self.num_hidden_layers} layers"
        sizes = ("linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim", "linear_conv_kernel_dim")
        missing = [name for name in sizes if not getattr(self, name)]
        if missing and "linear" in self.layers():
            yield f"it has layers of linear attention, but no {', '.join(missing)}"

    @property
    def kv_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def head_size(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def is_mla(self) -> bool:
        return self.kv_lora_rank is not None

    @property
    def is_moe(self) -> bool:
        return bool(self.num_experts)

    @property
    def context_length(self) -> int:
        """Longest context vLLM derives from config.json, tokens."""
        return int(self.max_position_embeddings * self.rope_scaling_factor)

    def layers(self) -> dict[AttentionKind, int]:
        """How many layers attend in each way; the counts add up to `num_hidden_layers`."""
        if self.layer_types is not None:
            return self._counted(self.layer_types)
        interval, other = self._pattern()
        full = self.num_hidden_layers // interval if interval else self.num_hidden_layers
        return {"full": full, other: self.num_hidden_layers - full} if full < self.num_hidden_layers else {"full": full}

    def _pattern(self) -> tuple[int | None, AttentionKind]:
        if self.full_attention_interval:
            return self.full_attention_interval, "linear"
        if self.no_rope_layer_interval and self.attention_chunk_size:
            return self.no_rope_layer_interval, "chunked"
        if self.sliding_window_pattern and self.sliding_window:
            return self.sliding_window_pattern, "sliding"
        if self.sliding_window and self.model_type not in _EVERY_LAYER_FULL:
            return self.num_hidden_layers + 1, "sliding"
        return None, "full"

    def _counted(self, layer_types: tuple[str, ...]) -> dict[AttentionKind, int]:
        counts: dict[AttentionKind, int] = {}
        for layer_type in layer_types:
            kind = _LAYER_KINDS.get(layer_type, "full")
            counts[kind] = counts.get(kind, 0) + 1
        return counts
