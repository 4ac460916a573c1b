"""Clients' budgets over two gateways, with the real rate limit service and Redis: what is charged is what the audit logs say."""

from __future__ import annotations

import contextlib
import math
import re
import socket
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import pytest

from components.gateway.envoy import budgets
from config import catalog
from config.gateway import USD_UNIT
from planning.client_budgets import WINDOW_SECONDS
from tests.dataplane.gateway_under_test import PRICES, WAIT_SECONDS, Served, plan_of, running
from tests.dataplane.rate_limits import MODULE, RateLimits
from tests.dataplane.wire import chat, request, send
from tools.demo.model_server import Faults

MODELS = {"qwen3-8b": Served(replicas=2), "llama": Served()}
BILLION = 1_000_000_000
CLIENTS = {
    "team-a": {"tokensPerMinute": BILLION, "monthlyTokens": 2 * BILLION, "monthlyUsd": 400_000},
    "team-b": {"monthlyTokens": BILLION, "requestsPerMinute": 6000},
    "team-c": {},
}
# More than a stopped machine needs: here counts are compared, not times.
PATIENCE_SECONDS = 10


@contextlib.contextmanager
def two_gateways(clients, **section):
    with RateLimits(plan_of(MODELS, clients, **section)) as limits:
        one, two = (running(MODELS, clients, rate_limits=limits.port, **section) for _ in range(2))
        with one as first, two as second:
            yield limits, (first, second)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(budgets, "TIMEOUT_SECONDS", PATIENCE_SECONDS)


def ask(platform, client="team-a", model="qwen3-8b", **more):
    return send(platform.gateway.port, request("/v1/chat/completions", chat(model, **more), client=client))


def by_log(platforms):
    """What the audit logs say that clients have used: by client and budget, in its unit."""
    tokens: Counter[str] = Counter()
    usd: dict[str, float] = defaultdict(float)
    for platform in platforms:
        for line in platform.gateway.audit_log:
            prompt, completion = line["prompt_tokens"] or 0, line["completion_tokens"] or 0
            tokens[line["client"]] += prompt + completion
            usd[line["client"]] += (prompt * PRICES.prompt + completion * PRICES.completion) / 1e6
    return tokens, usd


def agrees(limits, platforms):
    tokens, usd = by_log(platforms)
    charged = Counter(limits.charged())
    for client in platforms[0].gateway.plan.clients.values():
        for budget in client.budgets:
            ahead = charged.pop((client.name, budget.name), 0) - (
                tokens[client.name] if budget.counts == "tokens" else usd[client.name] / USD_UNIT
            )
            # Whole units only: the one worker thread of each gateway may be up to one unit ahead.
            if not (ahead == 0 if budget.counts == "tokens" else -1e-6 < ahead < len(platforms)):
                return False
    return not charged


def assert_agrees(limits, platforms):
    platforms[0].gateway.wait_until(lambda: agrees(limits, platforms), WAIT_SECONDS, f"{limits.charged()} is not {by_log(platforms)}")


def wait_for_a_new_minute(if_it_ends_within):
    left = 60 - time.time() % 60
    if left < if_it_ends_within:
        time.sleep(left + 0.1)


def abort(platform, events, client="team-a"):
    """Hangs up after so many events of a stream."""
    with socket.create_connection(("127.0.0.1", platform.gateway.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(request("/v1/chat/completions", chat(max_tokens=400, ignore_eos=True, stream=True), client=client))
        received = b""
        while received.count(b"data: ") < events:
            received += connection.recv(4096)


def test_what_is_charged_over_two_gateways_is_what_the_audit_logs_say():
    with two_gateways(CLIENTS) as (limits, platforms):

        def one(index):
            platform, client = platforms[index % 2], ("team-a", "team-b", "team-c")[index % 3]
            answer = ask(platform, client, ("qwen3-8b", "llama")[index % 5 == 0], max_tokens=1 + index % 17, stream=index % 4 < 2)
            assert answer.status == 200

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(120)))
        assert_agrees(limits, platforms)
        for server in platforms[0].replicas["qwen3-8b"] + platforms[1].replicas["qwen3-8b"]:
            server.faults = Faults(seconds_per_token=0.005)
        for index, events in enumerate((1, 3, 10, 30)):
            abort(platforms[index % 2], events)
        for path, body in (("completions", {"prompt": "Hello"}), ("responses", {"input": "Hello"}), ("embeddings", {"input": "Hello"})):
            assert send(platforms[0].gateway.port, request(f"/v1/{path}", body | {"model": "llama"})).status == 200
        for refused in (chat("absent"), chat(max_tokens=0), {}):
            assert send(platforms[1].gateway.port, request("/v1/chat/completions", refused)).status in (400, 404)
        assert_agrees(limits, platforms)
        tokens, _ = by_log(platforms)
        assert min(tokens[client] for client in CLIENTS) > 300
        for platform in platforms:
            assert "hits_addend" not in platform.gateway.log


def test_a_client_without_a_budget_is_not_asked_about_and_the_list_of_models_costs_nothing():
    with two_gateways(CLIENTS) as (limits, (one, _)):
        assert ask(one, "team-c").status == 200
        assert send(one.gateway.port, request("/v1/models", method="GET")).status == 200
        name = f"cluster.{budgets.CLUSTER}.upstream_rq_total"
        assert one.gateway.stats(f"^{name}$")[name] == 0
        assert limits.charged() == {}


USED_UP = {
    "monthly_tokens": ({"monthlyTokens": 20}, "monthly_tokens_exceeded", "20 tokens per month of 30 days", "20"),
    "tokens_per_minute": ({"tokensPerMinute": 20}, "tokens_per_minute_exceeded", "20 tokens per minute", "20"),
    "monthly_usd": ({"monthlyUsd": 0.0002}, "monthly_budget_exceeded", "0.0002 US dollars per month of 30 days", "0.0002"),
}


@pytest.mark.parametrize("kind", USED_UP)
def test_who_has_used_up_a_budget_gets_429_at_both_gateways_with_what_is_left_and_until_when(kind):
    budget, code, words, limit = USED_UP[kind]
    with two_gateways({"team-a": {"monthlyTokens": BILLION, "requestsPerMinute": 600} | budget}) as (limits, platforms):
        used = 0
        wait_for_a_new_minute(if_it_ends_within=20)
        while ask(platforms[used % 2], max_tokens=10).status == 200:
            used += 1
            assert_agrees(limits, platforms)  # Envoy charges when the stream has ended, which the client sees first
        assert 2 <= used <= 3, "20 tokens and 2 hundredths of a cent are two answers of 10 tokens"
        for platform in platforms:
            answer = ask(platform)
            assert (answer.status, answer.error["code"]) == (429, code)
            assert f"its budget of {words}; nothing is left" in answer.error["message"]
            headers = answer.headers
            assert (headers["x-budget"], headers["x-budget-limit"], headers["x-budget-remaining"]) == (kind, limit, "0")
            reset, window = int(headers["x-budget-reset"]), WINDOW_SECONDS["minute" if kind == "tokens_per_minute" else "month"]
            assert headers["retry-after"] == headers["x-budget-reset"]
            # Windows are fixed, aligned to 1970.
            assert abs(reset - (window - time.time() % window)) < 3
            renewed = re.search(r"It renews at (\S+), in (\d+) seconds", answer.error["message"])
            assert renewed
            assert int(renewed[2]) == reset
            assert platform.logged(answer.request_id)["status"] == 429
            # Envoy's own limit of requests keeps its headers.
            assert headers["x-ratelimit-limit"] == "600"


def test_an_answer_says_what_is_left():
    with two_gateways({"team-a": {"monthlyTokens": 1000}}) as (limits, (one, two)):
        used = ask(one, max_tokens=30).json["usage"]["total_tokens"]
        one.gateway.wait_until(lambda: limits.charged() == {("team-a", "monthly_tokens"): used}, WAIT_SECONDS, "not charged")
        assert ask(two).headers["x-budget-remaining"] == str(1000 - used)


def test_what_is_in_flight_may_exceed_a_budget_and_no_more():
    at_once, budget = 12, 50
    with two_gateways({"team-a": {"monthlyTokens": budget}}) as (limits, platforms):
        with ThreadPoolExecutor(at_once) as pool:
            answers = list(pool.map(lambda index: ask(platforms[index % 2], max_tokens=20, stream=True).status, range(6 * at_once)))
        assert answers[-1] == 429
        assert_agrees(limits, platforms)
        tokens, _ = by_log(platforms)
        each = tokens["team-a"] / answers.count(200)
        assert budget < tokens["team-a"] <= budget + at_once * each


def assert_says_so(platform):
    """By the counter that the alert looks at."""
    address = f"http://127.0.0.1:{platform.gateway.operations_port}/stats/prometheus"
    counted = 'envoy_cluster_ratelimit_error{envoy_cluster_name="qwen3-8b/blue"} 1'
    platform.gateway.wait_until(lambda: counted in urlopen(address).read().decode(), WAIT_SECONDS, "no failed call is counted")


def test_while_the_service_is_away_requests_pass_uncounted_and_envoy_says_so():
    with two_gateways(CLIENTS) as (limits, platforms):
        assert ask(platforms[0]).status == 200
        assert_agrees(limits, platforms)
        before = limits.charged()
        limits.kill("service")
        assert [ask(platform).status for platform in platforms] == [200, 200]
        assert_says_so(platforms[0])
        limits.start_service()
        assert limits.charged() == before, "and nothing that was counted is lost"
        platforms[0].gateway.wait_until(lambda: ask(platforms[0]).headers["x-budget"], WAIT_SECONDS, "the service is not asked again")


def test_where_a_stack_says_so_nobody_with_a_budget_is_served_uncounted():
    with two_gateways(CLIENTS, budgets={"whenUnavailable": "deny"}) as (limits, (one, _)):
        assert ask(one).status == 200
        limits.kill("service")
        answer = ask(one)
        assert (answer.status, answer.error["code"]) == (503, "budget_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert ask(one, "team-c").status == 200


@pytest.mark.parametrize("when", ["allow", "deny"])
def test_the_demo_has_no_service_and_serves_without_it(when):
    with running(MODELS, {"team-a": {"monthlyTokens": 1}}, budgets={"whenUnavailable": when}) as platform:
        assert [ask(platform).status for _ in range(3)] == [200, 200, 200]


def test_redis_killed_and_back_has_not_forgotten_the_month():
    with two_gateways(CLIENTS) as (limits, platforms):
        for platform in platforms:
            assert ask(platform, max_tokens=25).status == 200
        assert_agrees(limits, platforms)
        before = limits.charged()
        time.sleep(1.1)  # the append-only file is written out once a second
        limits.kill("redis")
        assert ask(platforms[0]).status == 200
        assert_says_so(platforms[0])
        limits.start_redis()
        assert limits.charged() == before
        platforms[0].gateway.wait_until(lambda: ask(platforms[0]).headers["x-budget"], WAIT_SECONDS, "Redis is not used again")
        platforms[0].gateway.wait_until(lambda: limits.charged() != before, WAIT_SECONDS, "nothing is counted again")


def test_a_changed_budget_is_in_force_without_a_restart_and_keeps_the_count():
    with two_gateways({"team-a": {"monthlyTokens": BILLION}}) as (limits, (one, _)):
        used = ask(one).json["usage"]["total_tokens"]
        one.gateway.wait_until(lambda: limits.charged() == {("team-a", "monthly_tokens"): used}, WAIT_SECONDS, "not charged")
        limits.configure(plan_of(MODELS, {"team-a": {"monthlyTokens": used - 1}}))
        one.gateway.wait_until(lambda: ask(one).status == 429, WAIT_SECONDS, "the new limit is not in force")


def test_the_image_is_of_the_commit_that_these_tests_run():
    version = re.search(r"envoyproxy/ratelimit v\S+-(\w{12})\b", (MODULE / "go.mod").read_text())
    assert version
    assert version[1].startswith(catalog.image("ratelimit").tag)


def test_a_price_is_charged_in_whole_units_without_rounding_each_request():
    with two_gateways({"team-a": {"monthlyUsd": 100}}) as (limits, platforms):
        for index in range(20):
            assert ask(platforms[index % 2], max_tokens=1).status == 200
        _, usd = by_log(platforms)
        exact = usd["team-a"] / USD_UNIT
        assert exact < 5, "each request by itself would be charged a unit, 20 together"
        wanted = range(math.ceil(exact), math.ceil(exact) + 2)
        platforms[0].gateway.wait_until(lambda: limits.charged().get(("team-a", "monthly_usd")) in wanted, WAIT_SECONDS, f"not {exact}")
