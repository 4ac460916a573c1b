"""Parameter count of a model by class of module: the classes that quantization and parallelism treat differently.

Counted from the shapes in the model's implementation (Hugging Face transformers, vLLM model_executor/models); tests compare it with
counts of instantiated models and with published counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from config.architecture import Architecture
from config.encoder import Encoder
from config.quantization import ModuleClass
from planning.projections import Projection, projections
from planning.small_parameters import small_parameters


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of parameters by class of module. Tensor parallelism slices all but `replicated` and `other`."""

    attention: int = 0
    """Projections of softmax attention."""
    mixer: int = 0
    """Projections of linear attention, Mamba and convolutions."""
    mlp: int = 0
    shared_experts: int = 0
    experts: int = 0
    """Routed experts, all of them."""
    embedding: int = 0
    """Input embedding; with `tie_word_embeddings` also the output embedding."""
    lm_head: int = 0
    encoder: int = 0
    """Vision and audio encoders, with their projectors to the language model."""
    replicated: int = 0
    """Attention projections that tensor parallelism does not slice: MLA's down-projections, indexers."""
    other: int = 0
    """Norms, biases, routers, convolutions, sinks: never quantized."""

    @property
    def linear(self) -> int:
        """Projections that every token is multiplied with and that tensor parallelism slices."""
        return self.attention + self.mixer + self.mlp + self.shared_experts

    @property
    def total(self) -> int:
        return self.linear + self.experts + self.embedding + self.lm_head + self.encoder + self.replicated + self.other


@lru_cache(maxsize=4096)
def count_parameters(architecture: Architecture) -> ParameterCount:
    """Parameters of the model with all its experts and encoders, without layers for multi-token prediction."""
    a = architecture
    found = projections(a)
    return ParameterCount(
        **{name: _sum(found, name) for name in ("attention", "mixer", "mlp", "shared_experts", "experts")},
        embedding=_embeddings(a),
        lm_head=0 if ties_embeddings(a) else a.vocab_size * a.hidden_size,
        encoder=sum(encoder_parameters(encoder) for encoder in a.encoders),
        replicated=sum(one.total for one in found if not one.sliced),
        other=small_parameters(a),
    )


def _sum(found: tuple[Projection, ...], module: ModuleClass | str) -> int:
    return sum(one.total for one in found if one.module == module and one.sliced)


def ties_embeddings(a: Architecture) -> bool:
    """Whether the model has no separate output embedding: tied to the input embedding, or no output."""
    return a.tie_word_embeddings or a.model_type == "gpt2" or a.is_encoder


def encoder_parameters(encoder: Encoder) -> int:
    """Parameters of an encoder: `parameters` if given, else the four attention projections and two MLP projections of each layer."""
    width = encoder.hidden_size
    return encoder.parameters or encoder.num_hidden_layers * (4 * width * width + 2 * width * encoder.intermediate_size)


def active_parameters(architecture: Architecture) -> int:
    """Parameters used for one token: all but the experts that it is not routed to, and the input embedding, a lookup."""
    count = count_parameters(architecture)
    visited = count.experts * architecture.num_experts_per_tok // (architecture.num_experts or 1)
    return count.linear + count.replicated + visited + architecture.vocab_size * architecture.hidden_size


def _embeddings(a: Architecture) -> int:
    """Input embedding, GPT-2's position embedding, and per-layer embeddings (Gemma 3n, 4)."""
    positions = a.max_position_embeddings * a.hidden_size if a.model_type == "gpt2" else 0
    per_layer = (a.vocab_size_per_layer_input or a.vocab_size) * a.hidden_size_per_layer_input * a.num_hidden_layers
    return a.vocab_size * a.hidden_size + positions + per_layer
