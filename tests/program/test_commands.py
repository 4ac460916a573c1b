"""Every command of README and docs/ is run here, or held to what the program makes, or a table says why neither can be."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from config.parsing import parse
from config.stack_config import without_secret_values
from tests.documents import PAGES, Command, blocks, commands
from tests.program.conftest import STACKS, _recording, configuration
from tests.settings_paths import is_setting
from tests.stacks import changed, stack
from tests.unit.wrong_gateways import CLIENT
from tools.preview import offline
from tools.preview.manifests import manifests
from tools.stacks import ROOT

# Targets that are run here as the pages say, in a copy of the project, and what their output must contain.
RUN = {
    ("preview",): "manifests, plan.json, resources.json, report.html",
    ("check",): "Fit: GiB per GPU",
    ("check", "STACK=prod"): "Fit: GiB per GPU",
    ("truth",): "within",
    ("new-stack", "NAME=staging", "PROJECT=<your-project>", "REGION=us-central1", "MODELS=Qwen/Qwen3-8B openai/gpt-oss-20b"): "staging",
    (
        "new-stack",
        "NAME=staging",
        "PROJECT=acme-llm",
        "REGION=us-central1",
        "MODELS=Qwen/Qwen3-8B openai/gpt-oss-20b",
        "CLIENTS=chat batch",
    ): "staging",
}
# Targets that are not, and where they run instead.
ELSEWHERE = {
    "advise": "tests/unit/test_simulate.py: minutes on a whole trace",
    "bench-policy": "half an hour",
    "check": "tests/unit/test_bad_input.py: the page's stack is one of the reader's",
    "demo": "tests/dataplane/test_demo.py: stays until it is interrupted",
    "describe-model": "tests/unit/test_describe_model.py: asks the hub, or reads the reader's file",
    "diff": "tests/program/test_review.py: in a repository with the branch",
    "doctor": "tests/cluster/test_doctor.py: needs a deployed stack",
    "fit": "tests/unit/test_performance.py: points of the reader's",
    "lint": ".ci/run",
    "load": "tests/cluster/test_load.py: needs a deployed stack",
    "policy-pack": "tests/policy/test_pack.py: installs packages",
    "preview": ".ci/run: as for dev, which is run here",
    "reconcile": "tests/unit/test_reconcile.py: needs a Prometheus of a deployed stack",
    "simulate": "tests/unit/test_simulate.py: minutes on a whole trace",
    "mutants": "half an hour",
    "test": ".ci/run: this test is part of it",
    "test-charts": "the workflow: needs the charts' archives",
    "test-browser": ".ci/run: needs a browser",
    "test-cluster": ".ci/run: minutes",
    "test-engine": "the workflow: needs Pulumi",
    "test-mutations": "minutes",
    "test-policy": ".ci/run: needs packages of its own",
    "truth": "tests/unit/test_truth.py: points of the reader's",
    "types": ".ci/run",
}
NOT_HELD = {
    "gcloud": "needs a Google Cloud project; tests/program/test_requirements.py holds APIs and roles to the resources",
    "for": "a loop over gcloud's commands",
    "do": "a loop over gcloud's commands",
    "done": "a loop over gcloud's commands",
    "cd": "a folder of this repository",
    ".ci/run": "runs this test",
    **dict.fromkeys(("grep", "tail", "head", "sort", "uniq", "jq", "base64", "openssl"), "reads what the command before it prints"),
}
PULUMI = {
    ("cancel",), ("config", "set"), ("destroy",), ("import",), ("install",), ("preview",), ("stack", "init"), ("stack", "output"), ("up",),
}  # fmt: skip
# What charts make, under the names that their values or the charts give (tests/charts holds them to the charts' archives).
OF_CHARTS = {
    "monitoring": {
        "service/kps-prometheus",
        "service/kube-prometheus-stack-grafana",
        "statefulset/prometheus-kps-prometheus",
        "statefulset/alertmanager-kps-alertmanager",
        "deployment/kps-operator",
    },
    "gpu-operator": {"deployment/gpu-operator", "daemonset/nvidia-dcgm-exporter"},
    "keda": {"deployment/keda-operator"},
}
SHORT = {"svc": "service", "deployments": "deployment", "pods": "pod"}
MODEL = "qwen3-8b"


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_a_page_names_commands_that_work(page):
    assert [problem for command in commands(page) for problem in problems(command)] == []


def problems(command: Command) -> Iterator[str]:
    """What is wrong with a command, as far as it can be known without running it."""
    first = command.words[0] if command.words else ""
    held = {"make": _make, "pulumi": _pulumi, "kubectl": _kubectl, "curl": _curl}.get(first)
    if held:
        yield from (f"{command.line}: {problem}" for problem in held(command.words[1:]))
    elif first not in NOT_HELD:
        yield f"{command.line}: nothing in tests/program/test_commands.py says how `{first}` is held; add it there"


def _make(words: tuple[str, ...]) -> Iterator[str]:
    target, *variables = words
    text = (ROOT / "Makefile").read_text()
    rule = re.search(rf"^{re.escape(target)}:.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    if rule is None:
        yield f"no target {target}"
        return
    options = re.search(r"foreach option,([^,]+),", rule[0])
    taken = set(re.findall(r"\$\((?:if )?([A-Z_]+)", rule[0])) | set((options[1] if options else "").upper().split())
    yield from (f"{target} takes no {one}" for one in variables if one.partition("=")[0] not in taken)
    if words not in RUN and target not in ELSEWHERE:
        yield f"{target} is neither in RUN nor in ELSEWHERE of tests/program/test_commands.py"


def _pulumi(words: tuple[str, ...]) -> Iterator[str]:
    verb = next((verb for verb in PULUMI if words[: len(verb)] == verb), None)
    if verb is None:
        yield f"no `pulumi {words[0]}` is known here"
    elif verb == ("stack", "output"):
        if words[2] not in _recording("prod", False).outputs:
            yield f"no output {words[2]}"
    elif verb == ("config", "set"):
        yield from _set(words[2:])


def _set(words: tuple[str, ...]) -> Iterator[str]:
    """A setting of a shipped stack takes the value; secrets are encrypted, and nothing else is."""
    path, value, *_ = [*(word for word in words if not word.startswith("--")), ""]
    if ":" in path:
        return
    section, *keys = path.replace("<model>", MODEL).split(".")
    if not is_setting(section, keys):
        yield f"no setting {path}"
    if ("--secret" in words) is not (section == "secrets"):
        yield f"{path}: secrets, and they alone, are set with --secret"
    if section == "secrets":
        return
    given = 9 if value.startswith("<") else int(value) if value.isdigit() else value
    settings = parse(without_secret_values(changed(configuration("prod"), {".".join((section, *keys)): given})))
    yield from (f"{path}: {problem.message}" for problem in settings.problems if problem.path.startswith(".".join((section, *keys))))


@cache
def _objects() -> dict[str, set[str]]:
    """`kind/name` of what the program makes by namespace, with charts' objects; nodes' and pods' labels under "labels"."""
    found: dict[str, set[str]] = {name: set(names) for name, names in OF_CHARTS.items()}
    budgets = offline.run(stack(CLIENT | {"gateway.clients": {"team-a": {"monthlyTokens": 1000}}}), "test")
    for recording in (*(_recording(name, False) for name in STACKS), budgets):
        for one in manifests(recording):
            namespace = one["metadata"].get("namespace") or (one["metadata"]["name"] if one["kind"] == "Namespace" else "")
            found.setdefault(namespace, set()).add(f"{one['kind'].lower()}/{one['metadata']['name']}")
    return found


@cache
def _labels() -> set[str]:
    """Keys of labels that pods and nodes of the shipped stacks have, and charts' pods."""
    found = {"owner", "status", "app", "kubernetes.io/service-name"}
    for name in STACKS:
        for one in _recording(name, False).resources:
            found |= _keys_of_labels(one.inputs)
    return found


def _keys_of_labels(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_keys_of_labels, value))
    if not isinstance(value, dict):
        return set()
    own = value.get("labels")
    return (set(own) if isinstance(own, dict) else set()).union(*map(_keys_of_labels, value.values()))


def _kubectl(words: tuple[str, ...]) -> Iterator[str]:
    line = " ".join(words).replace("<model>", MODEL)
    namespace = (re.search(r"(?:^| )-n (\S+)", line) or [None, None])[1]
    objects = _objects()
    if namespace and not namespace.startswith("<"):
        if namespace not in objects:
            yield f"no namespace {namespace}"
            return
        for kind, name in re.findall(r" (service|svc|deployment|statefulset|daemonset)/([\w.-]+)", line):
            if f"{SHORT.get(kind, kind)}/{name}" not in objects[namespace]:
                yield f"no {kind} {name} in {namespace}"
        for name in re.findall(r" (?:scaledobject|hpa) ([\w.-]+)", line):
            if f"scaledobject/{name}" not in objects[namespace]:
                yield f"no ScaledObject {name} in {namespace}"
    for selector in re.findall(r" (?:-l|-L|label node \S+) ([^ ]+)", line):
        for key in (one.partition("=")[0] for one in selector.split(",")):
            if key not in _labels():
                yield f"nothing has a label {key}"


def _curl(words: tuple[str, ...]) -> Iterator[str]:
    """Queries name series that the recording rules make, or that Prometheus itself has."""
    for name in re.findall(r"query=([\w:]+)", " ".join(words)):
        if name != "up" and name not in _recorded():
            yield f"no recording rule {name}"


@cache
def _recorded() -> set[str]:
    limited = offline.run(changed(configuration("prod"), {"budget.hourlyUsd": 150}), "prod")
    rules = [one.inputs["spec"]["groups"] for one in limited.resources if one.type.endswith(":PrometheusRule")]
    return {rule.get("record", "") for groups in rules for group in groups for rule in group["rules"]}


@pytest.fixture
def project(tmp_path):
    """A copy of what the commands need, with this environment."""
    for name in ("config", "planning", "components", "policy", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    for path in (*ROOT.glob("Pulumi*.yaml"), *ROOT.glob("requirements*"), ROOT / "Makefile", ROOT / "__main__.py"):
        shutil.copy(path, tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def make(project, words) -> subprocess.CompletedProcess[str]:
    """Without remaking the environment, which is this one."""
    command = ["make", "-o", ".venv/.program", "-o", ".venv/.ready", *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_what_is_run_is_on_a_page_and_what_runs_elsewhere_is_there():
    on_pages = {command.words[1:] for page in PAGES for command in commands(page) if command.words[0] == "make"}
    assert RUN.keys() <= on_pages
    assert ELSEWHERE.keys() <= {words[0] for words in on_pages}
    named = [found for reason in ELSEWHERE.values() for found in re.findall(r"tests/[\w/]+\.py", reason)]
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_a_command_of_the_pages_runs(project, words):
    done = make(project, [word.replace("<your-project>", "acme-llm") for word in words])
    assert done.returncode == 0, done.stdout + done.stderr
    assert RUN[words] in done.stdout


def test_the_readmes_refusal_is_what_is_printed(project):
    (shown,) = [text for language, text in blocks("README.md") if not language]
    command, _, printed = shown.partition("\n")
    file = project / "Pulumi.dev.yaml"
    config, of_model = file.read_text().split("    qwen3-8b:\n")
    file.write_text(f"{config}    qwen3-8b:\n{of_model.replace('maxModelLen: 8192', 'maxModelLen: 32768', 1)}")
    done = make(project, command.partition("#")[0].split()[2:])
    assert done.returncode == 2
    assert " ".join(printed.split()) in " ".join(done.stdout.split())
