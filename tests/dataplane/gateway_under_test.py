"""A gateway to test: the plan of a small stack, a real Envoy with its configuration, and stand-in model servers behind it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import openai

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from planning.cost import TokenUsd
from planning.gateway import GatewayPlan, plan_gateway
from tests import stacks
from tools.demo.local_gateway import LocalGateway
from tools.demo.model_server import HEALTHY, Fleet, ModelServer, ServerSettings, fleet

WAIT_SECONDS = 20
MAX_MODEL_LEN = 8192
HELLO: Any = [{"role": "user", "content": "Hello, who are you?"}]


@dataclass(frozen=True)
class Served:
    """A model of the stack: settings of its stand-in replicas, and its gateway settings."""

    names: tuple[str, ...] = ()
    replicas: int = 1
    affinity: Mapping[str, str] = field(default_factory=dict)
    requests_a_replica: int = 256
    """Running and waiting requests per replica; Envoy's max_requests is derived from it."""
    server: Mapping[str, Any] = field(default_factory=dict)
    sleeps: bool = False


START_SECONDS = 417.2
PRICES = TokenUsd(prompt=3.0, completion=12.5)


def plan_of(
    models: Mapping[str, Served], clients: Mapping[str, Any], tracing: Mapping[str, Any] | None = None, **gateway: Any
) -> GatewayPlan:
    """The gateway plan of a stack with these models and clients. All models have PRICES."""
    entry = stacks.BASE["vllm-platform:models"]["qwen3-8b"]
    entries = {
        name: entry | {"servedNames": list(one.names), "affinity": dict(one.affinity), "scaling": _scaling(one)}
        for name, one in models.items()
    }
    price = {"promptUsdPerMillion": PRICES.prompt, "completionUsdPerMillion": PRICES.completion}
    section = {"authentication": "api-key", "clients": dict(clients), "tokenPrices": dict.fromkeys(models, price)} | gateway
    secrets = {"clientKeys": {key: {"secure": "given"} for key in clients}} if section["authentication"] == "api-key" else {}
    changes = {"models": None} | {f"models.{name}": one for name, one in entries.items()} | _sections(section, secrets)
    settings = stacks.settings(changes | ({"platform.tracing": dict(tracing)} if tracing else {}))
    in_flight = {name: one.requests_a_replica for name, one in models.items()}
    plan = plan_gateway(settings, in_flight, dict.fromkeys(models, MAX_MODEL_LEN), {}, dict.fromkeys(models, START_SECONDS))
    assert plan
    return plan


def _scaling(one: Served) -> dict[str, Any]:
    return {"floor": 0 if one.sleeps else 1, "ceiling": max(1, one.replicas), "scaleToZero": one.sleeps}


def _sections(gateway: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    return {f"gateway.{key}": value for key, value in gateway.items()} | {f"secrets.{key}": value for key, value in secrets.items()}


def key_of(client: str) -> str:
    return f"sk-{client}-0123456789abcdef"


@dataclass(frozen=True)
class Platform:
    """The running gateway and the replicas behind it, by model."""

    gateway: LocalGateway
    replicas: Mapping[str, Sequence[ModelServer]]
    fleet: Fleet

    @contextlib.contextmanager
    def client(self, name: str = "team-a", **options: Any) -> Generator[openai.OpenAI]:
        """OpenAI's own client, without retries unless `options` has them."""
        options = {"api_key": key_of(name), "max_retries": 0, "timeout": WAIT_SECONDS} | options
        with openai.OpenAI(base_url=f"{self.gateway.url}/v1", **options) as client:
            yield client

    def received(self, model: str) -> list[Any]:
        """Requests that reached this model's replicas."""
        return [request for replica in self.replicas[model] for request in replica.received if request.path != "/health"]

    def total_received(self) -> int:
        return sum(len(self.received(model)) for model in self.replicas)

    def logged(self, request_id: str | None) -> dict[str, Any]:
        """The one line of the audit log about a request."""
        found = self.gateway.wait_until(lambda: self._lines(request_id), WAIT_SECONDS, f"no line about {request_id}")
        assert len(found) == 1, found
        return found[0]

    def clients_of(self, model: str) -> list[str]:
        """Client names in the audit log for the requests that this model's replicas received."""
        return [self.logged(one.headers["x-request-id"])["client"] for one in self.received(model)]

    def _lines(self, request_id: str | None) -> list[dict[str, Any]]:
        return [line for line in self.gateway.audit_log if line["request_id"] == request_id]

    def healthy(self, model: str, colour: str = "blue") -> int:
        """Replicas that Envoy sends requests to."""
        name = f"cluster.{model}/{colour}.membership_healthy"
        return self.gateway.stats(f"^{name}$")[name]

    def wait_until_healthy(self, **expected: int) -> None:
        """`expected`: replicas by model, underscores for hyphens; all of every model unless given."""
        numbers = {name.replace("_", "-"): number for name, number in expected.items()} or {
            name: len(of) for name, of in self.replicas.items()
        }
        message = f"not so many replicas are healthy: {numbers}"
        self.gateway.wait_until(lambda: all(self.healthy(*one[:1]) == one[1] for one in numbers.items()), WAIT_SECONDS, message)

    def stop(self, model: str, *indices: int) -> None:
        for index in indices or range(len(self.replicas[model])):
            self.fleet.run(self.replicas[model][index].stop())

    def start(self, model: str, *indices: int) -> None:
        for index in indices or range(len(self.replicas[model])):
            self.fleet.run(self.replicas[model][index].start())

    def heal(self) -> None:
        for server in self.fleet:
            server.faults = HEALTHY
            server.received.clear()


@contextlib.contextmanager
def running(
    models: Mapping[str, Served],
    clients: Mapping[str, Any],
    *,
    tls: Path | None = None,
    tracing: Mapping[str, Any] | None = None,
    rate_limits: int | None = None,
    **section: Any,
) -> Generator[Platform]:
    """The platform of these models and clients. `section`: further settings of `gateway`, `tracing` of `platform`, as in YAML."""
    plan = plan_of(models, clients, tracing, **section)
    settings = [
        replace(ServerSettings(plan.models[name].names, f"{name}/{index}", enable_force_include_usage=True), **dict(one.server))
        for name, one in models.items()
        for index in range(one.replicas)
    ]
    with fleet(settings) as servers:
        ready = iter(servers)
        replicas = {name: [next(ready) for _ in range(one.replicas)] for name, one in models.items()}
        routes = [ModelRoute(plan.models[name], [Backend("blue", addresses(of))]) for name, of in replicas.items()]
        keys = {client: key_of(client) for client in clients}
        with LocalGateway(plan, routes, keys, tls_folder=tls, rate_limits=rate_limits) as gateway:
            platform = Platform(gateway, replicas, servers)
            platform.wait_until_healthy()
            yield platform


def addresses(servers: Sequence[ModelServer]) -> list[tuple[str, int]]:
    return [(server.settings.host, server.port) for server in servers]


def error_of(answer: bytes | str) -> dict[str, Any]:
    """The error in a body of OpenAI's format, which must have exactly these four keys."""
    error = json.loads(answer)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error
