"""Requests and tokens by client and model are statistics of Envoy's, equal to what the clients were told."""

from __future__ import annotations

import re
import urllib.request
from collections import Counter

import pytest

from components.observability.metrics import SCRAPED, Source
from tests.dataplane.gateway_under_test import WAIT_SECONDS, Served, running
from tests.dataplane.wire import chat, request, send
from tools.ports import free_port

TARGET = {"namespace", "pod", "container", "endpoint", "instance", "job"}
_SAMPLE = re.compile(r"envoy_gateway_(\w+)_total\{(.*)\} (\d+)")


@pytest.fixture(scope="module")
def platform():
    with running(
        {"small": Served(), "large": Served()},
        {"team-a": {}, "team-b": {"models": ["small"], "requestsPerMinute": 4, "monthlyTokens": 1000}},
        rate_limits=free_port(),
    ) as platform:
        yield platform


def scraped(platform):
    """As Prometheus sees them: (statistic, labels) -> value."""
    address = f"http://127.0.0.1:{platform.gateway.operations_port}/stats/prometheus?usedonly"
    with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as answer:
        samples = _SAMPLE.findall(answer.read().decode())
    return Counter({(name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))): int(value) for name, labels, value in samples})


def ask(platform, client, model, **more):
    return send(platform.gateway.port, request("/v1/chat/completions", chat(model, **more), client=client))


def test_what_clients_were_told_is_what_is_counted(platform):
    told = Counter()
    for client, model, tokens in (("team-a", "small", 3), ("team-a", "large", 5), ("team-b", "small", 7), ("team-a", "small", 2)):
        usage = ask(platform, client, model, max_tokens=tokens).json["usage"]
        who = (("client", client), ("colour", "blue"), ("model", model))
        told["requests", (*who, ("status", "200"))] += 1
        told["prompt_tokens", who] += usage["prompt_tokens"]
        told["completion_tokens", who] += usage["completion_tokens"]
    platform.gateway.wait_until(lambda: scraped(platform) == told, WAIT_SECONDS, f"not {told}")


def test_what_is_refused_is_counted_and_what_a_caller_writes_makes_no_series(platform):
    assert ask(platform, "team-a", "tulips").status == 404
    assert ask(platform, "team-b", "large").status == 403
    wrong = request("/v1/chat/completions", chat("small"), client="tulips")
    assert send(platform.gateway.port, wrong).status == 401

    def statuses():
        found = Counter()
        for (name, labels), value in scraped(platform).items():
            if name == "requests":
                found[dict(labels)["status"]] += value
        return found

    platform.gateway.wait_until(lambda: {"404", "403", "401"} <= statuses().keys(), WAIT_SECONDS, "not all are counted")
    assert "tulips" not in str(scraped(platform))


def test_envoy_exposes_what_the_catalogue_says_of_it(platform):
    ask(platform, "team-a", "small")
    ask(platform, "team-b", "small")  # has a budget, and no service answers that would know of it
    address = f"http://127.0.0.1:{platform.gateway.operations_port}/stats/prometheus"
    ours = {metric.name: metric for metric in SCRAPED if metric.source is Source.ENVOY}

    def exposed():
        with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as answer:
            text = answer.read().decode()
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        labels = {name: set(re.findall(r'(\w+)="', found)) for name, found in re.findall(r"^(\w+)\{(.*)\}", text, re.MULTILINE)}
        return kinds, labels

    platform.gateway.wait_until(
        lambda: ours.keys() <= exposed()[0].keys(), WAIT_SECONDS, f"not exposed: {ours.keys() - exposed()[0].keys()}"
    )
    kinds, labels = exposed()
    for name, metric in ours.items():
        assert kinds[name] == metric.kind
        series = f"{name}_count" if metric.kind == "histogram" else name
        assert labels[series] == metric.labels - TARGET, name
