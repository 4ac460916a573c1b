"""The flags of `vllm serve` in the pinned version, and the rule that `extraArgs` may only hold flags that exist and are free.

The list in `catalog/vllm_flags.json` comes from vLLM's own argument parser.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from config.errors import rule, suggestion

# Flags that follow from other settings, and where those are.
OWNED = {
    "--model": "source",
    "--revision": "revision",
    "--tokenizer-revision": "revision",
    "--served-model-name": "servedNames",
    "--max-model-len": "engine.maxModelLen",
    "--gpu-memory-utilization": "engine.gpuMemoryUtilization",
    "--max-num-seqs": "engine.maxNumSeqs",
    "--max-num-batched-tokens": "engine.maxNumBatchedTokens",
    "--max-num-queued-reqs": "engine.maxQueuedRequests",
    "--dtype": "engine.dtype",
    "--kv-cache-dtype": "engine.kvCacheDtype",
    "--enforce-eager": "engine.enforceEager",
    "--enable-prefix-caching": "engine.enablePrefixCaching",
    "--trust-remote-code": "engine.trustRemoteCode",
    "--tensor-parallel-size": "parallelism.tensor",
    "--pipeline-parallel-size": "parallelism.pipeline",
    "--enable-expert-parallel": "parallelism.expert",
    "--enable-lora": "loraAdapters",
    "--lora-modules": "loraAdapters",
    "--max-lora-rank": "loraAdapters",
    "--max-loras": "loraAdapters",
    "--load-format": "weights",
    "--model-loader-extra-config": "weights",
    "--download-dir": "weights",
    "--hf-token": "secrets.huggingFaceToken, which no pod spec shows",
}
FIXED = {
    "--host": "the probes and the Service rely on it",
    "--port": "the probes and the Service rely on it",
    "--uds": "the probes and the Service rely on it",
    "--api-key": "it protects only /v1; the gateway authenticates clients and a NetworkPolicy keeps others out",
    "--shutdown-timeout": "it must agree with preStop and the grace period, so it is planned",
    "--nnodes": "a replica lives on one node",
    "--headless": "a replica lives on one node",
    "--enable-force-include-usage": "the gateway's audit log relies on it: see gateway.countStreamedTokens",
    "--config": "flags in a file would escape this check",
}


@cache
def catalogue() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "catalog" / "vllm_flags.json").read_text())


@cache
def _spellings() -> dict[str, str]:
    """Every accepted spelling -> the flag's main name."""
    names = {flag: flag for flag in catalogue()["flags"]} | catalogue()["aliases"]
    return names | {row["negation"]: flag for flag, row in catalogue()["flags"].items() if "negation" in row}


def checked(argument: str) -> str:
    """`argument`, if it is one free flag of the pinned vLLM, well formed; else raises the rule that it breaks."""
    spelling, has_value, value = argument.partition("=")
    version = catalogue()["version"]
    if not spelling.startswith("--") or " " in spelling:
        raise rule(f"'{argument}' is not a flag", "write each entry as --flag or --flag=value")
    if spelling in catalogue()["removed"]:
        raise rule(f"vLLM {version} has removed {spelling}", catalogue()["removed"][spelling])
    flag = _spellings().get(spelling) or _spellings().get(spelling.partition(".")[0])
    if flag is None:
        raise rule(f"vLLM {version} has no flag {spelling}", suggestion(spelling, _spellings(), otherwise="see `vllm serve --help=all`"))
    if flag in OWNED:
        raise rule(f"{spelling} is set by this program", f"use {OWNED[flag]}")
    if flag in FIXED:
        raise rule(f"{spelling} may not be set: {FIXED[flag]}", "remove it")
    _check_value(spelling, catalogue()["flags"][flag], value if has_value else None)
    return argument


def _check_value(spelling: str, row: dict[str, Any], value: str | None) -> None:
    if row["boolean"]:
        if value is not None:
            raise rule(
                f"{spelling} takes no value, '{value}' would stop the server",
                f"write {spelling}, or {row.get('negation', 'nothing')} to turn it off",
            )
        return
    if value is None:
        raise rule(f"{spelling} needs a value", f"write {spelling}=<value>")
    choices = [str(choice) for choice in row.get("choices") or []]
    if choices and value not in choices:
        raise rule(f"{spelling} cannot be '{value}'", suggestion(value, choices, otherwise="one of: " + ", ".join(choices)))
    convert = {"int": int, "float": float}.get(row.get("type") or "")
    if convert:
        try:
            convert(value)
        except ValueError:
            raise rule(f"{spelling} cannot be '{value}'", f"give {'an integer' if convert is int else 'a number'}") from None
