"""What a stack needs on the machine that deploys is looked for before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import catalog, local_files
from config.local_files import local_file_problems
from tests.stacks import settings
from tests.unit.wrong_models import EXISTING

CONTEXTS = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "kind-lab",
    "contexts": [{"name": "kind-lab", "context": {"cluster": "lab", "user": "admin"}}],
    "clusters": [{"name": "lab", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": "Q0E="}}],
    "users": [{"name": "admin", "user": {"token": "t0p-s3cret"}}],
}


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(CONTEXTS))
    return tmp_path / "kubeconfig"


def found(changes: dict[str, Any], environment: dict[str, str] | None = None) -> list[str]:
    problems = local_file_problems(settings(EXISTING | {"platform.monitoring.enabled": False} | changes), environment or {})
    assert not any("t0p-s3cret" in str(problem) for problem in problems)
    return [f"{problem.path}: {problem.message}; {problem.fix}" for problem in problems]


def one(changes: dict[str, Any], environment: dict[str, str] | None = None) -> str:
    problems = found(changes, environment)
    assert len(problems) == 1, problems
    return problems[0]


def rewritten(file: Path, **changes: Any) -> dict[str, str]:
    file.write_text(yaml.safe_dump(CONTEXTS | {key.replace("_", "-"): value for key, value in changes.items()}))
    return {"cluster.kubeconfig": str(file)}


def test_a_kubeconfig_with_its_context_is_enough(file):
    assert found({"cluster.kubeconfig": str(file)}) == []
    assert found({"cluster.kubeconfig": str(file), "cluster.context": "kind-lab"}) == []
    assert found({}, {"KUBECONFIG": str(file)}) == []
    assert found({}, {"KUBECONFIG": json.dumps(CONTEXTS)}) == []


def test_a_gke_stack_needs_no_kubeconfig():
    assert local_file_problems(settings(), {}) == []


@pytest.mark.parametrize(
    ("changes", "environment", "said"),
    [
        ({"cluster.kubeconfig": "/nowhere/k"}, {}, "cluster.kubeconfig: '/nowhere/k' cannot be read: No such file"),
        ({"cluster.kubeconfig": "/"}, {}, "cluster.kubeconfig: '/' cannot be read: Is a directory"),
        ({}, {"KUBECONFIG": "/nowhere/k"}, "cluster.kubeconfig: $KUBECONFIG cannot be read: No such file"),
        ({}, {"KUBECONFIG": "/nowhere/a:/nowhere/b"}, "cluster.kubeconfig: $KUBECONFIG names 2 files"),
    ],
)
def test_a_kubeconfig_that_does_not_exist_is_refused(changes, environment, said):
    assert one(changes, environment).startswith(said)


def test_the_default_kubeconfig_is_looked_for_too_unless_a_pod_deploys(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert one({}).startswith("cluster.kubeconfig: ~/.kube/config cannot be read")
    monkeypatch.setattr(local_files, "_IN_A_POD", tmp_path)
    assert found({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == []


def test_what_is_no_kubeconfig_is_refused(tmp_path):
    for name, text in {"empty": "", "list": "[1]", "broken": "{", "contexts": "contexts: [{}]", "binary": "\x00"}.items():
        (tmp_path / name).write_text(text)
        assert "is no kubeconfig" in one({"cluster.kubeconfig": str(tmp_path / name)}), name


def test_a_context_that_does_not_exist_is_refused_with_the_nearest(file):
    said = one({"cluster.kubeconfig": str(file), "cluster.context": "kind-lap"})
    assert said == f"cluster.context: 'kind-lap' is no context of '{file}'; did you mean 'kind-lab'?"
    assert "one of: kind-lab" in one({"cluster.kubeconfig": str(file), "cluster.context": "production"})
    assert "no context is current" in one(rewritten(file, current_context=""))
    assert "the current one, 'gone'," in one(rewritten(file, current_context="gone"))


def test_a_context_without_its_cluster_or_user_is_refused(file):
    assert "is of cluster 'lab', which" in one(rewritten(file, clusters=[]))
    assert "is of user 'admin', which" in one(rewritten(file, users=[]))


def test_files_and_commands_that_a_kubeconfig_names_must_exist(file, tmp_path):
    clusters = [{"name": "lab", "cluster": {"server": "https://x", "certificate-authority": "/nowhere/ca.crt"}}]
    assert "certificate-authority of cluster 'lab'" in one(rewritten(file, clusters=clusters))
    user: dict[str, Any] = {"client-certificate": "/nowhere/c", "client-key": "/nowhere/k"}
    assert len(found(rewritten(file, users=[{"name": "admin", "user": user}]))) == 2
    user = {"client-key": "/nowhere/k", "client-key-data": "Sw=="}
    assert found(rewritten(file, users=[{"name": "admin", "user": user}])) == []
    user = {"exec": {"command": "no-such-auth-plugin"}}
    assert "gets its token from 'no-such-auth-plugin'" in one(rewritten(file, users=[{"name": "admin", "user": user}]))


CHARTS = ["gpu-operator", "kube-prometheus-stack", "keda", "metrics-server"]


def test_a_chart_mirror_without_its_archives_is_refused_each_by_name(tmp_path):
    mirror = {"platform.chartMirror": str(tmp_path), "platform.metricsServer": True}
    (tmp_path / "gpu-operator-v1.0.0.tgz").touch()
    problems = [str(problem) for problem in local_file_problems(settings(mirror), {})]
    assert [name for name in CHARTS if any(catalog.archive(name) in problem for problem in problems)] == CHARTS
    assert len(problems) == 4
    assert "it has gpu-operator-v1.0.0.tgz" in problems[0]
    assert f"helm pull kube-prometheus-stack --repo {catalog.chart('kube-prometheus-stack').repository}" in problems[1]
    for name in CHARTS:
        (tmp_path / catalog.archive(name)).touch()
    assert local_file_problems(settings(mirror), {}) == []
    assert "no such folder" in str(local_file_problems(settings({"platform.chartMirror": "/nowhere"}), {}))


def test_only_charts_that_the_stack_installs_are_looked_for(tmp_path):
    off = {"platform.chartMirror": str(tmp_path), "platform.monitoring.enabled": False, "platform.gpuOperator.enabled": False}
    assert local_file_problems(settings(off), {}) == []
    by_hand = {"platform.chartMirror": str(tmp_path), "models.qwen3-8b.scaling.ceiling": 1}
    assert [catalog.archive("keda") in str(one) for one in local_file_problems(settings(by_hand), {})] == [False, False]
