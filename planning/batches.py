"""Limits of one step of vLLM's scheduler, and combinations that vLLM refuses at start-up (vllm/config/scheduler.py 0.33.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from config.architecture import Architecture
from config.errors import Problem
from config.models import Model
from planning.engine_options import EngineOptions, engine_options, flag_path
from planning.kv_cache import BLOCK_SIZE, KvCache


@dataclass(frozen=True)
class EngineLimits:
    """Most tokens and sequences of one step."""

    max_num_batched_tokens: int
    max_num_seqs: int
    block_size: int = BLOCK_SIZE
    """Tokens per block of the KV cache, unless --block-size is given."""


def reads_whole_prompts(architecture: Architecture, options: EngineOptions) -> bool:
    """Whether a prompt is prefilled in one step: chunked prefill is off, or the model is an encoder, which cannot do it."""
    return architecture.is_encoder or options.enable_chunked_prefill is False


def raised_and_lowered(limits: EngineLimits, model: Model, architecture: Architecture, max_model_len: int) -> EngineLimits:
    """Adapts limits that are not set to those that are: without chunked prefill a step must hold a whole prompt, and always one token of
    every sequence."""
    tokens, seqs = limits.max_num_batched_tokens, limits.max_num_seqs
    if model.engine.max_num_batched_tokens is None and reads_whole_prompts(architecture, engine_options(model)):
        tokens = max(tokens, max_model_len)
    if model.engine.max_num_batched_tokens is None and model.engine.max_num_seqs is not None:
        tokens = max(tokens, seqs)
    return replace(limits, max_num_batched_tokens=tokens, max_num_seqs=seqs if model.engine.max_num_seqs else min(seqs, tokens))


def _captures_states(model: Model, cache: KvCache) -> bool:
    """Whether CUDA graphs of decoding steps need a block of the state cache for each sequence (vllm/config/compilation.py)."""
    return cache.has_states and not model.engine.enforce_eager and engine_options(model).full_cuda_graphs


def within_states(limits: EngineLimits, model: Model, cache: KvCache, available_bytes: float) -> EngineLimits:
    """Lowers the default max_num_seqs to the number of blocks in the state cache."""
    if model.engine.max_num_seqs or not _captures_states(model, cache):
        return limits
    return replace(limits, max_num_seqs=max(1, min(limits.max_num_seqs, cache.blocks(available_bytes))))


def batch_problems(
    path: str, model: Model, architecture: Architecture, limits: EngineLimits, cache: KvCache, available_bytes: float, max_model_len: int
) -> Iterator[Problem]:
    options = engine_options(model)
    tokens, seqs = limits.max_num_batched_tokens, limits.max_num_seqs
    if tokens < seqs:
        message = f"{seqs} sequences need as many tokens in a step, which holds {tokens}"
        yield Problem(f"{path}.engine.maxNumSeqs", message, f"lower it to {tokens}, or raise engine.maxNumBatchedTokens")
    if tokens < max_model_len and reads_whole_prompts(architecture, options):
        message = f"a step of {tokens} tokens cannot hold a prompt of {max_model_len}, which is read whole"
        yield Problem(f"{path}.engine.maxNumBatchedTokens", message, f"remove it, or raise it to {max_model_len}")
    blocks = cache.blocks(available_bytes) if _captures_states(model, cache) else seqs
    if 0 < blocks < seqs:
        message = f"each of {seqs} sequences needs a block of the state cache, which has {blocks}"
        yield Problem(f"{path}.engine.maxNumSeqs", message, f"remove it, or lower it to at most {blocks}")
    yield from _flag_problems(path, model, architecture, options, seqs, max_model_len)


def _flag_problems(
    path: str, model: Model, architecture: Architecture, options: EngineOptions, seqs: int, max_model_len: int
) -> Iterator[Problem]:
    if options.max_num_active_seqs and options.max_num_active_seqs > seqs:
        message = f"{options.max_num_active_seqs} active sequences are more than the {seqs} of a step"
        yield Problem(flag_path(path, model, "--max-num-active-seqs"), message, f"lower it to {seqs}")
    if options.long_prefill_token_threshold > max_model_len:
        message = f"{options.long_prefill_token_threshold} tokens are more than a prompt may have ({max_model_len})"
        yield Problem(flag_path(path, model, "--long-prefill-token-threshold"), message, f"lower it to {max_model_len}")
    if options.block_size is not None and (options.block_size <= 0 or options.block_size % BLOCK_SIZE):
        message = f"attention kernels take blocks of a multiple of {BLOCK_SIZE} tokens"
        yield Problem(flag_path(path, model, "--block-size"), message, f"use {BLOCK_SIZE}, 32, 64 or 128")
    if architecture.is_encoder and options.runner == "generate":
        message = f"{model.source} is an encoder and generates no text"
        yield Problem(flag_path(path, model, "--runner"), message, "use --runner=pooling, or remove it")
