"""What Prometheus knows of a simulated model: samples at scrape intervals, and the rates and means that queries make of them."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

SCRAPE_SECONDS = 15.0
# Samples that are kept: the longest window, and `offset 3m` behind one of a minute.
_KEPT = int(900 / SCRAPE_SECONDS)
# Upper edges of the endpoint picker's histograms (llm-d-router predictedlatency/metrics.go), seconds.
TPOT_EDGES = (0.0005, 0.00205, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0)
TTFT_EDGES = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 120, 180, 240, 300)


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters are since the start and over all replicas; gauges are sums over the ready ones."""

    time: float
    requests: int
    prompts: int
    """Prompt tokens that have arrived."""
    running: int
    waiting: int
    ready: int
    kv_usage: float
    uncached_tokens_waiting: int
    read: int
    """Prompt tokens of prompts that were read."""
    made: int
    finished: int
    finished_prompt_tokens: int
    finished_output_tokens: int
    steps: int
    busy_seconds: float


class Samples:
    def __init__(self) -> None:
        self.all: deque[Sample] = deque(maxlen=_KEPT)

    @property
    def last(self) -> Sample:
        return self.all[-1]

    def between(self, window: float, offset: float = 0.0) -> tuple[Sample, Sample]:
        """First and last sample of a range, as `rate` takes them: a window of a minute holds four samples, 45 s."""
        end = max(0, len(self.all) - 1 - round(offset / SCRAPE_SECONDS))
        return self.all[max(0, end - max(1, round(window / SCRAPE_SECONDS) - 1))], self.all[end]

    def rate(self, name: str, window: float, offset: float = 0.0) -> float:
        first, last = self.between(window, offset)
        seconds = last.time - first.time
        return (getattr(last, name) - getattr(first, name)) / seconds if seconds else 0.0

    def ratio(self, above: str, below: str, window: float, otherwise: float) -> float:
        first, last = self.between(window)
        number = getattr(last, below) - getattr(first, below)
        return (getattr(last, above) - getattr(first, above)) / number if number else otherwise

    def average(self, name: str, window: float) -> float:
        number = max(1, min(len(self.all), round(window / SCRAPE_SECONDS)))
        return sum(getattr(self.all[-1 - back], name) for back in range(number)) / number


class Histogram:
    """Observations of the last minute, as `histogram_quantile(q, rate(..._bucket[1m]))` sees them."""

    def __init__(self, edges: tuple[float, ...]) -> None:
        self._edges = edges
        self._seen: deque[tuple[float, float]] = deque()

    def observe(self, now: float, value: float) -> None:
        self._seen.append((now, value))

    def quantile(self, now: float, q: float) -> float | None:
        """None where nothing was seen."""
        seen = self._seen
        while seen and seen[0][0] < now - 60:
            seen.popleft()
        counts = [0] * (len(self._edges) + 1)
        for at, value in seen:
            if at <= now:
                counts[bisect_left(self._edges, value)] += 1
        if not any(counts):
            return None
        wanted, below = q * sum(counts), 0
        for index, count in enumerate(counts):
            if below + count >= wanted:
                if index == len(self._edges):
                    return self._edges[-1]
                low = self._edges[index - 1] if index else 0.0
                return low + (self._edges[index] - low) * (wanted - below) / count
            below += count
        return self._edges[-1]
