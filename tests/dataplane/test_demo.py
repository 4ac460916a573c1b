"""`make demo` as a user runs it: printed lines work when pasted, the audit log follows, and Ctrl-C leaves nothing behind."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import prometheus_tools
from tests.model_servers import DEADLINE_SECONDS, wait_for
from tests.pasted import needs_curl, pasted
from tools.demo import __main__ as demo
from tools.demo import models as demo_models
from tools.demo.client_lines import QUESTION
from tools.demo.local_gateway import NO_ENVOY
from tools.demo.metrics.prometheus import NO_PROMETHEUS
from tools.ports import free_port

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60
LAST_WORDS = "Ctrl-C ends it."
VLLM = f"""#!{sys.executable}
import os, sys
serve, model, *arguments = sys.argv[1:]
assert serve == "serve"
arguments = ["--name" if one == "--served-model-name" else one for one in arguments]
os.execv(sys.executable, [sys.executable, "-m", "tools.demo.model_server", "--replica", "vllm", *arguments])
"""


class Demo:
    """A running `make demo` in its own session, with its own folder for temporary files."""

    def __init__(self, tmp_path, *arguments, path=""):
        self.output, self.temporary = tmp_path / "output", tmp_path / "temporary"
        self.temporary.mkdir()
        environment = os.environ | {"TMPDIR": str(self.temporary), "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-m", "tools.demo", *arguments]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True)

    @property
    def lines(self):
        return self.output.read_text().splitlines()

    def wait_until_it_serves(self):
        wait_for(lambda: LAST_WORDS in self.output.read_text() or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.output.read_text()

    def example(self, client, contains):
        """The line with this text below the client's heading."""
        start = next(index for index, line in enumerate(self.lines) if line.startswith(f"# {client}:"))
        return next(line for line in self.lines[start + 1 :] if contains in line)

    @property
    def audit_log(self):
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def interrupt(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    @property
    def leftovers(self):
        processes = []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 0)
            processes = ["a process"]
        return processes + list(self.temporary.iterdir())


@pytest.fixture
def start(tmp_path):
    running = []

    def _start(*arguments, **options):
        running.append(Demo(tmp_path, *arguments, **options))
        running[-1].wait_until_it_serves()
        return running[-1]

    yield _start
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait()


@needs_curl
def test_lines_work_as_pasted_and_the_end_leaves_nothing(start):
    demo = start("prod", "--port", str(free_port()))
    answer = json.loads(pasted(demo.example("chat", "curl -s ")))
    assert (answer["model"], answer["system_fingerprint"]) == ("qwen3-8b", answer["choices"][0]["message"]["content"].split()[0])
    assert pasted(demo.example("research", "curl -sN ")).endswith("data: [DONE]\n\n")
    assert pasted(demo.example("batch", "openai.OpenAI")).startswith("qwen3-8b-")
    wait_for(lambda: len(demo.audit_log) == 3)
    logged = sorted((one["client"], one["model"], one["status"], one["completion_tokens"]) for one in demo.audit_log)
    tokens = demo_models.ANSWER_TOKENS
    assert logged == [("batch", "qwen3-8b", 200, tokens), ("chat", "qwen3-8b", 200, tokens), ("research", "gpt-oss-20b", 200, tokens)]
    assert QUESTION not in "".join(map(str, demo.audit_log))
    assert demo.interrupt() == 0
    assert demo.leftovers == []


@needs_curl
def test_a_taken_port_gives_way_to_the_next_free_one(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start("local", "--port", str(port))
        chosen = int(demo.lines[0].rstrip(".").split()[-1])
        assert demo.lines[0] == f"Port {port} is taken; this is on {chosen}."
        assert json.loads(pasted(demo.example("anonymous", "curl -s ")))["model"] == "qwen3-0-6b"
        assert demo.interrupt(signal.SIGTERM) == 0
    assert demo.leftovers == []


@needs_curl
def test_a_vllm_that_is_installed_answers_for_every_model(start, tmp_path):
    binary = tmp_path / "bin" / "vllm"
    binary.parent.mkdir()
    binary.write_text(VLLM)
    binary.chmod(0o755)
    demo = start("prod", "--port", str(free_port()), "--models", "vllm", path=str(binary.parent))
    assert demo_models.VLLM_MODEL in demo.lines[0]
    assert json.loads(pasted(demo.example("research", "curl -s ")))["system_fingerprint"] == "vllm"
    assert demo.interrupt() == 0
    assert demo.leftovers == []


# The lines, shortened, of vLLM 0.32 for CPU on a machine of which half is in use; its API server's traceback comes last.
DEATHS = {
    "too little memory": (
        """INFO 11-28 12:00:01 [utils.py:299] non-default args: {'host': '127.0.0.1'}
WARNING 11-28 12:00:02 [interface.py:221] Failed to import from vllm._C: ImportError: no such file
(EngineCore pid=71) ERROR 11-28 12:00:30 [core.py:1136] Traceback (most recent call last):
(EngineCore pid=71) ERROR 11-28 12:00:30 [core.py:1136] ValueError: Available memory on node 0 (13.11/23.54 GiB) on startup is less
"""
        + "(APIServer pid=70)   File 'core_client.py', line 1, in wait\n" * 200
        + "(APIServer pid=70) RuntimeError: Engine core initialization failed. See root cause above.\n",
        "ValueError: Available memory on node 0 (13.11/23.54 GiB) on startup is less",
    ),
    "a mistake in its arguments": (
        "usage: vllm serve [model_tag] [options]\nvllm: error: unrecognized arguments: --nope\n",
        "vllm: error: unrecognized arguments: --nope",
    ),
    "nothing that it says": ("", None),
}


@pytest.mark.parametrize(("log", "cause"), DEATHS.values(), ids=DEATHS)
def test_a_vllm_that_dies_is_reported_at_once_and_with_its_cause(tmp_path, monkeypatch, capfd, log, cause):
    (tmp_path / "log").write_text(log)
    binary = tmp_path / "vllm"
    binary.write_text(f'#!/bin/sh\ncat {tmp_path}/log\necho "the cache has $VLLM_CPU_KVCACHE_SPACE GiB"\nexit 3\n')
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    code, said = ran(monkeypatch, capfd, "local", "--models", "vllm")
    lines = said.splitlines()[1:]
    assert (code, lines[0]) == (1, "vLLM has ended with exit code 3" + (f": {cause}" if cause else ""))
    assert lines[-1] == "the cache has 1 GiB", "the end of its log, and a cache that fits a machine in use"


def test_watched_it_shows_its_dashboards_on_a_page_and_the_end_leaves_nothing(start):
    prometheus_tools.tool("prometheus")
    if os.environ.get("CI") != "true":
        pytest.importorskip("matplotlib", reason="matplotlib of requirements-dev.txt is not installed")
    demo = start("local", "--port", str(free_port()), "--metrics")
    address = next(line for line in demo.lines if "The dashboards: " in line).rpartition(" ")[2]

    def get(path):
        with urllib.request.urlopen(address + path, timeout=60) as answer:
            return answer.read()

    first = get("").decode()
    uids = re.findall(r"<a href='/([\w-]+)'", first)
    assert uids == ["vllm-overview", "vllm-model", "vllm-gateway"]
    for uid in uids:
        assert f"src='/{uid}.png?" in get(uid).decode()
        assert get(f"{uid}.png").startswith(b"\x89PNG")
    assert demo.audit_log == []
    assert demo.interrupt() == 0
    assert demo.leftovers == []


def ran(monkeypatch, capfd, *arguments):
    monkeypatch.setattr(sys, "argv", ["demo", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    code = demo.main()
    return code, "".join(capfd.readouterr()).strip()


def test_what_is_missing_is_said_in_a_line(monkeypatch, capfd, tmp_path):
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "which", lambda _: None)
        assert ran(patched, capfd, "dev", "--models", "vllm") == (1, demo_models.NO_VLLM)
    with monkeypatch.context() as patched:
        patched.setattr(demo, "envoy_binary", lambda: None)
        assert ran(patched, capfd, "dev") == (2, NO_ENVOY)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "which", lambda name: None if name == "prometheus" else name)
        assert ran(patched, capfd, "dev", "--metrics") == (2, NO_PROMETHEUS)
    stack = tmp_path / "Pulumi.bare.yaml"
    lines = (ROOT / "Pulumi.local.yaml").read_text().splitlines()
    begin = next(index for index, line in enumerate(lines) if "vllm-platform:gateway" in line)
    stack.write_text("\n".join(lines[:begin] + lines[begin + 3 :]))
    monkeypatch.setattr(demo, "stack_file", lambda _: stack)
    assert ran(monkeypatch, capfd, "bare") == (2, f"Stack bare {demo.NO_GATEWAY}")
