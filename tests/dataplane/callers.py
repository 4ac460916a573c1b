"""Sends many requests at once, each with a unique mark, and records the outcome of each."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import aiohttp

from tests.dataplane.gateway_under_test import Platform, key_of

AT_ONCE = 32
LIMIT_SECONDS = 60
_marks = itertools.count()


@dataclass(frozen=True)
class Ask:
    """A request to send."""

    client: str
    model: str
    streamed: bool = False
    key: str | None = None
    tokens: int | None = None
    """Length of the answer. Default: the server's."""

    @property
    def authorization(self) -> str:
        return f"Bearer {self.key or key_of(self.client)}"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request."""

    ask: Ask
    mark: str
    """Unique value in the request's `user`."""
    status: int | None
    """HTTP status; None: the connection broke before a response."""
    whole: bool
    """Whether the response arrived completely."""
    replica: str
    """The replica that answered; empty if none did."""
    code: str | int | None
    """`code` of an error."""
    request_id: str | None
    body: bytes

    @property
    def succeeded(self) -> bool:
        return self.status == 200 and self.whole


def call_all(
    platform: Platform, asks: Iterable[Ask], *, at_once: int = AT_ONCE, during: Mapping[int, Callable[[], object]] | None = None
) -> list[Outcome]:
    """All outcomes, in the order of `asks`. `during`: a function to call in another thread once that many requests have started."""
    return asyncio.run(_call_all(platform, list(asks), at_once, during or {}))


async def _call_all(platform: Platform, asks: list[Ask], at_once: int, during: Mapping[int, Callable[[], object]]) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    waiting = iter(enumerate(asks))
    actions = []

    async def caller(session: aiohttp.ClientSession) -> None:
        for index, ask in waiting:
            if index in during:
                actions.append(asyncio.create_task(asyncio.to_thread(during[index])))
            outcomes[index] = await _call(session, f"{platform.gateway.url}/v1/chat/completions", ask)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(LIMIT_SECONDS)) as session:
        await asyncio.gather(*(caller(session) for _ in range(at_once)))
        await asyncio.gather(*actions)
    return [outcomes[index] for index in range(len(asks))]


async def _call(session: aiohttp.ClientSession, url: str, ask: Ask) -> Outcome:
    mark = f"mark-{next(_marks)}"
    body: dict[str, object] = {"model": ask.model, "messages": [{"role": "user", "content": "Hello"}], "stream": ask.streamed, "user": mark}
    if ask.tokens:
        body |= {"max_tokens": ask.tokens, "ignore_eos": True}
    status, headers, parts, broken = None, {}, [], False
    try:
        async with session.post(url, json=body, headers={"authorization": ask.authorization}) as answer:
            status, headers = answer.status, answer.headers
            async for part in answer.content.iter_any():
                parts.append(part)
    except aiohttp.ClientError:
        broken = True
    content = b"".join(parts)
    return Outcome(
        ask=ask,
        mark=mark,
        status=status,
        whole=not broken and (content.endswith(b"data: [DONE]\n\n") if ask.streamed and status == 200 else True),
        replica=headers.get("x-replica", ""),
        code=json.loads(content)["error"]["code"] if status and status >= 400 and not broken else None,
        request_id=headers.get("x-request-id"),
        body=content,
    )
