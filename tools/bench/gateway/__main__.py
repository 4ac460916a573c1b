"""Runs the benchmark and prints its tables. Exit codes: 0 measured, 1 a request failed, 2 something is missing."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import time
from dataclasses import replace

from rich.console import Console

from tools.bench.gateway import load, targets
from tools.bench.gateway.report import Report
from tools.bench.gateway.rounds import FULL, QUICK, measure
from tools.demo.local_gateway import NO_ENVOY, envoy_binary

MODELS = (1, 100, 1000)


def main() -> int:
    parser = argparse.ArgumentParser(prog="gateway_bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    extent = QUICK if parser.parse_args().quick else FULL
    missing = NO_ENVOY if envoy_binary() is None else load.NO_WRK if load.is_missing() else None
    if missing:
        print(missing, file=sys.stderr)
        return 2
    console, began = Console(width=None if sys.stdout.isatty() else 220, highlight=False), time.monotonic()
    console.print(f"{os.cpu_count()} cores, {platform.machine()}, Envoy {targets.envoy_version()}, load average {os.getloadavg()[0]:.1f}")
    without_router = targets.install_vllm_router()
    if without_router:
        console.print(without_router, style="yellow", markup=False)
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(targets.upstream())
        gateways = [stack.enter_context(targets.gateway(models, upstream.port)) for models in MODELS]
        chosen = [upstream, stack.enter_context(targets.tcp_proxy(upstream.port)), *(one.target for one in gateways)]
        if not without_router:
            chosen.append(stack.enter_context(targets.vllm_router(upstream.port)))
        most = gateways[-1]
        chosen.append(replace(most.target, name=f"{most.target.name}, all asked for", asked=most.models))
        report = Report(measure(chosen, extent, console.print), chosen, gateways, extent)
        for table in (report.latency(), report.throughput(), report.footprint()):
            console.print(table)
        for line in report.verdict():
            console.print(line)
    console.print(f"{time.monotonic() - began:.0f} s, load average {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(1)
