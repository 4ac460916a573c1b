"""Load tests: what is asked of whom, what runs in vLLM's image, how its results are read.

`vllm_bench_serve_0.33.0.json` is what `vllm bench serve` of 0.33.0 saved of 16 requests, 4 at a time, to stand-ins behind the gateway:
first token after 150 ms, then one every 30 ms.
"""

import json
import stat
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from components.gateway.envoy.api_keys import api_keys
from config.errors import StackError
from planning.plan import make_plan, performance_of
from tests.program.pod_security import violations
from tests.stacks import settings
from tools.load import report, steps
from tools.load.__main__ import main
from tools.load.job import job, network_policies
from tools.load.load_test import load_test

RESULT = json.loads((Path(__file__).parent.parent / "data" / "vllm_bench_serve_0.33.0.json").read_text())
MODEL = "models.qwen3-8b"
KEYS = {"gateway.clients": {"team-a": {"requestsPerMinute": 60}, "tests": {}}, "gateway.authentication": "api-key"}
KEYS |= {"secrets.clientKeys": {client: {"secure": "given"} for client in ("team-a", "tests")}}
KEY = "sk-tests-0123456789abcdef"


def asked(changes=None, replicas=1, **options):
    found = settings(KEYS | (changes or {}))
    return load_test(found, make_plan(found), "qwen3-8b", replicas=replicas, **options)


def refusal(changes=None, **options):
    with pytest.raises(StackError) as raised:
        asked(changes, **options)
    return str(raised.value)


@pytest.mark.parametrize("replicas", [1, 3])
def test_requests_in_flight_double_up_to_what_the_plan_aims_for(replicas):
    target = make_plan(settings(KEYS)).models["qwen3-8b"].capacity.target_in_flight * replicas
    found = asked(replicas=replicas).steps
    assert (found[0], found[-1]) == (1, target)
    assert all(later == 2 * one for one, later in pairwise(found[:-1]))
    assert found[-2] < found[-1] <= 2 * found[-2]


def test_requests_are_the_typical_ones_as_far_as_the_context_holds_them():
    assert (asked().prompt_tokens, asked().output_tokens) == (1155, 211)
    short = asked({f"{MODEL}.engine": {"maxModelLen": 512}})
    assert (short.prompt_tokens, short.output_tokens) == (301, 211)
    shorter = asked({f"{MODEL}.engine": {"maxModelLen": 128}})
    assert (shorter.prompt_tokens, shorter.output_tokens) == (64, 64)


def test_objectives_are_those_of_the_model():
    assert asked().slo == {}
    assert asked({f"{MODEL}.slo": {"ttftSeconds": 2.5, "tpotSeconds": 0.2}}).slo == {"ttft": 2.5, "tpot": 0.2}


def test_the_client_is_the_first_whom_no_limit_holds_back():
    assert asked().client == "tests"
    assert asked(client="tests").client == "tests"
    assert asked({"gateway.clients": {"tests": {"models": ["qwen3-8b"]}, "team-a": {}}}).client == "tests"


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, {"client": "team-a"}, "without a limit of its own"),
        ({}, {"client": "nobody"}, "there is no such client"),
        ({"gateway.clients.tests": {"concurrentRequests": 2}}, {}, "add a client for tests"),
        ({"gateway": None, "secrets.clientKeys": None}, {}, "there is none"),
    ],
)
def test_what_cannot_be_tested_is_refused(changes, options, words):
    assert words in refusal(changes, **options)


def test_without_authentication_no_key_is_sent():
    found = settings({"gateway": {"authentication": "none"}})
    test = load_test(found, make_plan(found), "qwen3-8b", replicas=1)
    assert test.client is None
    spec = job(found, test)["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["volumes"]] == ["tmp"]


def test_the_job_asks_for_no_gpu_runs_restricted_and_holds_no_key():
    found = settings(KEYS)
    made = job(found, asked())
    spec = made["spec"]["template"]["spec"]
    assert violations(spec) == []
    assert "nvidia" not in json.dumps(spec["containers"][0]["resources"])
    [keys] = [one for one in spec["volumes"] if one["name"] == "keys"]
    assert keys["secret"] == {"secretName": "gateway-api-keys"}
    assert made["metadata"]["namespace"] == "gateway"
    assert (made["spec"]["backoffLimit"], made["spec"]["ttlSecondsAfterFinished"] > 0) == (0, True)


def test_policies_open_the_gateway_to_the_test_and_the_test_to_the_gateway_alone():
    out, back = (one["spec"] for one in network_policies(asked()))
    tester = job(settings(KEYS), asked())["spec"]["template"]["metadata"]["labels"]
    assert out["podSelector"]["matchLabels"].items() <= tester.items()
    [rule] = out["egress"]
    assert (rule["to"], rule["ports"]) == ([{"podSelector": back["podSelector"]}], [{"port": 8080, "protocol": "TCP"}])
    assert back["ingress"] == [{"from": [{"podSelector": out["podSelector"]}], "ports": rule["ports"]}]


def test_a_dry_run_prints_what_would_be_created(capsys):
    assert main(["dev", "--model", "qwen3-0-6b", "--dry-run"]) == 0
    kinds = [one["kind"] for one in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds == ["Job", "NetworkPolicy", "NetworkPolicy"]


def test_several_models_are_not_tested_at_once(capsys):
    assert main(["dev", "--dry-run"]) == 2
    assert "MODEL=qwen3-8b" in capsys.readouterr().out


@pytest.fixture
def vllm(tmp_path, monkeypatch):
    """A `vllm` on PATH that saves the recorded result, and notes how it was called."""
    binary, calls = tmp_path / "vllm", tmp_path / "calls.jsonl"
    recorded = Path(__file__).parent.parent / "data" / "vllm_bench_serve_0.33.0.json"
    binary.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "given = dict(one.removeprefix('--').partition('=')[::2] for one in sys.argv[3:])\n"
        "requests = [json.loads(line) for line in open(given['dataset-path'])]\n"
        "words = json.load(open(given['tokenizer'] + '/tokenizer.json'))['model']['vocab'].values()\n"
        "note = given | {'key': os.environ.get('OPENAI_API_KEY'), 'requests': requests, 'ids': [min(words), max(words)]}\n"
        f"print(json.dumps(note), file=open({str(calls)!r}, 'a'))\n"
        f"result = json.load(open({str(recorded)!r})) | {{'max_concurrency': int(given['max-concurrency'])}}\n"
        "json.dump(result, open(given['result-dir'] + '/' + given['result-filename'], 'w'))\n"
        "print('noise')\n"
    )
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return lambda: [json.loads(line) for line in calls.read_text().splitlines()]


def test_steps_send_token_ids_of_the_planned_length_with_the_clients_key(vllm, tmp_path):
    keys = tmp_path / "api-keys.json"
    keys.write_text(json.dumps(api_keys({"team-a": "sk-team-a-0123456789abcdef", "tests": KEY})))
    test = replace(asked(), steps=(1, 4)).argument(str(keys))
    found = list(steps.run(test))
    assert [one["max_concurrency"] for one in found] == [1, 4]
    first, second = vllm()
    assert (first["key"], first["base-url"]) == (KEY, "http://gateway.gateway.svc.cluster.local")
    assert not any(KEY in str(value) for name, value in first.items() if name != "key")
    assert len(second["requests"]) == 16
    assert {(one["input"], one["output"]) for one in second["requests"]} == {(1155, 211)}
    assert len({one["ids"][0] for one in second["requests"]}) == 16
    least, most = first["ids"]
    assert 0 < least < most < 151_936  # vocab_size of Qwen3's config.json


def test_steps_end_where_an_objective_is_missed(vllm):
    test = replace(asked(), steps=(1, 2, 4), slo={"ttft": 0.170}).argument(None)
    assert len(list(steps.run(test))) == 1
    assert vllm()[0]["key"] is None


@pytest.mark.parametrize(
    ("changes", "slo", "words"),
    [
        ({}, {"ttft": 0.2, "tpot": 0.05}, ""),
        ({}, {"ttft": 0.17}, "mean TTFT 0.176 s, and 0.17 s is the objective"),
        ({}, {"tpot": 0.03}, "mean TPOT 0.0323 s"),
        ({"failed": 3}, {}, "3 of 16 requests were refused"),
    ],
)
def test_why_a_step_is_the_last(changes, slo, words):
    found = steps.ending(RESULT | changes, slo)
    assert words in found
    assert bool(words) is bool(found)


def test_a_recorded_result_is_read():
    step = report.read_step(RESULT, {"ttft": 0.2, "tpot": 0.05})
    assert (step.in_flight, step.requests, step.failed) == (4, 16, 0)
    assert (step.prompt_tokens, step.output_tokens) == (100, 20)
    assert step.output_tokens_per_second == pytest.approx(100.7, abs=0.1)
    assert (step.ttft, step.ttft_95, step.tpot) == pytest.approx((0.176, 0.219, 0.0323), abs=1e-3)
    assert step.within_slo == pytest.approx(12 / 16)  # 4 of 16 came after more than 200 ms
    assert (step.day.isoformat(), step.ended) == ("2026-11-28", "")


def test_the_measured_row_is_of_one_replica_and_the_plan_then_says_so():
    found = settings(KEYS)
    plan, test = make_plan(found), asked(replicas=2)
    step = replace(report.read_step(RESULT, {}), in_flight=8, prompt_tokens=1155, output_tokens=211)
    row = report.measured_speed(test, plan.models["qwen3-8b"], found.models["qwen3-8b"].parallelism, "0.33.0", [step])
    assert row
    assert (row.requests_in_flight, row.output_tokens_per_second) == (4, 50.4)
    written = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    measured = settings(KEYS | {f"{MODEL}.measuredSpeed": [written]})
    performance = performance_of(measured, make_plan(measured), "qwen3-8b")
    assert performance
    assert performance.serve(4, 1155, 211).output_tokens_per_second == pytest.approx(50.4)


def test_a_step_with_failures_is_measured_by_none():
    found = settings(KEYS)
    failed, plan = report.read_step(RESULT | {"failed": 1}, {}), make_plan(found).models["qwen3-8b"]
    assert report.measured_speed(asked(), plan, found.models["qwen3-8b"].parallelism, "0.33.0", [failed]) is None
