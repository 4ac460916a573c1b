"""What the platform says of itself is true: a real Prometheus with the program's own rules watches stand-in models and a real Envoy under
load. Every recording rule and every panel has data, and the numbers are those of whoever sent the load.

Of a cluster and its GPUs there is only a stand-in's word (tools/demo/metrics/cluster.py): nodes, pods, GPUs, and what is made of them.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import json
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass

import aiohttp
import pytest

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from components.observability.dashboards.stack import dashboards
from config.stack_config import load_stack_file
from planning.plan import make_plan
from tests import prometheus_tools
from tools.demo.local_gateway import LocalGateway
from tools.demo.metrics.panels import filled_in
from tools.demo.metrics.prometheus import LocalPrometheus
from tools.demo.metrics.scraped import watching
from tools.demo.models import stand_ins
from tools.stacks import stack_file

# vllm/v1/metrics/buckets.py 0.33.0.
_TTFT_EDGES = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_REQUEST_SECONDS = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10)
REQUESTS, AT_ONCE = 120, 8
WAIT_SECONDS = 30
MODEL = "qwen3-8b"


@dataclass(frozen=True)
class Answered:
    """A request, as the client saw it."""

    client: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    first_token: float
    """Seconds."""
    whole: float


@dataclass(frozen=True)
class Observed:
    prometheus: LocalPrometheus
    settings: object
    plan: object
    answered: list[Answered]
    refused: Counter
    """Requests for models that are not there or not the client's, by client and status."""

    def total(self, expression, *labels):
        """Of the newest values, by labels."""
        found = {tuple(one.labels[label] for label in labels): one.points[0][1] for one in self.prometheus.query(expression)}
        return {key[0] if len(key) == 1 else key: value for key, value in found.items() if value}

    def counted(self, value, *by):
        counts = Counter()
        for one in self.answered:
            key = tuple(getattr(one, name) for name in by)
            counts[key[0] if len(key) == 1 else key] += value(one)
        return dict(counts)


@pytest.fixture(scope="module")
def observed():
    prometheus_tools.tool("prometheus")
    settings = load_stack_file(stack_file("prod"))
    plan = make_plan(settings)
    assert plan.gateway
    keys = {client: f"sk-{client}-0123456789abcdef" for client in plan.gateway.clients}
    with stand_ins(plan) as servers:
        routes = [ModelRoute(model, [Backend("blue", servers[name].addresses)]) for name, model in plan.gateway.models.items()]
        with (
            LocalGateway(plan.gateway, routes, keys) as envoy,
            watching(settings, plan, servers, envoy.operations_port, every_seconds=1) as prometheus,
        ):
            answered, refused = asyncio.run(load(plan.gateway, keys, f"{envoy.url}/v1"))
            seen = Observed(prometheus, settings, plan, answered, refused)
            wait_until_all_is_seen(seen)
            yield seen


async def load(gateway, keys, url):
    """Every client asks every model of its own; some requests are for a model that it may not use, or that is not there."""
    chance = random.Random(13)  # noqa: S311
    places = itertools.cycle([(client, model) for client, one in gateway.clients.items() for model in one.models])
    asks = [(*next(places), chance.randint(1, 12), chance.randint(4, 16)) for _ in range(REQUESTS)]
    waiting, answered, refused = iter(asks), [], Counter()

    async def ask(session, client, model, words, tokens):
        """Reads no more of a stream than it must: a client that is slow sees latencies of its own."""
        body = {
            "model": gateway.models[model].names[0] if model in gateway.models else model,
            "messages": [{"role": "user", "content": "word " * words}],
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        begun, first, last = time.monotonic(), 0.0, b""
        async with session.post(f"{url}/chat/completions", json=body, headers={"Authorization": f"Bearer {keys[client]}"}) as answer:
            if answer.status != 200:
                refused[client, str(answer.status)] += 1
                return
            async for line in answer.content:
                if not first and b'"content":"' in line and b'"content":""' not in line:
                    first = time.monotonic() - begun
                last = line if line.startswith(b"data: {") else last
        usage = json.loads(last.removeprefix(b"data: "))["usage"]
        whole = time.monotonic() - begun
        answered.append(Answered(client, model, usage["prompt_tokens"], usage["completion_tokens"], first, whole))

    async def caller(session):
        for number, one in enumerate(waiting):
            await ask(session, *one)
            if number % 10 == 0:
                await ask(session, "batch", "gemma-3-27b", 1, 1)
                await ask(session, "chat", "absent", 1, 1)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(caller(session) for _ in range(AT_ONCE)))
    return answered, refused


def wait_until_all_is_seen(seen):
    """Scraped and evaluated twice since the last request ended."""
    deadline = time.monotonic() + WAIT_SECONDS
    everything = len(seen.answered) + seen.refused.total()
    while time.monotonic() < deadline:
        counted = seen.prometheus.query("sum(envoy_gateway_requests_total)")
        recorded = seen.prometheus.query("model:cost_per_million_tokens:usd1h")
        if counted and counted[0].points[0][1] == everything and len(recorded) == len(seen.plan.models):
            time.sleep(3)
            return
        time.sleep(0.2)
    raise AssertionError(f"{everything} requests, of which Prometheus saw {counted}; {recorded}")


def test_every_rule_is_evaluated_and_every_recording_has_data(observed):
    names = set()
    for group in observed.prometheus.ask("rules")["groups"]:
        for rule in group["rules"]:
            assert rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError')}"
            if rule["type"] == "recording":
                names.add(rule["name"])
    empty = [name for name in sorted(names) if not any(one.points for one in observed.prometheus.query(name))]
    # Of a replica that has less to do than this there is no correction.
    assert [name for name in empty if name != "model:step_time:ratio"] == []
    assert len(names) > 50


def test_no_panel_is_empty_on_a_platform_that_is_well(observed):
    empty, asked = [], 0
    for uid, dashboard in dashboards(observed.settings, observed.plan).items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                asked += 1
                found = observed.prometheus.query(filled_in(target["expr"], model=MODEL))
                if not any(one.points for one in found):
                    empty.append(f"{uid}: {panel['title']}: {target['expr']}")
    assert not empty, "\n".join(empty)
    assert asked > 100


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("nvidia_gpu_utilization", "DCGM_FI_DEV_GPU_UTIL"),
        (
            "histogram_quantile(0.95, rate(vllm_request_duration_seconds_bucket[5m]))",
            'model:e2e_request_latency_seconds:quantile5m{quantile="0.95"}',
        ),
    ],
)
def test_names_of_public_guides_that_no_program_exposes_find_nothing(observed, theirs, ours):
    assert observed.prometheus.query(theirs) == []
    assert observed.prometheus.query(ours)


def test_no_alert_so_much_as_waits_on_a_platform_that_is_well(observed):
    assert not [one["labels"]["alertname"] for one in observed.prometheus.ask("alerts")["alerts"]]


def test_variables_offer_what_is_there(observed):
    for metric, label, expected in (
        ("model:floor_replicas:plan", "model", set(observed.plan.models)),
        ("client:requests:rate5m", "client", set(observed.plan.gateway.clients)),
        ("pool:gpus:sum", "pool", set(observed.plan.pools)),
    ):
        assert {one.labels[label] for one in observed.prometheus.query(metric)} == expected


def test_requests_are_counted_exactly_by_engines_and_by_the_gateway(observed):
    by_model, by_client = observed.counted(lambda _: 1, "model"), observed.counted(lambda _: 1, "client", "model")
    assert sum(by_model.values()) == REQUESTS
    assert observed.total("sum by (model) (vllm:request_success_total)", "model") == by_model
    counted = 'sum by (client, model) (envoy_gateway_requests_total{status="200"})'
    assert observed.total(counted, "client", "model") == by_client
    assert observed.total('sum by (client, status) (envoy_gateway_requests_total{status=~"4.."})', "client", "status") == observed.refused
    assert observed.refused.keys() == {("batch", "403"), ("chat", "404")}


def test_tokens_are_counted_exactly_by_engines_and_by_the_gateway(observed):
    for kind, of_engines, of_gateway in (
        ("prompt_tokens", "vllm:prompt_tokens_total", "envoy_gateway_prompt_tokens_total"),
        ("completion_tokens", "vllm:generation_tokens_total", "envoy_gateway_completion_tokens_total"),
    ):

        def tokens(one, kind=kind):
            return getattr(one, kind)

        assert observed.total(f"sum by (model) ({of_engines})", "model") == observed.counted(tokens, "model")
        assert observed.total(f"sum by (client, model) ({of_gateway})", "client", "model") == observed.counted(tokens, "client", "model")


def test_recorded_rates_are_those_of_the_load(observed):
    """Prometheus extends what it has seen by up to one interval at either end, of the load's some ten."""
    for record, value in (("requests", lambda _: 1), ("generation_tokens", lambda one: one.completion_tokens)):
        rates = observed.total(f"model:{record}:rate5m", "model")
        for model, sent in observed.counted(value, "model").items():
            assert rates[model] * 300 == pytest.approx(sent, rel=0.15), (record, model)


@pytest.mark.parametrize(
    ("latency", "edges", "seen"),
    [
        ("time_to_first_token", _TTFT_EDGES, lambda one: one.first_token),
        ("e2e_request_latency", _REQUEST_SECONDS, lambda one: one.whole),
    ],
)
def test_latencies_are_those_of_the_clients_within_a_bucket(observed, latency, edges, seen):
    """A client's are longer by the way to the engine and back, which can lead over an edge; the slowest on a busy machine by far more."""

    def bucket(seconds):
        return bisect.bisect_left(edges, seconds)

    halves = observed.total(f'model:{latency}_seconds:quantile5m{{quantile="0.5"}}', "model")
    for model in observed.plan.models:
        median = statistics.median(seen(one) for one in observed.answered if one.model == model)
        assert abs(bucket(halves[model]) - bucket(median)) <= 1, f"{model}: recorded {halves[model]:.3f} s, clients saw {median:.3f} s"
    (of_all,) = observed.prometheus.query(f"histogram_quantile(0.95, sum by (le) (rate(vllm:{latency}_seconds_bucket[5m])))")
    assert bucket(of_all.points[0][1]) <= bucket(statistics.quantiles(map(seen, observed.answered), n=20)[-1])


def test_money_is_that_of_the_nodes_that_are_there(observed):
    """As many nodes as the stand-in cluster has, at the plan's prices."""
    nodes = {"l4": 3, "a100-80": 1, "h100": 1}
    prices = observed.plan.cost.node_prices
    hourly = observed.total("sum by (pool) (pool:cost:usd_per_hour)", "pool")
    assert hourly == pytest.approx({pool: count * prices[pool].on_demand for pool, count in nodes.items()})
    of_models = observed.total("sum by (pool) (model:cost:usd_per_hour)", "pool")
    idle = observed.total("sum by (pool) (pool:idle_cost:usd_per_hour)", "pool")
    assert {pool: of_models[pool] + idle.get(pool, 0) for pool in nodes} == pytest.approx(hourly)
