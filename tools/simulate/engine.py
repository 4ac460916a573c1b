"""One vLLM engine in simulated time: continuous batching, chunked prefill, KV-cache admission, preemption by recomputation.

Steps that only decode, with the same sequences, are taken together: the sum of their durations has a closed form. An arrival ends such a
run at the next step.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush

from tools.simulate.times import StepTimes


@dataclass(slots=True, eq=False)
class Request:
    """One request and what became of it; times in seconds of the simulation."""

    arrival: float
    prompt: int
    output: int
    first: float = math.nan
    """When its first token was there."""
    end: float = math.nan
    failed: bool = False
    made: int = 0
    """Tokens that it has; a preempted request reads them again with its prompt."""
    read: int = 0
    """Tokens of prompt (and of what was made before a preemption) that are in the KV cache."""
    wanted: int = 0
    """Tokens to read before it decodes."""
    joined: int = 0
    """Step of its engine at which it began to decode."""

    @property
    def ttft(self) -> float:
        return self.first - self.arrival

    @property
    def tpot(self) -> float:
        return (self.end - self.first) / (self.output - 1) if self.output > 1 else 0.0


@dataclass(frozen=True)
class EngineShape:
    kv_tokens: float
    max_num_seqs: int
    max_num_batched_tokens: int
    most_in_flight: float = math.inf
    """Running and waiting; above it a request is refused."""


@dataclass(slots=True)
class Counters:
    """What the engine's /metrics would say."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    finished: int = 0
    finished_prompt_tokens: int = 0
    finished_output_tokens: int = 0
    steps: int = 0
    busy_seconds: float = 0.0
    preemptions: int = 0


@dataclass(slots=True, eq=False)
class Engine:
    """`end` is when the current steps end (infinite when idle); the caller calls `advance` then, in the order of times."""

    times: StepTimes
    shape: EngineShape
    end: float = math.inf
    waiting: deque[Request] = field(default_factory=deque)
    reading: list[Request] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    finished: list[Request] = field(default_factory=list)
    """Since the caller last emptied it."""
    _decoding: list[tuple[int, int, Request]] = field(default_factory=list)
    """Heap by the step at which the request ends."""
    _order: int = 0
    _start: float = 0.0
    _step: int = 0
    _steps: int = 0
    _kv: float = 0.0
    """Tokens in the KV cache."""
    _context: float = 0.0
    """Tokens of context of those that decode."""
    _first: float = 0.0
    _growth: float = 0.0
    """Seconds of the first of the current steps, and by how much each of them is longer than the one before."""
    _chunks: list[tuple[Request, int]] = field(default_factory=list)

    @property
    def running(self) -> int:
        return len(self._decoding) + len(self.reading)

    @property
    def in_flight(self) -> int:
        return len(self._decoding) + len(self.reading) + len(self.waiting)

    @property
    def kv_usage(self) -> float:
        return min(1.0, self._kv / self.shape.kv_tokens)

    @property
    def uncached_tokens_waiting(self) -> int:
        return sum(one.prompt + one.made for one in self.waiting) + sum(one.wanted - one.read for one in self.reading)

    def arrive(self, now: float, request: Request) -> bool:
        """False if the engine refuses it."""
        if self.in_flight >= self.shape.most_in_flight:
            return False
        request.wanted = request.prompt + request.made
        self.waiting.append(request)
        if self.end == math.inf:
            self._schedule(now)
        elif not self._chunks and len(self.waiting) == 1 and self._fits(request):
            self._cut(now)
        return True

    def lose(self) -> list[Request]:
        """All requests, where the replica is killed."""
        lost = [*self.waiting, *self.reading, *(one for _, _, one in self._decoding)]
        self.waiting.clear()
        self.reading.clear()
        self._decoding.clear()
        self._kv = self._context = 0.0
        self.end = math.inf
        return lost

    def advance(self) -> None:
        """To `end`: tokens are made, prompts are read, the next steps are chosen."""
        now, steps, decoding = self.end, self._steps, self._decoding
        count, counters = len(decoding), self.counters
        counters.busy_seconds += now - self._start
        counters.steps += steps
        if count:
            self._step += steps
            self._kv += count * steps
            self._context += count * steps
            counters.generation_tokens += count * steps
            while decoding and decoding[0][0] <= self._step:
                self._finish(now, heappop(decoding)[2])
        for request, tokens in self._chunks:
            self._read(now, request, tokens)
        self._schedule(now)

    def _read(self, now: float, request: Request, tokens: int) -> None:
        request.read += tokens
        if request.read < request.wanted:
            return
        self.reading.remove(request)
        self.counters.prompt_tokens += request.prompt
        self.counters.generation_tokens += 1
        self._kv += 1
        if request.made == 0:
            request.first = now + self.times.request
        request.made += 1
        if request.made >= request.output:
            self._finish(now, request, decoded=False)
            return
        self._order += 1
        request.joined = self._step - request.made
        self._context += request.prompt + request.made
        heappush(self._decoding, (self._step + request.output - request.made, self._order, request))

    def _finish(self, now: float, request: Request, *, decoded: bool = True) -> None:
        size = request.prompt + request.output
        self._kv -= size
        if decoded:
            self._context -= size
        request.end = now + self.times.request
        counters = self.counters
        counters.finished += 1
        counters.finished_prompt_tokens += request.prompt
        counters.finished_output_tokens += request.output
        self.finished.append(request)

    def _fits(self, request: Request) -> bool:
        return self.running < self.shape.max_num_seqs and self._kv + request.wanted + len(self._decoding) < self.shape.kv_tokens

    def _schedule(self, now: float) -> None:
        """The next steps: one that reads prompts, or as many as only decode."""
        self._start, self._chunks = now, []
        while self._decoding and self._kv + len(self._decoding) > self.shape.kv_tokens:
            self._preempt()
        count, budget = len(self._decoding), self.shape.max_num_batched_tokens - len(self._decoding)
        more = self._chosen(budget) if self.reading or self.waiting else 0.0
        if not count and not self._chunks:
            self.end, self._steps = math.inf, 0
            return
        times, mean = self.times, self._context / count if count else 0.0
        seconds = times.decode(count) + count * times.context(mean)
        if self._chunks:
            self._first, self._growth, self._steps = seconds + more, 0.0, 1
            self.end = now + self._first
            return
        self._steps = max(1, min(self._decoding[0][0] - self._step, int((self.shape.kv_tokens - self._kv) / count)))
        self._first, self._growth = seconds, count * (times.context(mean + _SLOPE) - times.context(mean)) / _SLOPE
        self.end = now + self._sum(self._steps)

    def _chosen(self, budget: int) -> float:
        """Fills a step with prompts, first come first served; the seconds that reading them adds."""
        prompt, seconds = self.times.prompt, 0.0
        reading, chunks = self.reading, self._chunks
        for request in reading:
            if budget <= 0:
                break
            tokens = min(budget, request.wanted - request.read)
            chunks.append((request, tokens))
            seconds += prompt(request.read + tokens) - prompt(request.read)
            budget -= tokens
        while budget > 0 and self.waiting and self._fits(self.waiting[0]):
            request = self.waiting.popleft()
            request.read = 0
            self._kv += request.wanted
            reading.append(request)
            tokens = min(budget, request.wanted)
            chunks.append((request, tokens))
            seconds += prompt(tokens) - prompt(0)
            budget -= tokens
        return seconds + self.times.prompt_step if chunks else 0.0

    def _preempt(self) -> None:
        """The request that began to decode last waits again, at the head of the queue."""
        entry = max(self._decoding, key=lambda one: one[1])
        self._decoding.remove(entry)
        self._decoding.sort()
        request = entry[2]
        request.made = self._step - request.joined
        size = request.prompt + request.made
        self._kv -= size
        self._context -= size
        request.wanted, request.read = size, 0
        self.waiting.appendleft(request)
        self.counters.preemptions += 1

    def _sum(self, steps: int) -> float:
        return steps * self._first + self._growth * steps * (steps - 1) / 2

    def _cut(self, now: float) -> None:
        """Ends the current run of decoding steps with the one that runs now."""
        low, high = 1, self._steps
        while low < high:
            middle = (low + high) // 2
            if self._start + self._sum(middle) >= now:
                high = middle
            else:
                low = middle + 1
        if low < self._steps:
            self._steps, self.end = low, self._start + self._sum(low)


# Tokens over which the growth of a step with its context is measured.
_SLOPE = 64
