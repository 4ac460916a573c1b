"""Ten thousand requests of three clients to eight models: none to a wrong model, none lost, and all counters agree."""

import asyncio
import json
import random
from collections import Counter

import openai

from tests.dataplane.callers import Ask, call_all
from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, key_of, running

REQUESTS, BY_OPENAIS_CLIENT = 10_000, 240
MODELS = {f"model-{number}": Served(names=(f"model-{number}", f"alias-{number}"), replicas=1 + number % 2) for number in range(8)}
SMALL = {"answer_tokens": 4}
CLIENTS = {"team-a": {}, "team-b": {"models": [f"model-{number}" for number in range(6)]}, "team-c": {"defaultModel": "model-0"}}
ABSENT = "model-9"


def drawn(count):
    """Random requests; one in twenty is for a model that does not exist, or that the client may not use."""
    chance = random.Random(20_260)  # noqa: S311
    for _ in range(count):
        client = chance.choice(sorted(CLIENTS))
        allowed = CLIENTS[client].get("models", list(MODELS))
        name = chance.choice(allowed)
        if chance.random() < 0.05:
            name = chance.choice([ABSENT, "model-7" if client == "team-b" else ABSENT])
        elif chance.random() < 0.3:
            name = name.replace("model", "alias")
        yield Ask(client, name, streamed=chance.random() < 0.4)


def model_of(name):
    return name.replace("alias", "model")


def expected_status(ask):
    if ask.model == ABSENT:
        return 404
    return 200 if model_of(ask.model) in CLIENTS[ask.client].get("models", MODELS) else 403


def by_openais_client(platform, count):
    """Sends `count` requests; returns their numbers by client and model. Asserts that the right model answered."""
    counted = Counter()

    async def ask(client, team, number):
        name = f"model-{number % 6}"
        answer = await client.chat.completions.create(model=name, messages=HELLO, stream=number % 2 == 0, user=f"openai-{team}-{number}")
        if number % 2 == 0:
            chunks = [chunk async for chunk in answer]
            assert chunks[-1].usage.completion_tokens == 4
            assert "".join(chunk.choices[0].delta.content for chunk in chunks if chunk.choices).startswith(f"{name}/")
        else:
            assert answer.choices[0].message.content.startswith(f"{name}/")
        counted[team, name] += 1

    async def ask_all():
        for team in CLIENTS:
            async with openai.AsyncOpenAI(base_url=f"{platform.gateway.url}/v1", api_key=key_of(team), max_retries=0) as client:
                await asyncio.gather(*(ask(client, team, number) for number in range(count // len(CLIENTS))))

    asyncio.run(ask_all())
    return counted


def test_ten_thousand_requests_are_answered_by_their_models_and_counted_alike_by_all():
    models = {name: Served(one.names, one.replicas, server=SMALL) for name, one in MODELS.items()}
    with running(models, CLIENTS, cpu=2) as platform:
        counted = by_openais_client(platform, BY_OPENAIS_CLIENT)
        outcomes = call_all(platform, drawn(REQUESTS - BY_OPENAIS_CLIENT), at_once=64)
        assert [outcome.status for outcome in outcomes] == [expected_status(outcome.ask) for outcome in outcomes]
        assert all(outcome.whole for outcome in outcomes)
        for outcome in outcomes:
            assert outcome.status != 200 or outcome.replica.split("/")[0] == model_of(outcome.ask.model)
        platform.gateway.wait_until(lambda: len(platform.gateway.audit_log) >= REQUESTS, WAIT_SECONDS, "lines are missing")
        counted += Counter((outcome.ask.client, model_of(outcome.ask.model)) for outcome in outcomes if outcome.status == 200)
        statuses = Counter(outcome.status for outcome in outcomes) + Counter({200: BY_OPENAIS_CLIENT})
        assert counted == at_the_servers(platform, {outcome.mark for outcome in outcomes if outcome.status == 200})
        assert_envoy_counted(platform, counted, statuses)
        assert_logged(platform, counted, statuses, outcomes)


def at_the_servers(platform, marks):
    """Received requests by client and model. Asserts that every mark arrived once, at a server of its request's model."""
    counted, seen = Counter(), Counter()
    clients = {line["request_id"]: line["client"] for line in platform.gateway.audit_log}
    for model in MODELS:
        for one in platform.received(model):
            body = json.loads(one.body)
            assert body["model"] in platform.gateway.plan.models[model].names
            seen[body["user"]] += 1
            counted[clients[one.headers["x-request-id"]], model] += 1
    assert {mark for mark in seen if mark.startswith("mark-")} == marks
    assert set(seen.values()) == {1}
    return counted


def assert_envoy_counted(platform, counted, statuses):
    stats = platform.gateway.stats()
    for model in MODELS:
        of_model = sum(count for (_, name), count in counted.items() if name == model)
        assert stats[f"cluster.{model}/blue.upstream_rq_completed"] == of_model
        assert stats[f"cluster.{model}/blue.upstream_rq_total"] == of_model
        assert stats.get(f"cluster.{model}/blue.upstream_rq_retry", 0) == 0
    for client in CLIENTS:
        of_client = sum(count for (name, _), count in counted.items() if name == client)
        assert stats[f"vhost.models.vcluster.{client}.upstream_rq_total"] == of_client
        assert stats[f"vhost.models.vcluster.{client}.upstream_rq_2xx"] == of_client
    assert stats["http.front.downstream_rq_total"] == REQUESTS
    assert stats["http.front.downstream_rq_2xx"] == statuses[200]
    assert stats["http.front.downstream_rq_4xx"] == statuses[403] + statuses[404]
    assert stats["http.front.downstream_rq_active"] == 0


def assert_logged(platform, counted, statuses, outcomes):
    lines = platform.gateway.audit_log
    assert len(lines) == len({line["request_id"] for line in lines}) == REQUESTS
    assert Counter(line["status"] for line in lines) == statuses
    assert Counter((line["client"], line["model"]) for line in lines if line["status"] == 200) == counted
    assert {line["completion_tokens"] for line in lines if line["status"] == 200} == {4}
    by_id = {line["request_id"]: line for line in lines}
    for outcome in outcomes:
        line = by_id[outcome.request_id]
        assert (line["client"], line["status"]) == (outcome.ask.client, outcome.status)
        assert outcome.status != 200 or line["model"] == model_of(outcome.ask.model)
