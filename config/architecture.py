"""A model's architecture, in the terms of its Hugging Face `config.json`: what memory, parallelism and context length follow from.

Keys are spelt as the model's own config.json spells them; where files differ in spelling,
`tools.catalogue.hugging_face.config` translates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from config.encoder import Encoder
from config.errors import rule
from config.layers import LayerKind, impossible_layers, layer_kinds
from config.numbers import StrictNumbers
from config.quantization import QuantizationConfig
from config.section import NonNegative, Positive

# Encoders alone: they attend in both directions and keep no KV cache.
ENCODERS = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "distilbert", "modernbert", "nomic_bert", "new", "electra", "mpnet"})
# Their positions begin after the padding token's (RobertaEmbedding).
ROBERTA = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})


LayerCount = Annotated[int, Field(gt=0, le=1000)]


def _named(*names: str, description: str, default: Any = ...) -> Any:
    return Field(default=default, validation_alias=AliasChoices(*names), serialization_alias=names[0], description=description)


@dataclass(frozen=True)
class Heads:
    """Heads of one attention layer, and their widths."""

    query: int
    key_value: int
    key_size: int
    value_size: int


# Keys of config.json that say something of sizes or caches and that an architecture spells otherwise, or does not know.
_TRANSLATED_KEYS = frozenset(
    {
        "rope_scaling", "rope_parameters", "text_config", "linear_attn_config", "hybrid_layer_pattern", "layers_block_type", "moe_k",
        "moe_layer_freq", "mlp_layer_types", "indexer_types", "moe_num_experts", "decoder_sparse_step", "use_sliding_window",
        "model_max_length", "no_rope_layers", "num_local_experts", "top_k_experts", "max_window_layers",
    }
)  # fmt: skip
_UNMODELLED_KEYS = frozenset(
    {
        "compress_ratios", "block_configs", "sparse_attention_config", "hc_mult", "attn_res_block_size", "altup_num_inputs", "laurel_rank",
        "is_encoder_decoder", "cross_attention_layers", "decoder_layers", "num_attention_heads_per_layer", "attn_layer_period",
        "state_size", "routed_expert_hidden_size", "mamba_d_ssm", "o_lora_rank", "num_hash_layers", "prefix_dense_sliding_window_pattern",
    }
)  # fmt: skip


class Architecture(StrictNumbers):
    """Counts of a transformer, spelt as `config.json` spells them (the text model's own, where vision is nested around it)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=())

    model_type: str = Field(description="llama, qwen3, deepseek_v3, ...")
    torch_dtype: str = _named("torch_dtype", "dtype", default="bfloat16", description="Type of the unquantized weights.")
    hidden_size: Positive = _named("hidden_size", "n_embd", description="Width of the residual stream.")
    num_hidden_layers: LayerCount = _named("num_hidden_layers", "n_layer", description="Layers.")
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
    original_max_position_embeddings: Positive | None = Field(
        default=None, description="longrope: the context that vLLM takes where maxModelLen asks for no longer one."
    )

    global_head_dim: Positive | None = Field(default=None, description="Width of a head in full layers where others slide (Gemma 4).")
    num_global_key_value_heads: Positive | None = Field(default=None, description="KV heads of full layers (Gemma 4).")
    attention_k_eq_v: bool = Field(default=False, description="Full layers have no projection of values (Gemma 4).")
    num_kv_shared_layers: NonNegative = Field(default=0, description="Last layers that read another layer's KV cache (Gemma 3n, 4).")
    hidden_size_per_layer_input: NonNegative = Field(default=0, description="Width of the embeddings of each layer (Gemma 3n, 4).")
    vocab_size_per_layer_input: Positive | None = Field(default=None, description="Tokens that they know. Default: vocab_size.")
    use_double_wide_mlp: bool = Field(default=False, description="Layers that share KV have an MLP of twice the width (Gemma 4).")
    enable_moe_block: bool = Field(default=False, description="A layer has experts beside its dense MLP (Gemma 4).")
    swa_num_attention_heads: Positive | None = Field(default=None, description="Query heads of sliding layers (MiMo-V2).")
    swa_num_key_value_heads: Positive | None = Field(default=None, description="KV heads of sliding layers (MiMo-V2).")
    swa_head_dim: Positive | None = Field(default=None, description="Width of a key head in sliding layers (MiMo-V2).")
    swa_v_head_dim: Positive | None = Field(default=None, description="Width of a value head in sliding layers (MiMo-V2).")

    num_experts: NonNegative | None = _named(
        "num_experts", "num_local_experts", "n_routed_experts", default=None, description="Experts of a layer."
    )
    num_experts_per_tok: Positive = Field(default=1, description="Experts that a token visits.")
    moe_intermediate_size: Positive | None = Field(default=None, description="Width of an expert. Default: intermediate_size.")
    n_shared_experts: NonNegative = Field(default=0, description="Experts that every token visits.")
    shared_expert_intermediate_size: Positive | None = Field(default=None, description="Width of the shared expert.")
    moe_shared_expert_intermediate_size: Positive | None = Field(default=None, description="Width of the shared expert (Nemotron-H).")
    moe_latent_size: Positive | None = Field(default=None, description="Width that routed experts work in (Nemotron 3).")
    first_k_dense_replace: NonNegative = Field(default=0, description="First layers with a dense MLP.")
    mlp_only_layers: tuple[NonNegative, ...] = Field(default=(), description="Layers with a dense MLP, where they are not the first.")
    interleave_moe_layer_step: Positive = Field(default=1, description="Every n-th layer has experts (Llama 4).")
    intermediate_size_mlp: Positive | None = Field(
        default=None, description="Width of the dense MLP where intermediate_size is an expert's (Llama 4)."
    )

    q_lora_rank: Positive | None = Field(default=None, description="MLA: rank of the queries' compression.")
    kv_lora_rank: Positive | None = Field(default=None, description="MLA: rank of the latent that is cached.")
    qk_nope_head_dim: NonNegative = Field(default=0, description="MLA: width of a head without position.")
    qk_rope_head_dim: NonNegative = Field(default=0, description="MLA: width of a head with position, cached too.")
    v_head_dim: NonNegative = Field(default=0, description="Width of a value head, where it is not head_dim.")
    index_topk: Positive | None = Field(default=None, description="Tokens that sparse attention chooses (DeepSeek V3.2, GLM-5).")
    index_head_dim: Positive = Field(default=128, description="Width of the indexer that chooses them; it has a cache of its own.")
    index_n_heads: Positive = Field(default=64, description="Heads of the indexer.")
    indexer_layers: Positive | None = Field(default=None, description="Layers with an indexer of their own. Default: all.")

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

    hybrid_override_pattern: str | None = Field(
        default=None, description="Nemotron-H: a letter a layer. M is Mamba-2, * attention, - an MLP, E experts."
    )
    mamba_num_heads: NonNegative = Field(default=0, description="Mamba-2: heads.")
    mamba_head_dim: NonNegative = Field(default=0, description="Mamba-2: width of a head.")
    ssm_state_size: NonNegative = Field(default=0, description="Mamba-2: state of a head, for each of its columns.")
    n_groups: Positive = Field(default=1, description="Mamba-2: groups of heads that share their inputs.")
    conv_kernel: Positive = Field(default=4, description="Mamba-2: width of the convolution.")
    conv_L_cache: NonNegative = Field(default=0, description="Short convolutions: their width (LFM2).")  # noqa: N815 - as config.json
    mamba_ssm_cache_dtype: Literal["float32", "float16", "bfloat16"] | None = Field(
        default=None, description="Type of the state. Default: vLLM's for the model."
    )

    vision_config: Encoder | None = Field(default=None, description="Encoder of images.")
    audio_config: Encoder | None = Field(default=None, description="Encoder of audio.")
    quantization_config: QuantizationConfig | None = Field(default=None, description="How the checkpoint is quantized.")

    @classmethod
    def unknown_key(cls, key: str) -> tuple[str, str] | None:
        """What is wrong with a key that config.json files have and an architecture has not, and what to do."""
        if key in _UNMODELLED_KEYS:
            return "planning does not model what this key of config.json says", "choose a model without it: its memory would be guessed"
        if key in _TRANSLATED_KEYS:
            return "is spelt otherwise here than in config.json", "take the row that `make describe-model MODEL=<id or file>` prints"
        return None

    @model_validator(mode="after")
    def _counts_are_possible(self) -> Architecture:
        for impossible in self._contradictions():
            raise rule(impossible, "copy the keys from the model's config.json")
        return self

    def _contradictions(self) -> Iterator[str]:
        if self.head_size == 0:
            yield f"hidden_size {self.hidden_size} leaves nothing for each of {self.num_attention_heads} heads"
        yield from impossible_layers(self)
        if self.num_experts and self.num_experts_per_tok > self.num_experts:
            yield f"a token visits {self.num_experts_per_tok} of {self.num_experts} experts"
        if self.context_length < 1:
            yield f"max_position_embeddings {self.max_position_embeddings} times {self.rope_scaling_factor} leaves no context"
        if self.num_kv_shared_layers >= self.num_hidden_layers:
            yield f"{self.num_kv_shared_layers} of {self.num_hidden_layers} layers read another layer's KV cache"

    def __hash__(self) -> int:
        """Of what tells most models apart: plans are kept by architecture, and all fields would take as long as the plan."""
        return hash((self.model_type, self.hidden_size, self.num_hidden_layers, self.intermediate_size, self.vocab_size))

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
    def is_encoder(self) -> bool:
        """Whether it reads texts as a whole and writes none: no KV cache, and a batch holds its longest text."""
        return self.model_type in ENCODERS

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        return tuple(encoder for encoder in (self.vision_config, self.audio_config) if encoder)

    @property
    def positions(self) -> int:
        """max_position_embeddings less those that no token has."""
        return self.max_position_embeddings - (2 if self.model_type in ROBERTA else 0)

    @property
    def context_length(self) -> int:
        """Longest context that vLLM accepts, tokens (_get_and_verify_max_len of vllm/config/model.py 0.33.0)."""
        return int(self.positions * self.rope_scaling_factor)

    @property
    def default_context_length(self) -> int:
        """The context that vLLM takes where none is asked for."""
        return self.original_max_position_embeddings or int(self.positions * self.rope_scaling_factor)

    def heads(self, kind: LayerKind) -> Heads:
        """Heads of an attention layer of this kind. MLA's are those that its queries have."""
        query, key_value, size, values = self.num_attention_heads, self.kv_heads, self.head_size, self.v_head_dim or self.head_size
        if kind == "sliding":
            size = self.swa_head_dim or size
            values = self.swa_v_head_dim or (values if self.v_head_dim else size)
            return Heads(self.swa_num_attention_heads or query, self.swa_num_key_value_heads or key_value, size, values)
        if kind == "full" and self.global_head_dim and len(self.layers()) > 1:
            size = values = self.global_head_dim
        if kind == "full" and self.num_global_key_value_heads and self.attention_k_eq_v:
            key_value = self.num_global_key_value_heads
        return Heads(query, key_value, size, values)

    def layers(self) -> dict[LayerKind, int]:
        """How many layers mix tokens in each way. Nemotron-H's MLPs are layers of their own and mix none."""
        return dict(self._layer_counts)

    @cached_property
    def _layer_counts(self) -> dict[LayerKind, int]:
        return {kind: count for kind, count in Counter(self.layer_kinds).items() if kind is not None}

    @cached_property
    def layer_kinds(self) -> tuple[LayerKind | None, ...]:
        """How each layer mixes tokens; None for an MLP that is a layer of its own."""
        return layer_kinds(self)

    @cached_property
    def has_experts(self) -> tuple[bool, ...]:
        """Of each layer, whether its MLP is one of experts."""
        if not self.is_moe:
            return (False,) * self.num_hidden_layers
        if self.hybrid_override_pattern is not None:
            return tuple(letter == "E" for letter in self.hybrid_override_pattern)
        first, step, dense = self.first_k_dense_replace, self.interleave_moe_layer_step, frozenset(self.mlp_only_layers)
        return tuple(index >= first and (index + 1) % step == 0 and index not in dense for index in range(self.num_hidden_layers))
