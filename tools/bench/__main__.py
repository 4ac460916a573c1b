"""`make bench-plan`, `make bench-preview` and `make bench-diff`: wall time and peak memory by number of models, as a table.

Each number of models runs in its own process. Machines are noisy: compare ratios within one run, not figures of two runs.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

SIZES = (1, 10, 100, 300, 1000)
_REPEATS = 5


@dataclass(frozen=True)
class Sample:
    """One run: seconds of imports and of the work, number of objects made, peak memory of the process in MiB."""

    imports: float
    work: float
    made: int
    peak_mib: float


def measure(what: str, models: int) -> Sample:
    """Runs `what` in this process for a generated stack of `models`."""
    start = time.perf_counter()
    run = {"plan": _plan, "preview": _preview, "diff": _diff}[what]
    prepared = run(models)
    ready = time.perf_counter()
    best, made = float("inf"), 0
    for _ in range(_REPEATS if what == "plan" else 1):
        began = time.perf_counter()
        made = prepared()
        best = min(best, time.perf_counter() - began)
    return Sample(ready - start, best, made, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _plan(models: int):  # noqa: ANN202 - a function without arguments that returns how many models were planned
    from config.parsing import parse
    from config.stack_config import without_secret_values
    from planning.plan import make_plan
    from tools.bench.generated import generated

    settings = parse(without_secret_values(generated(models)))
    return lambda: len(make_plan(settings).models)


def _preview(models: int):  # noqa: ANN202 - a function without arguments that returns how many resources were registered
    from tools.bench.generated import generated
    from tools.preview import offline

    config = generated(models)
    _import_program()
    return lambda: len(offline.run(config, "bench").resources)


def _diff(models: int):  # noqa: ANN202 - a function without arguments that returns how many models were compared
    import tools.review.unchanged  # noqa: F401 - the command imports it with the first comparison
    from tools.bench.generated import generated
    from tools.review.trees import compare_configurations

    before = generated(models)
    after = copy.deepcopy(before)
    after["vllm-platform:models"]["model-0"]["engine"] = {"maxModelLen": 4096}

    def compared() -> int:
        changed = [one.name for one in compare_configurations("bench", before, after).models]
        return models if changed == ["model-0"] else sys.exit(f"changed: {changed}")

    return compared


def _import_program() -> None:
    """Imports everything that the program uses, to time imports separately: the Pulumi SDKs load modules on first access."""
    import pulumi_gcp as gcp

    import components.cluster.connection
    import components.outputs
    import components.platform.platform
    import components.serving.model_stack  # noqa: F401

    for module in (gcp.artifactregistry, gcp.compute, gcp.container, gcp.organizations, gcp.projects, gcp.serviceaccount, gcp.storage):
        hasattr(module, "Provider")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("what", choices=["plan", "preview", "diff"])
    parser.add_argument("--models", type=int, help="measure this size in this process and print the figures")
    arguments = parser.parse_args()
    if arguments.models:
        sample = measure(arguments.what, arguments.models)
        print(sample.imports, sample.work, sample.made, sample.peak_mib)
        return
    samples = {size: _in_own_process(arguments.what, size) for size in SIZES}
    Console(width=120).print(_table(arguments.what, samples))


def _in_own_process(what: str, models: int) -> Sample:
    command = [sys.executable, "-m", "tools.bench", what, "--models", str(models)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603 - our own module
    return Sample(float(answer[0]), float(answer[1]), int(answer[2]), float(answer[3]))


def _table(what: str, samples: dict[int, Sample]) -> Table:
    unit = "resource" if what == "preview" else "model"
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    table = Table(title=f"{what}: {machine}", title_justify="left")
    for heading in ("models", f"{unit}s", "set-up s", f"{what} s", f"ms per {unit}", "relative to 10 models", "peak MiB"):
        table.add_column(heading, justify="right")
    base = samples[10].work / samples[10].made
    for models, sample in samples.items():
        each = sample.work / sample.made
        row = (
            models,
            sample.made,
            f"{sample.imports:.2f}",
            f"{sample.work:.4f}",
            f"{each * 1000:.3f}",
            f"{each / base:.2f}",
            f"{sample.peak_mib:.0f}",
        )
        table.add_row(*map(str, row))
    return table


if __name__ == "__main__":
    main()
