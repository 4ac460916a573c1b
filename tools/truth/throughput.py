"""Compares planned output tokens per second, TTFT and TPOT with measurements of vLLM.

Grade A is a closed loop at a fixed concurrency, as in planning; grade B (bursts, Poisson arrivals) is printed, but does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from config.catalog import Accelerator
from config.models import Parallelism
from planning.kv_cache import KvCache
from planning.performance import Performance, Served
from planning.weight_size import weight_bytes
from planning.work import plan_work
from tools.truth import gpus, points
from tools.truth.models import KnownModel, Models
from tools.truth.points import Row, number
from tools.truth.report import Compared, Table, mean_error, ratio_text

COLUMNS = (
    *("model", "quant", "gpu", "tp", "input_len", "output_len", "concurrency_or_qps"),
    *("output_tok_s", "ttft_ms", "tpot_ms", "grade"),
)
HEADINGS = ("model", "GPU", "tokens", "at once", "tokens/s", "TTFT ms", "TPOT ms")
SHIPPED = Path(__file__).parent / "data" / "throughput.csv"
# The aims: mean error over points of grade A, of models that the constants are fitted to (those in the shipped points), and of others.
MOST_ERROR, MOST_ERROR_UNSEEN = 0.20, 0.35
FITTED, UNSEEN = "models of the fit", "other models"
# Share of a GPU's memory for weights and KV cache if the report has none; the rest is about the reserves of `planning/reserves.py`.
_UTILIZATION = 0.9
_RESERVES_GIB = 3.0
# TTFT above this, ms, means queueing for KV cache, which depends on settings that are not reported; such a TTFT is not compared.
_WAITED_MS = 10_000
# More tokens, requests or GPUs than any run has.
_MOST = 1e8


@dataclass(frozen=True)
class Run:
    """One measurement. `in_flight` is per data parallel rank, as in the reports."""

    model: str
    quantization: str
    gpu: str
    tensor: int
    pipeline: int
    prompt_tokens: float
    output_tokens: float
    in_flight: float | None
    rate: float | None
    tokens_per_second: float
    ttft: float | None
    tpot: float | None
    grade: str


def runs(path: Path) -> list[Run]:
    return [run for row in points.read(path, COLUMNS) if (run := _run(row, path))]


def _run(row: Row, path: Path) -> Run | None:
    load = row["concurrency_or_qps"]
    values = {column: number(row, column, path) for column in ("input_len", "output_len", "output_tok_s", "ttft_ms", "tpot_ms")}
    if not (values["input_len"] and values["output_len"] and values["output_tok_s"]):
        return None
    pipeline = re.search(r"-pp (\d+)", load)
    return Run(
        model=row["model"],
        quantization=row["quant"],
        gpu=row["gpu"],
        tensor=int(number(row, "tp", path) or 1),
        pipeline=int(pipeline.group(1)) if pipeline else 1,
        prompt_tokens=values["input_len"],
        output_tokens=values["output_len"],
        in_flight=_first(load, r"concurrency\W+([\d.]+)", r"([\d.]+) prompts at once", r"^([\d.]+)$"),
        rate=_first(load, r"qps=([\d.]+)"),
        tokens_per_second=values["output_tok_s"],
        ttft=values["ttft_ms"] and values["ttft_ms"] / 1000,
        tpot=values["tpot_ms"] and values["tpot_ms"] / 1000,
        grade=row["grade"],
    )


def _first(text: str, *patterns: str) -> float | None:
    return next((float(found.group(1)) for pattern in patterns if (found := re.search(pattern, text))), None)


def compare(path: Path, models: Models) -> Table:
    rows, unknown, served = [], [], []
    fitted = {known.source for run in runs(SHIPPED) if run.grade == "A" and (known := models.find(run.model, run.quantization))}
    for run in runs(path):
        known, gpu = models.find(run.model, run.quantization), gpus.find(run.gpu)
        if known is None or gpu is None:
            unknown.append(f"{run.model} {run.quantization}" if known is None else f"GPU {run.gpu}")
            continue
        if impossible := _impossible(run):
            unknown.append(f"{run.model} with {impossible}")
            continue
        ours = serve(performance(run, known, gpu[1]), run, known)
        served.append((run, ours))
        rows.append(_compared(f"{run.grade}{len(rows) + 1}", run, known, ours, FITTED if known.source in fitted else UNSEEN))
    counted = tuple(f"{name} ({unknown.count(name)} points)" for name in dict.fromkeys(unknown))
    summary, missed = _judge(rows, served, len(unknown))
    return Table("Throughput: planned / reported", HEADINGS, tuple(rows), counted, summary, missed)


def _impossible(run: Run) -> str:
    """Implausible figures of a run, or a load that is not understood; empty if the run is plausible."""
    counts = {"tensor": run.tensor, "input_len": run.prompt_tokens, "output_len": run.output_tokens, "output_tok_s": run.tokens_per_second}
    if wrong := [f"{name} {value:g}" for name, value in counts.items() if not 0 < value < _MOST]:
        return ", ".join(wrong)
    load = run.in_flight if run.in_flight is not None else run.rate
    return "" if load is not None and 0 < load < _MOST else "a load that is not understood"


def _judge(rows: list[Compared], served: list[tuple[Run, Served]], unknown: int) -> tuple[str, tuple[str, ...]]:
    ratios = [row.ratio for row in rows if row.judged and row.ratio is not None]
    others = [row.ratio for row in rows if not row.judged and row.ratio is not None]
    within = sum(abs(ratio - 1) <= MOST_ERROR for ratio in ratios) / len(ratios) if ratios else 1.0
    error = mean_error(ratios)
    told = [(run, ours) for run, ours in served if run.grade == "A" and run.ttft and run.tpot and run.ttft * 1000 < _WAITED_MS]
    first = _median_error(ours.ttft / (run.ttft or 1) for run, ours in told)
    each = _median_error(ours.tpot / (run.tpot or 1) for run, ours in told)
    summary = (
        f"throughput: {len(ratios)} points of grade A, {within:.0%} within {MOST_ERROR:.0%}, median "
        f"{ratio_text(median(ratios) if ratios else None)}, mean error {error:.0%} ({FITTED} {_seen(rows, FITTED)}, "
        f"{UNSEEN} {_seen(rows, UNSEEN)}), median error of TTFT {first}, of TPOT {each}; "
        f"grade B {len(others)} points, median {ratio_text(median(others) if others else None)}; unknown {unknown}"
    )
    return summary, tuple(_missed(rows))


def _seen(rows: list[Compared], seen: str) -> str:
    ratios = [row.ratio for row in rows if row.judged and row.ratio is not None and seen in row.classes]
    return f"{mean_error(ratios):.0%}" if ratios else "-"


def _missed(rows: list[Compared]) -> Iterator[str]:
    for seen, most in ((FITTED, MOST_ERROR), (UNSEEN, MOST_ERROR_UNSEEN)):
        error = mean_error(row.ratio for row in rows if row.judged and row.ratio is not None and seen in row.classes)
        if error > most:
            yield f"the mean error of {seen} is {error:.0%}, and it should be at most {most:.0%}"


def _median_error(ratios: Iterable[float]) -> str:
    errors = [abs(ratio - 1) for ratio in ratios]
    return f"{median(errors):.0%}" if errors else "-"


def _compared(name: str, run: Run, known: KnownModel, ours: Served, seen: str) -> Compared:
    cells = (
        f"{run.model} {run.quantization}",
        f"{run.gpu} x{run.tensor * run.pipeline}",
        f"{run.prompt_tokens:.0f}+{run.output_tokens:.0f}",
        f"{run.in_flight or run.rate:g}" if run.in_flight or run.rate else "-",
        f"{ours.output_tokens_per_second:,.0f} / {run.tokens_per_second:,.0f}",
        _milliseconds(ours.ttft, run.ttft),
        _milliseconds(ours.tpot, run.tpot),
    )
    return Compared(name, cells, ours.output_tokens_per_second / run.tokens_per_second, _classes(run, known, seen), judged=run.grade == "A")


def _milliseconds(ours: float, theirs: float | None) -> str:
    return f"{ours * 1000:,.1f} / {theirs * 1000:,.1f}" if theirs else f"{ours * 1000:,.1f} / -"


def performance(run: Run, known: KnownModel, gpu: Accelerator) -> Performance:
    return Performance(plan_work(known.architecture, Parallelism(tensor=run.tensor, pipeline=run.pipeline)), gpu)


def serve(ours: Performance, run: Run, known: KnownModel) -> Served:
    """The planned speed of that run. For a request rate: with the requests in flight at which throughput equals the rate."""
    limit = room(run, known, ours.accelerator)
    if run.in_flight is not None:
        return ours.serve(run.in_flight, run.prompt_tokens, run.output_tokens, limit)
    low, high = 1.0, limit
    for _ in range(30):
        middle = (low + high) / 2
        served = ours.serve(middle, run.prompt_tokens, run.output_tokens, limit)
        low, high = (middle, high) if served.output_tokens_per_second < (run.rate or 0) * run.output_tokens else (low, middle)
    return ours.serve(low, run.prompt_tokens, run.output_tokens, limit)


def room(run: Run, known: KnownModel, gpu: Accelerator) -> float:
    """Requests whose KV cache fits, each half way through its output, at most 1,024 (vLLM's default max_num_seqs on large GPUs)."""
    cache = KvCache(known.architecture, run.tensor, run.pipeline)
    weights = weight_bytes(known.architecture, known.parameters) / (run.tensor * run.pipeline)
    free = (gpu.memory_gib * _UTILIZATION - _RESERVES_GIB) * 1024**3 - weights
    return min(1024.0, max(1.0, free / cache.bytes_per_sequence(int(run.prompt_tokens + run.output_tokens / 2))))


def _classes(run: Run, known: KnownModel, seen: str) -> tuple[str, ...]:
    if run.grade != "A":
        return (f"grade {run.grade}",)
    kind = "experts" if known.architecture.is_moe else "dense"
    gpu = run.gpu.split("-")[0].split(" ")[0]
    tp = f"tensor parallel {run.tensor}" if run.tensor > 1 else "one GPU"
    return "grade A", seen, kind, f"{kind}, {run.quantization or 'not quantized'}", f"GPU {gpu}", tp, known.source
