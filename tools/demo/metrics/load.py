"""Requests of all clients to all their models, all the time: more and fewer, so that there is something to see."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import aiohttp

from planning.gateway import GatewayPlan

_MOST, _FEWEST = 6, 1
"""Requests in flight."""
_WAVE_SECONDS = 120
_CONVERSATIONS = 12


@contextmanager
def load(gateway: GatewayPlan, keys: Mapping[str, str], base_url: str) -> Generator[None]:
    """As long as it is entered. `base_url` ends in /v1."""
    ended = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_ask_all(gateway, keys, base_url, ended)), name="load", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


async def _ask_all(gateway: GatewayPlan, keys: Mapping[str, str], base_url: str, ended: threading.Event) -> None:
    chance, begun = random.Random(), time.monotonic()  # noqa: S311
    running: set[asyncio.Task[None]] = set()
    places = [(client, gateway.models[model].names[0]) for client, one in gateway.clients.items() for model in one.models]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        while not ended.is_set():
            wave = (1 - math.cos(2 * math.pi * (time.monotonic() - begun) / _WAVE_SECONDS)) / 2
            if len(running) < _FEWEST + wave * (_MOST - _FEWEST):
                client, model = chance.choice(places)
                task = asyncio.create_task(_ask(session, f"{base_url}/chat/completions", keys[client], model, chance))
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.sleep(0.02)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _ask(session: aiohttp.ClientSession, url: str, key: str, model: str, chance: random.Random) -> None:
    """A turn of one of some conversations, whose beginning the prefix cache knows."""
    opening = f"Conversation {chance.randrange(_CONVERSATIONS)}. " * 20
    content = opening + "word " * chance.randint(1, 400)
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": chance.randint(4, 40), "stream": True}
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with session.post(url, json=body, headers={"Authorization": f"Bearer {key}"}) as answer:
            await answer.read()
