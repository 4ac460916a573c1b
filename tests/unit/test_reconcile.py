"""Reconciliation against a small Prometheus API with answers made by hand, and against a real Prometheus that scrapes a stand-in."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from components.observability.reconciliation import numbers_below
from config.measured import MeasuredSpeed
from config.stack_config import load_stack_file
from planning.plan import make_plan, performance_of
from tests.model_servers import HELLO, one_server, post
from tests.program.conftest import ROOT
from tests.prometheus_tools import tool
from tests.stacks import settings
from tools.reconcile import __main__ as command
from tools.reconcile.figures import figures, measured_speed
from tools.reconcile.prometheus import Prometheus, Unanswered
from tools.reconcile.running import Interval, Running, read_running

MODEL = "qwen3-0-6b"
BUSY = Interval(1_790_000_000, 1, in_flight=4, prompt_tokens=1000, output_tokens=200, output_tokens_per_second=1, ttft=1, tpot=1)


@contextlib.contextmanager
def prometheus_with(answers, status=200):
    """An address that answers a query by the first pattern that it matches: labels and values, one a point of time."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            asked = {key: found[0] for key, found in urllib.parse.parse_qs(body).items()}
            if status != 200:
                return self.reply(status, {"status": "error", "error": "parse error: unexpected end"})
            found = next((of for pattern, of in answers.items() if re.search(pattern, asked["query"])), [])
            at = float(asked.get("end", time.time()))
            if self.path == "/api/v1/query":
                result = [{"metric": labels, "value": [at, str(values[-1])]} for labels, values in found]
            else:
                step = float(asked["step"])
                points = [[at - step * (len(values) - 1 - index) for index in range(len(values))] for _, values in found]
                result = [
                    {"metric": labels, "values": [[when, str(value)] for when, value in zip(times, values, strict=True)]}
                    for (labels, values), times in zip(found, points, strict=True)
                ]
            return self.reply(200, {"status": "success", "data": {"result": result}})

        def reply(self, status, content):
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format, *args):  # noqa: A002
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


OF = {"model": MODEL}
ANSWERS = {
    "cache_config_info": [
        (OF | {"kv_cache_size_tokens": "120000", "pod": "a"}, [1]),
        (OF | {"kv_cache_size_tokens": "110000", "pod": "b"}, [1]),
        (OF | {"kv_cache_size_tokens": "None", "pod": "c"}, [1]),
    ],
    "ready_time": [({"namespace": f"model-{MODEL}", "pod": pod}, [value]) for pod, value in (("a", 200), ("b", 260), ("c", 900))],
    "usd_per_hour": [(OF, [1.5])],
    "^count": [(OF, [2, 2, 2])],
    "num_requests_running": [(OF, [2, 20, 10])],
    "generation_tokens_total": [(OF, [100, 900, 500])],
    "request_prompt_tokens": [(OF, [1000, 1100, 1000])],
    "request_generation_tokens": [(OF, [200, 210, 200])],
    "time_to_first_token": [(OF, [0.1, 0.5, "NaN"])],
    "time_per_output_token": [(OF, [0.01, 0.02, 0.01])],
}


def test_the_busiest_interval_is_of_one_replica_and_whole():
    with prometheus_with(ANSWERS) as address:
        running = read_running(Prometheus(address), [MODEL, "other"], hours=1)
    found = running[MODEL]
    assert (found.kv_cache_tokens, found.startup_seconds, found.usd_per_hour) == (110_000, 260, 1.5)
    busiest = found.busiest
    assert busiest
    assert (busiest.replicas, busiest.in_flight, busiest.output_tokens_per_second) == (2, 10, 450)
    assert (busiest.prompt_tokens, busiest.output_tokens, busiest.ttft, busiest.tpot) == (1100, 210, 0.5, 0.02)
    assert running["other"] == Running(None, None, None, None)


def test_an_idle_model_has_no_busiest_interval():
    idle = ANSWERS | {"num_requests_running": [(OF, [0.1, 0, 0.9])]}
    with prometheus_with(idle) as address:
        assert read_running(Prometheus(address), [MODEL], hours=1)[MODEL].busiest is None


@pytest.mark.parametrize(
    ("address", "words"), [("127.0.0.1:9090", "is no address"), ("http://127.0.0.1:9", "cannot be asked"), (None, "400: parse error")]
)
def test_a_prometheus_that_gives_no_answer_is_named(address, words):
    with prometheus_with({}, status=400) as refusing, pytest.raises(Unanswered, match=words):
        Prometheus(address or refusing).now("up")


def compared(running):
    stack = settings()
    plan = make_plan(stack)
    performance = performance_of(stack, plan, "qwen3-8b")
    return plan.models["qwen3-8b"], {one.name.split(" at ")[0]: one for one in figures(plan.models["qwen3-8b"], performance, running)}


def test_a_figure_is_off_where_it_differs_by_more_than_the_plan_claims():
    plan, _ = compared(Running(None, None, None, None))
    planned, usd = plan.memory.kv_tokens, plan.cost.monthly
    startup = plan.startup.image + plan.startup.download + plan.startup.engine
    _, near = compared(Running(planned * 0.86, startup * 1.9, usd.ceiling / 730, None))
    assert not any(one.is_off for one in near.values())
    _, far = compared(Running(planned * 0.84, startup * 2.1, usd.ceiling / 730 + 1, None))
    assert {name for name, one in far.items() if one.is_off} == {"KV cache", "start-up", "cost"}
    assert far["KV cache"].ratio == pytest.approx(0.84)


def test_speed_is_held_against_the_plan_under_the_same_load():
    """12 requests in flight and one are no more the same than a full road and an empty one."""
    stack = settings()
    plan = make_plan(stack)
    performance = performance_of(stack, plan, "qwen3-8b")
    assert performance
    served = performance.serve(4, 1000, 200)
    busy = Interval(0, 1, 4, 1000, 200, served.output_tokens_per_second, served.ttft, served.tpot)
    _, same = compared(Running(None, None, None, busy))
    assert [one.ratio for name, one in same.items() if one.measured is not None] == pytest.approx([1, 1, 1])
    speed = plan.models["qwen3-8b"].capacity.speed
    assert speed
    error = speed.error.share
    slow = Interval(0, 1, 4, 1000, 200, served.output_tokens_per_second * (1 - error) * 0.99, served.ttft, served.tpot)
    _, found = compared(Running(None, None, None, slow))
    assert [name for name, one in found.items() if one.is_off] == ["tokens/s"]


def test_the_row_is_one_that_a_stack_may_hold():
    stack = settings()
    row = measured_speed(make_plan(stack).models["qwen3-8b"], stack.models["qwen3-8b"].parallelism, "0.33.0", BUSY)
    assert row
    assert (row.gpu, row.requests_in_flight, row.date) == ("nvidia-l4", 4, "2026-09-21")


def test_the_command_prints_the_table_and_writes_the_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "preview_folder", lambda _: tmp_path)
    with prometheus_with(ANSWERS) as address:
        assert command.main(["dev", "--prometheus", address]) == 1
    printed = capsys.readouterr().out
    plan = make_plan(load_stack_file(ROOT / "Pulumi.dev.yaml")).models[MODEL]
    assert f"{plan.memory.kv_tokens:,}" in printed
    assert "not seen" in printed  # of the other model
    written = yaml.safe_load((tmp_path / "measured.yaml").read_text())
    assert MeasuredSpeed.model_validate(written[MODEL]["measuredSpeed"][0]).output_tokens_per_second == 450
    assert list(written) == [MODEL]


def test_the_command_says_why_it_cannot_ask(capsys):
    assert command.main(["dev", "--prometheus", "http://127.0.0.1:9"]) == 2
    assert "cannot be asked" in capsys.readouterr().out


def test_numbers_below_a_limit_are_told_by_their_digits():
    for limit in (1, 2, 9, 10, 11, 100, 1203, 19_230):
        pattern = re.compile(numbers_below(limit))
        for number in {0, 1, 9, 10, 99, 100, 999, 10**4, 10**5, limit - 11, limit - 1, limit, limit + 1, limit * 10}:
            if number >= 1:
                assert bool(pattern.fullmatch(str(number))) is (number < limit), (number, limit)


@contextlib.contextmanager
def real_prometheus(folder, target):
    """Scrapes a model server each second, with the labels that a PodMonitor gives its pods."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    static = {"targets": [target], "labels": {"model": "qwen3-8b", "tier": "floor", "pod": "qwen3-8b-0", "namespace": "model-qwen3-8b"}}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [{"job_name": "vllm", "static_configs": [static]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen([tool("prometheus"), *options], stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_a_real_prometheus_gives_what_a_stand_in_has_done(tmp_path):
    """4 requests at a time, each the first token after 0.1 s and then one every 0.02 s."""
    tokens, first, each = 50, 0.1, 0.02
    prompts, durations = [], []
    settings = {"seconds_to_first_token": first, "seconds_per_token": each, "answer_tokens": tokens}
    with one_server(**settings) as (server, _), real_prometheus(tmp_path, f"127.0.0.1:{server.port}") as address:
        until = time.monotonic() + 14

        def caller(_):
            while time.monotonic() < until:
                begun = time.monotonic()
                prompts.append(post(server, "/v1/chat/completions", {"model": "chat", "messages": HELLO, "max_tokens": tokens})[1])
                durations.append(time.monotonic() - begun)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(caller, range(4)))
        found = read_running(Prometheus(address), ["qwen3-8b"], hours=0.01, interval=8)["qwen3-8b"]
    busiest = found.busiest
    assert busiest
    assert found.kv_cache_tokens == server.engine.kv_cache_tokens
    assert busiest.replicas == 1
    took = sum(durations) / len(durations)  # longer than it should be where the machine is busy
    assert busiest.in_flight == pytest.approx(4, rel=0.25)
    assert busiest.output_tokens == pytest.approx(tokens)
    assert busiest.prompt_tokens == pytest.approx(prompts[0]["usage"]["prompt_tokens"])
    assert 0 < busiest.output_tokens_per_second <= 1.1 * 4 * tokens / (first + (tokens - 1) * each)
    assert each <= busiest.tpot <= took / tokens * 1.5
    assert first <= busiest.ttft <= took / 3
