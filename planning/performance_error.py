"""Error of a planned speed: that of models left out of the fit; without measurements, the largest of the same kind of model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.catalog import Accelerator
from planning.work import Numbers, Work

Kind = Literal["dense", "experts"]

# Error in output tokens per second within which four of five points lie when their model is left out of the fit, by kind of model and
# format of its weights (`make fit`; 519 points of vLLM 0.11 to 0.19 on H100, H200, B200 and B300).
_LEFT_OUT: dict[tuple[Kind, Numbers], float] = {
    ("dense", "bf16"): 0.10,
    ("dense", "fp8"): 0.15,
    ("dense", "nvfp4"): 0.33,
    ("experts", "mxfp4"): 0.32,
    ("experts", "nvfp4"): 0.20,
    ("experts", "unpacked"): 0.49,
}
# The same where one point scales the plan of another of the same model, GPU and parallel sizes: 202 pairs of the shipped points.
_MEASURED_ELSEWHERE = 0.19
# Compute capabilities of the GPUs with measured points.
_MEASURED = frozenset({9.0, 10.0, 10.3})


@dataclass(frozen=True)
class SpeedError:
    """`share` of the planned speed, up or down."""

    share: float
    extrapolated: bool
    """There is no measured point of this kind of model, or of this compute capability."""


def error_class(work: Work) -> tuple[Kind, Numbers]:
    if work.experts:
        return "experts", work.experts.numbers
    return "dense", max(work.dense, key=lambda one: one.flops).numbers


def speed_error(work: Work, accelerator: Accelerator, *, measured: bool = False) -> SpeedError:
    """`measured`: the plan is scaled by a measurement of this model on this GPU."""
    estimated = _estimated(work, accelerator)
    return SpeedError(min(estimated.share, _MEASURED_ELSEWHERE), extrapolated=False) if measured else estimated


def _estimated(work: Work, accelerator: Accelerator) -> SpeedError:
    kind, numbers = error_class(work)
    if (numbers == "nvfp4" and not accelerator.fp4_tflops) or (numbers == "fp8" and not accelerator.fp8_tflops):
        numbers = "unpacked"
    worst = max(share for (other, _), share in _LEFT_OUT.items() if other == kind)
    share = _LEFT_OUT.get((kind, numbers))
    if share is None or accelerator.compute_capability not in _MEASURED:
        return SpeedError(worst, extrapolated=True)
    return SpeedError(share, extrapolated=False)
