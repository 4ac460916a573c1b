"""What a load test asks of a model: its steps, its requests and who sends them, from a stack and its plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.gateway.exposure import internal_url
from config import catalog
from config.errors import Problem, StackError
from config.gateway import Gateway
from config.models import Model
from config.settings import Settings
from planning.gateway import GatewayPlan, RoutedClient
from planning.plan import ModelPlan, Plan

# Requests that each caller sends, one after the other, in a step: the first ones come all at once, which is not what is measured.
REQUESTS_PER_CALLER = 4


@dataclass(frozen=True)
class LoadTest:
    """One test of one model."""

    model: str
    served_name: str
    client: str | None
    """Whose key it sends. None: the gateway asks for none."""
    url: str
    replicas: int
    steps: tuple[int, ...]
    """Requests in flight over all replicas; the last is what the plan aims for."""
    prompt_tokens: int
    output_tokens: int
    vocabulary: int
    slo: dict[str, float]
    """Seconds by what `vllm bench serve` calls them: ttft, tpot."""

    def argument(self, keys: str | None) -> dict[str, Any]:
        """What `steps.py` is given. `keys`: where it finds the gateway's file of keys."""
        return {
            "url": self.url,
            "model": self.served_name,
            "client": self.client,
            "keys": keys,
            "steps": list(self.steps),
            "requestsPerCaller": REQUESTS_PER_CALLER,
            "promptTokens": self.prompt_tokens,
            "outputTokens": self.output_tokens,
            "vocabulary": self.vocabulary,
            "slo": self.slo,
        }


def load_test(settings: Settings, plan: Plan, name: str, *, replicas: int, client: str | None = None, url: str | None = None) -> LoadTest:
    """`replicas`: how many serve now. `url`: another address of the gateway, without a path.

    Raises:
        StackError: the model, the client or the gateway are not made for it.
    """
    model, planned = settings.models[name], plan.models[name]
    if settings.gateway is None or plan.gateway is None:
        raise StackError([Problem("gateway", "there is none, and load comes through it", "add a `gateway` section")])
    row = catalog.model(model.source)
    architecture = model.architecture or (row.architecture if row else None)
    if architecture is None or architecture.is_encoder:
        raise StackError([Problem(f"models.{name}", "writes no tokens, and `vllm bench serve` times tokens", "choose another model")])
    steps = tuple(_steps(planned.capacity.target_in_flight * max(1, replicas)))
    prompt, output = _lengths(model, planned)
    return LoadTest(
        model=name,
        served_name=planned.served_names[0],
        client=_client(settings.gateway, plan.gateway, name, steps[-1], client),
        url=url or internal_url(settings.gateway).removesuffix("/v1"),
        replicas=max(1, replicas),
        steps=steps,
        prompt_tokens=prompt,
        output_tokens=output,
        vocabulary=architecture.vocab_size,
        slo={key: value for key, value in (("ttft", model.slo.ttft_seconds), ("tpot", model.slo.tpot_seconds)) if value is not None},
    )


def _steps(target: int) -> Iterator[int]:
    """Twice as many each time, and at last the target."""
    number = 1
    while number < target:
        yield number
        number *= 2
    yield target


def _lengths(model: Model, planned: ModelPlan) -> tuple[int, int]:
    """Of a typical request, as far as the context holds it."""
    most = planned.memory.max_model_len
    output = min(model.traffic.output_tokens, max(1, most // 2))
    return max(1, min(model.traffic.prompt_tokens, most - output)), output


def _client(gateway: Gateway, routed: GatewayPlan, model: str, in_flight: int, wanted: str | None) -> str | None:
    """Who may use the model and is not held back: a limit of its own is all that a test would find."""
    path = f"gateway.clients.{wanted}" if wanted else "gateway.clients"
    if wanted is not None and wanted not in routed.clients:
        raise StackError([Problem(path, "there is no such client", "one of: " + ", ".join(routed.clients))])
    candidates = [routed.clients[wanted]] if wanted else list(routed.clients.values())
    free = [one.name for one in candidates if model in one.models and not _is_held_back(one, in_flight)]
    if not free:
        message = f"no client may send {in_flight} requests at a time to '{model}' without a limit of its own"
        raise StackError([Problem(path, message, "add a client for tests, without requestsPerMinute and concurrentRequests")])
    return free[0] if gateway.authentication == "api-key" else None


def _is_held_back(client: RoutedClient, in_flight: int) -> bool:
    """Its requests in flight may all meet one replica of the gateway."""
    return client.requests_per_minute is not None or (client.concurrent_requests or in_flight) < in_flight
