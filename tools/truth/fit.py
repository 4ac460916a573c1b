"""`make fit`: fits the constants of `planning/performance.py` to measured points, and reports their error on points left out.

Gauss-Newton on the logarithms of the constants: errors in output tokens per second and TTFT count as ratios, large ones less (Huber),
similar points share the weight of their group, and a prior keeps each constant near its expected value, so that constants that the points
do not determine stay plausible. Cross-validation leaves out whole models and whole GPUs.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from statistics import median

from planning.performance import Constants, Performance
from planning.performance_error import error_class
from tools.truth import gpus
from tools.truth.models import Models
from tools.truth.points import CannotRead
from tools.truth.throughput import SHIPPED, Run, performance, room, runs

# Prior of each constant, and its weight: with 1 a few points override it, with 6 it takes many.
EXPECTED = Constants(
    weight_bandwidth=0.85,
    expert_bandwidth=0.75,
    unpacked_bandwidth=0.8,
    kv_bandwidth=0.8,
    bf16_arithmetic=0.65,
    fp8_arithmetic=0.6,
    fp4_arithmetic=0.4,
    unpacked_arithmetic=0.45,
    expert_arithmetic=0.5,
    attention_arithmetic=0.5,
    step=1e-3,
    layer=2.5e-5,
    expert_layer=2e-5,
    sequence=1e-5,
    all_reduce=8e-6,
    link_bandwidth=0.6,
    activation_passes=15,
    prompt=0.015,
    prompt_layer=1e-4,
    queue=0.06,
)
_FIRMNESS = 0.02
_SHARES = frozenset(
    {
        *("weight_bandwidth", "expert_bandwidth", "kv_bandwidth", "attention_arithmetic"),
        *("bf16_arithmetic", "fp8_arithmetic", "fp4_arithmetic", "unpacked_arithmetic"),
    }
)
_FIRMER = dict.fromkeys(_SHARES, 6.0) | {"prompt": 3.0}
# Weight of TTFT errors relative to throughput, Huber width, and the TTFT (seconds) above which a run counts as queued for KV cache.
_TTFT_WEIGHT, _HUBER, _WAITED = 0.4, 0.02, 10.0
_STEPS, _DIFFERENCE, _ENOUGH = 25, 1e-3, 1e-4
# Share of points that are within a stated error.
_MOST = 0.8
NAMES = tuple(field.name for field in fields(Constants))


@dataclass(frozen=True)
class Sample:
    """A run whose model and GPU are known."""

    run: Run
    source: str
    gpu: str
    planned: Performance
    room: float

    @property
    def group(self) -> tuple[str, str]:
        return self.source, self.gpu

    def ratios(self, constants: Constants) -> tuple[float, float]:
        """Ratios planned / reported of output tokens per second and of TTFT; the latter is 1 if the run queued for KV cache."""
        ours = replace(self.planned, constants=constants).serve(
            self.run.in_flight or 1, self.run.prompt_tokens, self.run.output_tokens, self.room
        )
        ttft = ours.ttft / self.run.ttft if self.run.ttft and self.run.ttft < _WAITED and self.room > (self.run.in_flight or 1) else 1.0
        return ours.output_tokens_per_second / self.run.tokens_per_second, ttft


def samples(path: Path, models: Models) -> list[Sample]:
    """The points of grade A whose model and GPU are known."""
    found = []
    for run in runs(path):
        known, gpu = models.find(run.model, run.quantization), gpus.find(run.gpu)
        if run.grade == "A" and known and gpu:
            source = run.model
            found.append(Sample(run, source, gpu[0], performance(run, known, gpu[1]), room(run, known, gpu[1])))
    return found


def fit(points: Sequence[Sample]) -> Constants:
    weights = _weights(points)
    expected = [math.log(value) for value in astuple(EXPECTED)]
    firmness = [_FIRMNESS * _FIRMER.get(name, 1.0) for name in NAMES]

    def residuals(at: list[float]) -> list[float]:
        constants = _constants(at)
        found = []
        for one, weight in zip(points, weights, strict=True):
            speed, ttft = one.ratios(constants)
            found += [weight * math.log(speed), _TTFT_WEIGHT * weight * math.log(ttft)]
        return found + [firm * (value - most) for firm, value, most in zip(firmness, at, expected, strict=True)]

    return _constants(_minimized(residuals, expected, len(points) * 2))


def _constants(logarithms: Sequence[float]) -> Constants:
    return Constants(*(math.exp(value) for value in logarithms))


def _weights(points: Sequence[Sample]) -> list[float]:
    """Weights by the fourth root of the number of points in the group and of the model, so that neither dominates."""
    groups, models = Counter(one.group for one in points), Counter(one.source for one in points)
    weights = [(groups[one.group] * models[one.source]) ** -0.25 for one in points]
    norm = math.sqrt(math.fsum(weight**2 for weight in weights))
    return [weight / norm for weight in weights]


def _minimized(residuals: Callable[[list[float]], list[float]], start: list[float], robust: int) -> list[float]:
    """Least squares by damped Gauss-Newton; the first `robust` residuals have a Huber loss."""
    at, found = start, residuals(start)
    damping, cost = 1e-3, _cost(found, robust)
    for _ in range(_STEPS):
        columns = []
        for index in range(len(at)):
            moved = residuals([value + (_DIFFERENCE if place == index else 0.0) for place, value in enumerate(at)])
            columns.append([(new - old) / _DIFFERENCE for new, old in zip(moved, found, strict=True)])
        counts = [min(1.0, _HUBER / abs(value)) if place < robust and value else 1.0 for place, value in enumerate(found)]
        normal = [
            [math.fsum(a * b * count for a, b, count in zip(one, other, counts, strict=True)) for other in columns] for one in columns
        ]
        slope = [-math.fsum(a * value * count for a, value, count in zip(one, found, counts, strict=True)) for one in columns]
        for _ in range(8):
            damped = [[value * (1 + damping * (row == column)) for column, value in enumerate(line)] for row, line in enumerate(normal)]
            tried = [value + change for value, change in zip(at, _solved(damped, slope), strict=True)]
            moved = residuals(tried)
            if _cost(moved, robust) < cost:
                break
            damping *= 5
        else:
            return at
        gained, damping = cost - _cost(moved, robust), damping / 3
        at, found, cost = tried, moved, cost - gained
        if gained < _ENOUGH * cost:
            return at
    return at


def _cost(found: Sequence[float], robust: int) -> float:
    def one(place: int, value: float) -> float:
        size = abs(value)
        return value**2 if place >= robust or size <= _HUBER else 2 * _HUBER * size - _HUBER**2

    return math.fsum(one(place, value) for place, value in enumerate(found))


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination; the matrix is positive definite, so no pivoting."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for index, pivot in enumerate(rows):
        for line in rows[index + 1 :]:
            factor = line[index] / pivot[index]
            for column in range(index, len(line)):
                line[column] -= factor * pivot[column]
    solution = [0.0] * len(rows)
    for index in range(len(rows) - 1, -1, -1):
        known = math.fsum(rows[index][column] * solution[column] for column in range(index + 1, len(rows)))
        solution[index] = (rows[index][-1] - known) / rows[index][index]
    return solution


def errors(points: Sequence[Sample], constants: Constants) -> tuple[float, float, float]:
    """Median ratio and mean error of output tokens per second, and median error of TTFT."""
    ratios = [one.ratios(constants) for one in points]
    speed = [speed for speed, _ in ratios]
    return median(speed), math.fsum(abs(value - 1) for value in speed) / len(speed), median(abs(ttft - 1) for _, ttft in ratios)


def _line(label: str, points: Sequence[Sample], constants: Constants) -> str:
    middle, mean, ttft = errors(points, constants)
    return f"{label:48} {len(points):4} points, median {middle:.2f}, mean error {mean:.0%}, median error of TTFT {ttft:.0%}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fit", description="Fit the constants of planning/performance.py to measured points.")
    parser.add_argument("--throughput", type=Path, default=SHIPPED, help="measured throughput of vLLM, as a table")
    parser.add_argument("--configs", type=Path, help="folder of config.json files, named by the model")
    parser.add_argument("--test", type=Path, help="further points, which nothing is fitted to")
    given = parser.parse_args(arguments)
    try:
        models = Models(given.configs)
        points, further = samples(given.throughput, models), samples(given.test, models) if given.test else []
    except CannotRead as error:
        print(error, file=sys.stderr)
        return 2
    constants = fit(points)
    for name, value in zip(NAMES, astuple(constants), strict=True):
        print(f"    {name}: float = {value:.3g}")
    print(_line("fitted", points, constants))
    if further:
        print(_line("further points", further, constants))
    for label, key in (("model", lambda one: one.source), ("GPU", lambda one: one.gpu)):
        by_class: dict[str, list[float]] = {}
        for left_out in dict.fromkeys(map(key, points)):
            rest, tested = fit([one for one in points if key(one) != left_out]), [one for one in further or points if key(one) == left_out]
            print(_line(f"left out: {label} {left_out}", tested, rest))
            for one in tested:
                by_class.setdefault(" ".join(error_class(one.planned.work)), []).append(abs(one.ratios(rest)[0] - 1))
        for name, found in by_class.items():
            within = sorted(found)[math.ceil(_MOST * len(found)) - 1]
            mean = math.fsum(found) / len(found)
            print(
                f"left out: every {label} in turn, {name:20} {len(found):4} points, mean error {mean:.0%}, {_MOST:.0%} within {within:.0%}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
