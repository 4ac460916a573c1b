"""The results as tables, in Markdown so that they can be pasted into docs/benchmarks.md, and whether the aim is met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from tools.bench.gateway.load import Load
from tools.bench.gateway.rounds import FLAT_OUT, FLAT_OUT_CLIENTS, RATES, Extent, Results
from tools.bench.gateway.targets import RunningGateway, Target, resident_mib

# The aim: the gateway's 99th percentile adds at most this much, in ms, given what the TCP proxy's adds.
_FACTOR, _ALLOWANCE_MS = 1.5, 0.5


class Report:
    """`targets`: no gateway, the TCP proxy, and then what is compared with them."""

    def __init__(self, results: Results, targets: Sequence[Target], gateways: Sequence[RunningGateway], extent: Extent) -> None:
        self.results, self.gateways, self.extent = results, gateways, extent
        self.none, self.proxy, *self.others = [target.name for target in targets]

    def latency(self) -> Table:
        pace = " and ".join(f"{rate} {kind}" for kind, rate in RATES.items())
        table = _table(f"Latency in ms, p50 / p99; behind none: added to it. About {pace} requests a second from all clients together")
        for heading in ("requests", "clients", self.none, self.proxy, "aim: p99", *self.others):
            table.add_column(heading, justify="right")
        for load in self.extent.paced:
            names = [f"+{self._added(50, load, name):.2f} / +{self._added(99, load, name):.2f}" for name in (self.proxy, *self.others)]
            base = f"{self.results.p(50, load, self.none):.2f} / {self.results.p(99, load, self.none):.2f}"
            table.add_row(load.kind, str(load.clients), base, names[0], f"+{self._aim(load):.2f}", *names[1:])
        return table

    def throughput(self) -> Table:
        table = _table(f"{FLAT_OUT_CLIENTS} clients without a pause; CPU time is the process's own, without clients and model server")
        headings = [f"{kind}: {what}" for kind in RATES for what in ("requests/s", "CPU µs a request", "requests/s a core")]
        for heading in ("", *headings, "CPU when idle"):
            table.add_column(heading, justify="right" if heading else "left")
        for name in (self.proxy, *self.others):
            cells: list[str] = []
            for load in FLAT_OUT:
                cpu = self.results.cpu_per_request(load, name)
                cells += [f"{self.results.requests_per_second(load, name):,.0f}", f"{cpu * 1e6:.0f}", f"{1 / cpu:,.0f}"]
            table.add_row(name, *cells, f"{self.results.idle[name]:.1%}")
        return table

    def footprint(self) -> Table:
        """Adds a model to each gateway, so it comes last."""
        table = _table("Seconds to start, seconds until an added model answers, MiB after the load")
        for heading in ("", "start s", "added model s", "memory MiB"):
            table.add_column(heading, justify="right" if heading else "left")
        for one in self.gateways:
            memory = f"{resident_mib(one.target.pid):.0f}"
            table.add_row(one.target.name, f"{one.start_seconds:.2f}", f"{one.seconds_to_add_a_model():.2f}", memory)
        return table

    def verdict(self) -> Iterator[str]:
        names = [name for name in self.others if name.startswith("gateway")]
        cases = [(load, name) for load in self.extent.paced for name in names]
        met = [case for case in cases if self._added(99, *case) <= self._aim(case[0])]
        yield f"Aim (p99 adds at most {_FACTOR} times the proxy's plus {_ALLOWANCE_MS} ms): met in {len(met)} of {len(cases)} cases."
        for load in FLAT_OUT:
            least = self.results.cpu_per_request(load, names[0])
            ratios = ", ".join(f"{name} {self.results.cpu_per_request(load, name) / least:.2f}" for name in names[1:])
            yield f"CPU a request, {load.kind}, times that of {names[0]}: {ratios}."

    def _added(self, percent: int, load: Load, name: str) -> float:
        return self.results.added(percent, load, name, self.none)

    def _aim(self, load: Load) -> float:
        return _FACTOR * max(0.0, self._added(99, load, self.proxy)) + _ALLOWANCE_MS


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.MARKDOWN)
