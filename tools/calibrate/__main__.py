"""`make calibrate`: prints the `measured` row of a start-up log of vLLM.

Exit codes: 0, or 2 with one line that says what is missing.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import yaml

from config import catalog
from config.measured import Measured
from planning.memory import default_limits
from tools.calibrate.startup_log import Incomplete, StartupLog, read

# As near as two roundings: GPUs of different kinds differ by little more.
_SAME_MEMORY_GIB = 0.02


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="calibrate", description="Print what a start-up log of vLLM measured, for the plan to use.")
    parser.add_argument("log", help="start-up log of vLLM, or - for standard input")
    parser.add_argument("--gpu", default="", help="GPU by the catalogue's name, where its memory does not tell")
    given = parser.parse_args(arguments)
    try:
        log = read(_text(given.log))
        row = measured_row(log, _gpu(log, given.gpu), datetime.now(UTC).date())
    except Incomplete as error:
        print(error, file=sys.stderr)
        return 2
    print("# Under the model in the stack file, or in its row of config/catalog/models.yaml.")
    written = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    print(yaml.safe_dump({"measured": [written]}, sort_keys=False, default_flow_style=False, width=120), end="")
    return 0


def measured_row(log: StartupLog, gpu: str, today: date) -> Measured:
    """The row of a log. vLLM's lines have no year: the last one in which their day is not in the future."""
    month, day = log.month_and_day or (today.month, today.day)
    year = today.year - ((month, day) > (today.month, today.day))
    seqs = log.max_num_seqs or default_limits(catalog.accelerators()[gpu], gpu).max_num_seqs
    return Measured.model_validate(
        {
            "gpu": gpu,
            "tensorParallelSize": log.tensor,
            "pipelineParallelSize": log.pipeline,
            "gpuMemoryUtilization": log.utilization,
            "maxModelLen": log.max_model_len,
            "maxNumBatchedTokens": log.batched_tokens,
            "maxNumSeqs": seqs,
            "kvCacheDtype": log.kv_cache_dtype,
            "enforceEager": log.enforce_eager,
            "weightsGiB": log.weights,
            "kvCacheGiB": log.kv_cache,
            "kvCacheTokens": log.tokens,
            "vllm": log.version,
            "date": f"{year}-{month:02}-{day:02}",
        }
    )


def _gpu(log: StartupLog, said: str) -> str:
    known = catalog.accelerators()
    if said:
        if said not in known:
            raise Incomplete(f"the catalogue has no GPU {said!r}; it has {', '.join(known)}")
        return said
    if log.device is None:
        raise Incomplete("the log has no line 'Free memory on device (.../... GiB)', so say which GPU it was: GPU=nvidia-l4")
    fitting = [name for name, row in known.items() if abs(row.memory_gib - log.device) <= _SAME_MEMORY_GIB]
    if len(fitting) != 1:
        which = f"it may be {', '.join(fitting)}" if fitting else f"the catalogue has none with {log.device} GiB"
        raise Incomplete(f"say which GPU it was with GPU=<name>: {which}")
    return fitting[0]


def _text(path: str) -> str:
    if path in ("", "."):
        raise Incomplete("say which log: make calibrate LOG=<start-up log of vLLM>")
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Incomplete(f"{path} cannot be read: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
