"""What a stand-in answers without its engine: state, names, tokens."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from config import catalog
from tools.demo.model_server import requests
from tools.demo.model_server.connections import never
from tools.demo.model_server.engine import Engine
from tools.demo.model_server.errors import no_such_response
from tools.demo.model_server.messages import CountTokensRequest
from tools.demo.model_server.requests import ModelRequest

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Asked = Callable[[web.Request, type[Any]], Awaitable[Any]]


class Pages:
    """`asked`: reads a request and checks its model's name."""

    def __init__(self, engine: Engine, asked: Asked) -> None:
        self._engine, self._settings, self._asked = engine, engine.settings, asked

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self._health, allow_head=False),
            web.get("/ping", self._health, allow_head=False),
            web.post("/ping", self._health),
            web.get("/version", self._version, allow_head=False),
            web.get("/load", self._load, allow_head=False),
            web.get("/metrics", self._metrics, allow_head=False),
            web.get("/v1/models", self._models, allow_head=False),
            web.get("/v1/responses/{response_id}", self._stored_response, allow_head=False),
            web.post("/v1/messages/count_tokens", self._count_tokens),
            web.post("/tokenize", self._tokenize),
            web.post("/detokenize", self._detokenize),
        ]

    async def _health(self, _: web.Request) -> web.Response:
        faults = self._engine.faults
        if faults.on_health and faults.hang:
            await never()
        return web.Response(status=503 if faults.on_health and faults.busy else 200)

    async def _version(self, _: web.Request) -> web.Response:
        return as_json({"version": catalog.image("vllm").tag.removeprefix("v")})

    async def _load(self, _: web.Request) -> web.Response:
        return as_json({"server_load": self._engine.unfinished})

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._engine.metrics.render(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _models(self, _: web.Request) -> web.Response:
        base, length = self._settings.served_model_name, self._settings.max_model_len
        cards = [_card(name, None, length) for name in base] + [_card(name, base[0], None) for name in self._settings.lora_modules]
        return as_json({"object": "list", "data": cards})

    async def _stored_response(self, request: web.Request) -> web.Response:
        raise no_such_response(request.match_info["response_id"])

    async def _count_tokens(self, request: web.Request) -> web.Response:
        asked: CountTokensRequest = await self._asked(request, CountTokensRequest)
        asked.check(self._settings)
        count = asked.prompt_tokens
        return as_json({"input_tokens": count, "context_management": {"original_input_tokens": count}})

    async def _tokenize(self, request: web.Request) -> web.Response:
        asked: ModelRequest = await self._asked(request, requests.TokenizeRequest)
        count = asked.prompt_tokens
        return as_json({"count": count, "max_model_len": self._settings.max_model_len, "tokens": list(range(count)), "token_strs": None})

    async def _detokenize(self, request: web.Request) -> web.Response:
        asked: requests.DetokenizeRequest = await self._asked(request, requests.DetokenizeRequest)
        return as_json({"prompt": " ".join(map(str, asked.tokens))})


def _card(name: str, parent: str | None, length: int | None) -> dict[str, Any]:
    now = int(time.time())
    card = {"id": name, "object": "model", "created": now, "owned_by": "vllm", "root": name, "parent": parent, "max_model_len": length}
    allowed = dict.fromkeys(("allow_sampling", "allow_logprobs", "allow_view"), True)
    refused = dict.fromkeys(("allow_create_engine", "allow_search_indices", "allow_fine_tuning", "is_blocking"), False)
    head = {"id": f"modelperm-{secrets.token_hex(16)}", "object": "model_permission", "created": now}
    return card | {"permission": [head | allowed | refused | {"organization": "*", "group": None}]}


def as_json(body: dict[str, Any], status: int = 200, headers: Any = None) -> web.Response:
    content = json.dumps(body, separators=(",", ":")).encode()
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")
