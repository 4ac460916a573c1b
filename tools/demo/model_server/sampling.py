"""Values of sampling parameters that vLLM refuses. Source: vLLM 0.33, vllm/sampling_params.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.demo.model_server.errors import impossible
from tools.demo.model_server.requests import ModelRequest
from tools.demo.model_server.settings import ServerSettings

_MOST_LOGPROBS = 20  # --max-logprobs
_MOST_CHOICES = 16_384  # VLLM_MAX_N_SEQUENCES
_OPENAI_PENALTY: Callable[[Any], bool] = lambda value: -2 <= value <= 2  # noqa: E731
# Parameter, what it may be, how that is said, and whether the error's `param` names it.
_RANGES: tuple[tuple[str, Callable[[Any], bool], str, bool], ...] = (
    ("n", lambda value: value >= 1, "be at least 1", False),
    ("presence_penalty", _OPENAI_PENALTY, "be in [-2, 2]", False),
    ("frequency_penalty", _OPENAI_PENALTY, "be in [-2, 2]", False),
    ("repetition_penalty", lambda value: value > 0, "be greater than zero", False),
    ("temperature", lambda value: value >= 0, "be non-negative", True),
    ("temperature", lambda value: value <= 2, "be in [0, 2]", True),
    ("top_p", lambda value: 0 < value <= 1, "be in (0, 1]", True),
    ("top_k", lambda value: value >= -1, "be 0 (disable), or at least 1", False),
    ("min_p", lambda value: 0 <= value <= 1, "be in [0, 1]", False),
    ("min_tokens", lambda value: value >= 0, "be greater than or equal to 0", False),
)


def check_sampling(asked: ModelRequest, server: ServerSettings, limit: int | None) -> None:
    """`limit`: tokens of the answer at most.

    Raises:
        ApiError: a value is out of its range.
    """
    for name, allowed, said, named in _RANGES:
        value = getattr(asked, name)
        if value is not None and not allowed(value):
            raise impossible(f"{name} must {said}, got {value}.", *((name, value) if named else ()))
    if limit is not None and asked.min_tokens > limit:
        raise impossible(f"min_tokens must be less than or equal to max_tokens={limit}, got {asked.min_tokens}.")
    if "" in ([asked.stop] if isinstance(asked.stop, str) else asked.stop or ()):
        raise impossible("stop cannot contain an empty string.")
    _check_bias(asked.logit_bias or {}, server.vocab_size)
    logprobs = asked.sampled_logprobs
    logprobs = server.vocab_size if logprobs == -1 else logprobs
    if logprobs is not None and logprobs > _MOST_LOGPROBS:
        message = f"Requested sample logprobs of {logprobs}, which is greater than max allowed: {_MOST_LOGPROBS}"
        raise impossible(message, "logprobs", logprobs)


def check_choices(asked: ModelRequest) -> None:
    """After admission, as there: more than may wait are refused as too many for now."""
    if asked.choices > _MOST_CHOICES:
        raise impossible(f"n must be at most {_MOST_CHOICES}, got {asked.choices}.")


def _check_bias(bias: dict[str, float], vocab_size: int) -> None:
    wrong = [token for token in bias if not token.lstrip("-").isdecimal()]
    if wrong:
        message = f"logit_bias contains key(s) that cannot be converted to integer token IDs: {wrong}"
        raise impossible(message, "logit_bias", wrong)
    outside = [int(token) for token in bias if not 0 <= int(token) < vocab_size]
    if outside:
        message = f"token_id(s) {outside} in logit_bias contain out-of-vocab token ids. Vocabulary size: {vocab_size}"
        raise impossible(message, "logit_bias", outside)
