"""Reads memory figures from a start-up log of vLLM 0.18 to 0.33. No I/O.

Lines may be JSON, or have prefixes: a process (`(Worker_TP0 pid=57)`), level and time, colours, a container runtime's prefix. Of several
starts in one log the last one counts, of several GPUs the one with the least KV cache.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from tools.engine_log import as_text

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ENGINE = re.compile(r"Initializing a V1 LLM engine \(v(?P<version>\d+\.\d+[^)]*)\) with config: (?P<config>.*)")
_ARGUMENTS = re.compile(r"non-default args: (?P<arguments>\{.*\})")
_WEIGHTS = re.compile(r"Model loading took (-?[\d.]+) GiB")
_KV_CACHE = re.compile(r"Available KV cache memory: (-?[\d.]+) GiB")
_TOKENS = re.compile(r"GPU KV cache size: ([\d,]+) tokens")
_BATCHED = re.compile(r"max_num_batched_tokens=(\d+)")
_BATCHED_IN_CONFIG = re.compile(r"'compile_ranges_endpoints': \[(?:\d+, )*(\d+)\]")
_UTILIZATION = re.compile(
    r"Desired GPU memory utilization is \(([\d.]+),|current --gpu-memory-utilization=([\d.]+)|gpu-memory-utilization from ([\d.]+) to"
)
_DEVICE = re.compile(r"Free memory on device[^(]*\([\d.]+/([\d.]+) GiB\)")
_DAY = re.compile(r"\b(?:INFO|WARNING) (\d\d)-(\d\d) \d\d:\d\d:\d\d")


class Incomplete(Exception):  # noqa: N818 - reads as what happened
    """Why a log gives no row."""


@dataclass(frozen=True)
class StartupLog:
    """Figures of one start. Sizes in GiB per GPU; None if the log does not have them."""

    version: str
    tensor: int
    pipeline: int
    utilization: float
    max_model_len: int
    batched_tokens: int
    max_num_seqs: int | None
    kv_cache_dtype: str
    enforce_eager: bool
    weights: float
    kv_cache: float
    tokens: int
    device: float | None
    month_and_day: tuple[int, int] | None


def read(text: str) -> StartupLog:
    """The last start in `text`.

    Raises:
        Incomplete: a line that is needed is missing, or vLLM did not start.
    """
    before, engine, after = _last_start(_COLOUR.sub("", as_text(text)))
    config, arguments = engine["config"], _arguments(before)
    weights, kv_cache = _all(_WEIGHTS, after), _all(_KV_CACHE, after)
    if not weights:
        raise Incomplete("the log has no line 'Model loading took ... GiB memory'")
    if not kv_cache:
        raise Incomplete("the log has no line 'Available KV cache memory: ... GiB': with --kv-cache-memory-bytes vLLM measures none")
    tokens = _all(_TOKENS, after)
    if min(kv_cache) <= 0 or not tokens:
        raise Incomplete(f"vLLM did not start: {min(kv_cache)} GiB were left for the KV cache, and no 'GPU KV cache size' follows")
    return StartupLog(
        version=engine["version"],
        tensor=int(_field(config, "tensor_parallel_size")),
        pipeline=int(_field(config, "pipeline_parallel_size")),
        utilization=_utilization(arguments, after),
        max_model_len=int(_field(config, "max_seq_len")),
        batched_tokens=_batched(arguments, before, config),
        max_num_seqs=arguments.get("max_num_seqs"),
        kv_cache_dtype=_field(config, "kv_cache_dtype"),
        enforce_eager=_field(config, "enforce_eager") == "True",
        weights=max(weights),
        kv_cache=min(kv_cache),
        tokens=int(min(tokens)),
        device=min(_all(_DEVICE, after), default=None),
        month_and_day=(int(day[1]), int(day[2])) if (day := _DAY.search(after)) else None,
    )


def _last_start(text: str) -> tuple[str, re.Match[str], str]:
    """Text before the last "Initializing a V1 LLM engine" line, the match of that line, and the text after it."""
    starts = list(_ENGINE.finditer(text))
    if not starts:
        raise Incomplete("the log has no line 'Initializing a V1 LLM engine (v...) with config: ...'")
    return text[: starts[-1].start()], starts[-1], text[starts[-1].end() :]


def _arguments(before: str) -> dict[str, Any]:
    """The server's non-default arguments from the log; values that are not Python literals are left out."""
    lines = list(_ARGUMENTS.finditer(before))
    if not lines:
        return {}
    try:
        return dict(ast.literal_eval(lines[-1]["arguments"]))
    except (ValueError, SyntaxError):
        return {key: ast.literal_eval(value) for key, value in re.findall(r"'(\w+)': (\d+(?:\.\d+)?)(?=[,}])", lines[-1]["arguments"])}


def _field(config: str, name: str) -> str:
    if found := re.search(rf"\b{name}=([^,\s]+)", config):
        return found[1].strip("'\"")
    raise Incomplete(f"the line of the engine's config has no {name}")


def _utilization(arguments: dict[str, Any], after: str) -> float:
    if "gpu_memory_utilization" in arguments:
        return float(arguments["gpu_memory_utilization"])
    if found := _UTILIZATION.search(after):
        return float(next(group for group in found.groups() if group))
    raise Incomplete(
        "the log has no line 'non-default args: ...' with gpu_memory_utilization, and none that says 'Desired GPU memory utilization'"
    )


def _batched(arguments: dict[str, Any], before: str, config: str) -> int:
    if "max_num_batched_tokens" in arguments:
        return int(arguments["max_num_batched_tokens"])
    found = _all(_BATCHED, before) or _all(_BATCHED_IN_CONFIG, config)
    if not found:
        raise Incomplete("the log has no line 'Chunked prefill is enabled with max_num_batched_tokens=...'")
    return int(found[-1])


def _all(pattern: re.Pattern[str], text: str) -> list[float]:
    return [float(value.replace(",", "")) for value in pattern.findall(text)]
