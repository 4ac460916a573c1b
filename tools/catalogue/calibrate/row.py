"""A start-up log as the row that the catalogue and a stack may hold."""

from __future__ import annotations

from datetime import date

from config import catalog
from config.measured import Measured
from planning.memory import default_limits
from tools.catalogue.calibrate.startup_log import Incomplete, StartupLog

# As near as two roundings: GPUs of different kinds differ by little more.
_SAME_MEMORY_GIB = 0.02


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


def gpu_of(log: StartupLog, said: str) -> str:
    """The GPU that a log is from: as it was said, or the only one of the catalogue with that memory.

    Raises:
        Incomplete: the catalogue has no such GPU, or several.
    """
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
