"""Compares the planned KV cache with start-up logs of vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydantic import ValidationError

from config.catalog import Accelerator
from config.models import Model
from planning.machines import Machine
from planning.memory import MemoryPlan, engine_limits, plan_memory
from planning.reserves import CURRENT
from tools.truth import gpus, points
from tools.truth.models import KnownModel, Models
from tools.truth.points import Row, number
from tools.truth.report import Compared, Table, mean_error, ratio_text

COLUMNS = (
    *("id", "vllm", "model", "gpu", "tp", "util", "max_model_len", "batched", "dtype"),
    *("reported_weights_gib", "reported_kv_gib", "reported_kv_tokens", "reported_needed_gib"),
)
HEADINGS = ("vllm", "model", "GPU", "weights GiB", "KV GiB", "KV tokens", "verdict")
# The aims for the ratio planned / reported of KV cache tokens, from vLLM SINCE on: SHARE of the points within LEAST and MOST, none above
# NEVER_ABOVE.
LEAST, MOST, SHARE, NEVER_ABOVE = 0.85, 1.10, 0.85, 1.25
SINCE = (0, 18)
_KV_DTYPES = {"": "auto", "bf16": "bfloat16", "fp16": "float16"}
# Before this version the log gave the tokens of a single KV cache group for models with several groups.
_ALL_GROUPS_SINCE = (0, 21)
# The planned KV cache of a sequence is rounded up to a block, so a report at or above this share of it does not contradict the plan.
_CLOSE = 0.98


@dataclass(frozen=True)
class Start:
    """Figures of one vLLM start-up log."""

    name: str
    version: str
    model: str
    gpu: str
    tensor: int
    utilization: float
    max_model_len: int | None
    batched: int | None
    seqs: int | None
    quantization: str
    kv_dtype: str
    weights: float | None
    kv_cache: float | None
    kv_tokens: float | None
    needed: float | None
    formula_only: bool
    """The report's weights are of another checkpoint: only KV cache bytes per token are compared."""


def starts(path: Path) -> list[Start]:
    return [_start(row, path) for row in points.read(path, COLUMNS)]


def _start(row: Row, path: Path) -> Start:
    def whole(column: str) -> int | None:
        value = number(row, column, path)
        return None if value is None else int(value)

    dtype = [*row["dtype"].split("/"), "", ""]
    kv_dtype = dtype[2].strip().removeprefix("kv").strip()
    return Start(
        name=row["id"],
        version=row["vllm"],
        model=row["model"],
        gpu=row["gpu"],
        tensor=whole("tp") or 1,
        utilization=number(row, "util", path) or 0.9,
        max_model_len=whole("max_model_len"),
        batched=whole("batched"),
        seqs=whole("max_num_seqs"),
        quantization=dtype[1].strip(),
        kv_dtype=_KV_DTYPES.get(kv_dtype, kv_dtype),
        weights=number(row, "reported_weights_gib", path),
        kv_cache=number(row, "reported_kv_gib", path),
        kv_tokens=number(row, "reported_kv_tokens", path),
        needed=number(row, "reported_needed_gib", path),
        formula_only="KV only" in row["model"],
    )


def compare(path: Path, models: Models) -> Table:
    rows, unknown, verdicts = [], [], []
    for start in starts(path):
        found = _planned(start, models)
        if isinstance(found, str):
            unknown.append(f"{start.name}: {found}")
            continue
        known, ours = found
        verdicts.append(_verdict(start, ours))
        rows.append(_compared(start, ours, known, verdicts[-1]))
    ratios = [row.ratio for row in rows if row.judged and row.ratio is not None]
    return Table("KV cache: planned / reported", HEADINGS, tuple(rows), tuple(unknown), *_judge(ratios, verdicts, len(unknown)))


def _planned(start: Start, models: Models) -> tuple[KnownModel, MemoryPlan] | str:
    """The model and its planned memory, or the reason why there is no plan."""
    known, gpu = models.find(start.model, start.quantization), gpus.find(start.gpu)
    if known is None:
        return f"model {start.model}: {models.why_unknown(start.model, start.quantization)}"
    if gpu is None:
        return f"GPU {start.gpu}"
    try:
        return known, plan(start, known, gpu)
    except ValidationError as error:
        return f"its settings: {error.errors()[0]['loc'][-1]}: {error.errors()[0]['msg']}"


def _judge(ratios: list[float], verdicts: list[str], unknown: int) -> tuple[str, tuple[str, ...]]:
    """The summary line of the table, and the missed aims."""
    within = sum(LEAST <= ratio <= MOST for ratio in ratios)
    accepted, refused = verdicts.count("accepted, but refused"), verdicts.count("refused, but ran")
    share = within / len(ratios) if ratios else 1.0
    missed = []
    if share < SHARE:
        missed.append(f"{share:.0%} of the points are within {LEAST} to {MOST}, and {SHARE:.0%} should be")
    if ratios and max(ratios) > NEVER_ABOVE:
        missed.append(f"a point is at {max(ratios):.2f} of the report, and none may be above {NEVER_ABOVE}")
    if accepted:
        missed.append(f"{accepted} starts that vLLM refused are accepted")
    summary = (
        f"memory: {len(ratios)} points of vLLM 0.18 and newer, {share:.0%} within {LEAST}-{MOST}, median "
        f"{ratio_text(median(ratios) if ratios else None)}, mean error {mean_error(ratios):.0%}, accepted but refused {accepted}, "
        f"refused but ran {refused}, unknown {unknown}"
    )
    return summary, tuple(missed)


def plan(start: Start, known: KnownModel, gpu: tuple[str, Accelerator]) -> MemoryPlan:
    """The planned memory for the settings of that start."""
    name, accelerator = gpu
    model = Model.model_validate(
        {
            "source": "measured/point",
            "nodePool": "measured",
            "engine": {
                "maxModelLen": start.max_model_len or known.architecture.context_length,
                "gpuMemoryUtilization": start.utilization,
                "maxNumBatchedTokens": start.batched,
                "maxNumSeqs": start.seqs,
                "kvCacheDtype": start.kv_dtype,
            },
            "parallelism": {"tensor": start.tensor},
        }
    )
    machine = _machine(name, accelerator, start.tensor)
    version = points.version(start.version) or CURRENT
    return plan_memory(model, known.architecture, known.parameters, machine, engine_limits(model, machine), version=version)


def _machine(name: str, accelerator: Accelerator, gpus: int) -> Machine:
    return Machine(name, 0, 0, accelerator, name, gpus, gpus, accelerator.memory_gib, 0, has_local_ssd=False)


def _verdict(start: Start, ours: MemoryPlan) -> str:
    if start.formula_only or (start.kv_cache is None and start.kv_tokens is None):
        return "-"
    if start.kv_cache is None:
        ran = (start.kv_tokens or 0) >= ours.max_model_len
    else:
        ran = start.kv_cache >= (start.needed or ours.sequence * _CLOSE)
    if ours.fits:
        return "runs" if ran else "accepted, but refused"
    return "refused, but ran" if ran else "refused"


def _compared(start: Start, ours: MemoryPlan, known: KnownModel, verdict: str) -> Compared:
    tokens = max(0, ours.kv_tokens)
    ratio = None
    if start.formula_only:
        if start.kv_cache and start.kv_tokens:
            tokens = int(start.kv_cache / ours.sequence * ours.max_model_len)
            ratio = tokens / start.kv_tokens
        elif start.needed:
            ratio = ours.sequence / start.needed
    elif start.kv_tokens and not _of_one_group(start, known):
        ratio = tokens / start.kv_tokens
    elif start.kv_cache and start.kv_cache > 0:
        ratio = max(0.0, ours.kv_cache) / start.kv_cache
    new = points.version(start.version) >= SINCE
    judged = new and not start.formula_only and verdict in ("runs", "refused, but ran")
    cells = (
        start.version,
        start.model,
        f"{start.gpu} x{start.tensor}",
        f"{ours.weights:.1f} / {_text(start.weights)}",
        f"{ours.kv_cache:.1f} / {_text(start.kv_cache)}",
        f"{tokens:,} / {int(start.kv_tokens):,}" if start.kv_tokens else f"{tokens:,} / -",
        verdict,
    )
    return Compared(start.name, cells, ratio, _classes(known, new=new, formula_only=start.formula_only), judged)


def _of_one_group(start: Start, known: KnownModel) -> bool:
    return points.version(start.version) < _ALL_GROUPS_SINCE and len(known.architecture.layers()) > 1


def _classes(known: KnownModel, *, new: bool, formula_only: bool) -> tuple[str, ...]:
    if formula_only:
        return ("KV cache of a token",)
    age = "vLLM 0.18 and newer" if new else "older vLLM"
    a = known.architecture
    kind = "experts" if a.is_moe else "hybrid" if "linear" in a.layers() else "dense"
    return age, f"{age}, {kind}", f"{age}, {'quantized' if a.quantization_config else 'not quantized'}"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
