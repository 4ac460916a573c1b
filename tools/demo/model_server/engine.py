"""What stands in for the model: admission, the running batch, a prefix cache, and tokens that are due at their time.

Nothing is computed: an answer is as long as the settings or the request say and tells no more of the prompt than its length.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from types import TracebackType

from tools.demo.model_server.metrics import Metrics
from tools.demo.model_server.settings import HEALTHY, Faults, ServerSettings

CHARACTERS_PER_TOKEN = 4


class QueueOverflow(Exception):  # noqa: N818 - reads as what happened
    """More requests than --max-num-queued-reqs."""


class Engine:
    """One replica's engine; belongs to the event loop that uses it."""

    block_tokens = 16

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.faults: Faults = HEALTHY
        self.running = self.waiting = self.unfinished = self.held_tokens = 0
        self.kv_cache_tokens = settings.max_num_seqs * settings.max_model_len
        self.slots = asyncio.Semaphore(settings.max_num_seqs)
        self.metrics = Metrics(self)
        self._cached_blocks: OrderedDict[int, None] = OrderedDict()

    def admit(self, prompt: str, prompt_tokens: int, *, choices: int = 1, max_tokens: int | None = None, eos: bool = True) -> Sequence:
        """A request's place; enter it for the time of the request.

        Raises:
            QueueOverflow: more than `max_num_queued_reqs` would be unfinished.
        """
        limit = self.settings.max_num_queued_reqs
        if limit is not None and self.unfinished + choices > limit:
            self.metrics.rejected()
            raise QueueOverflow
        room = self.settings.max_model_len - prompt_tokens
        most = room if max_tokens is None else min(room, max_tokens)
        answer = min(most, self.settings.answer_tokens) if eos else most
        reason = "stop" if eos and answer == self.settings.answer_tokens else "length"
        return Sequence(self, prompt, prompt_tokens, choices, max_tokens, answer, reason)

    def cache(self, prompt: str, prompt_tokens: int) -> int:
        """Tokens of the prompt whose blocks are cached already; caches the rest, and forgets what was used longest ago."""
        size, parent, hits, leading = self.block_tokens * CHARACTERS_PER_TOKEN, 0, 0, True
        for start in range(0, len(prompt) - size + 1, size):
            parent = hash((parent, prompt[start : start + size]))
            leading = leading and parent in self._cached_blocks
            hits += leading
            self._cached_blocks[parent] = None
            self._cached_blocks.move_to_end(parent)
        while len(self._cached_blocks) > self.kv_cache_tokens // self.block_tokens:
            self._cached_blocks.popitem(last=False)
        return min(hits * self.block_tokens, prompt_tokens)


class Sequence:
    """One request in the engine. Leaving it by an exception is an abort, as when its client has gone."""

    def __init__(
        self, engine: Engine, prompt: str, prompt_tokens: int, choices: int, max_tokens: int | None, length: int, reason: str
    ) -> None:
        self.prompt_tokens, self.choices, self.max_tokens = prompt_tokens, choices, max_tokens
        self.length, self.finish_reason = length, reason
        self.generated = self.cached_tokens = 0
        self.started: float | None = None
        self.first_token: float | None = None
        self._engine, self._prompt = engine, prompt
        self._clock = asyncio.get_running_loop().time
        self.arrived = self._clock()

    def __enter__(self) -> Sequence:
        self._engine.unfinished += self.choices
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        engine = self._engine
        engine.unfinished -= self.choices
        if self.started is not None:
            engine.running -= 1
            engine.held_tokens -= self._held
            engine.slots.release()
        engine.metrics.finished(self, "abort" if kind else self.finish_reason, self._clock())

    async def tokens(self) -> AsyncIterator[int]:
        """The number of each token, from 0, when it is due."""
        await self._schedule()
        engine, last = self._engine, self.arrived
        for index in range(self.length):
            seconds = self._seconds(index)
            if seconds:
                await asyncio.sleep(seconds)
            now = self._clock()
            if index:
                engine.metrics.next_token(now - last)
            else:
                self.first_token = now
                engine.metrics.first_token(self, now - self.arrived)
            last = now
            self.generated += 1
            yield index

    async def _schedule(self) -> None:
        engine = self._engine
        engine.waiting += 1
        try:
            await engine.slots.acquire()
        finally:
            engine.waiting -= 1
        self.started = self._clock()
        self._held = self.prompt_tokens + self.length * self.choices
        engine.running += 1
        engine.held_tokens += self._held
        self.cached_tokens = engine.cache(self._prompt, self.prompt_tokens)

    def _seconds(self, index: int) -> float:
        faults, settings = self._engine.faults, self._engine.settings
        if index:
            return settings.seconds_per_token if faults.seconds_per_token is None else faults.seconds_per_token
        return settings.seconds_to_first_token if faults.seconds_to_first_token is None else faults.seconds_to_first_token
