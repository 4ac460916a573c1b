"""What the documentation's `kubectl` and `curl` commands name is in a cluster that the program deployed: nothing here runs them.

Namespaces, workloads, Services, containers, ports and labels are those of recorded previews; what charts create is in a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from components.gateway.pod import ADMIN_PORT
from tests import commands
from tests.commands import Command
from tests.program.conftest import configuration
from tests.stacks import stack
from tests.unit.wrong_gateways import CLIENT
from tools.preview import offline
from tools.preview.offline import kubernetes_objects

FOUND = list(commands.commands())
KUBECTL = [one for one in FOUND if one.program == "kubectl" and len(one.words) > 3]
CURL = [one for one in FOUND if one.program == "curl"]
PLACEHOLDER = "placeholder"
BUDGET = CLIENT | {"gateway.clients": {"team-a": {"monthlyTokens": 1000}}, "budget.hourlyUsd": 60, "budget.onExceed": "warn"}

KINDS = {
    "deployment": "Deployment",
    "service": "Service",
    "svc": "Service",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "scaledobject": "ScaledObject",
    "hpa": "HorizontalPodAutoscaler",
    "pod": "Pod",
}
# By namespace, kind and name: containers and ports of what charts and operators create. tests/charts renders them, where helm is.
BY_CHARTS: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("monitoring", "Service", "kps-prometheus"): ("9090",),
    ("monitoring", "Service", "kube-prometheus-stack-grafana"): ("80",),
    ("monitoring", "Deployment", "kps-operator"): (),
    ("monitoring", "StatefulSet", "prometheus-kps-prometheus"): ("prometheus",),
    ("monitoring", "StatefulSet", "alertmanager-kps-alertmanager"): ("alertmanager",),
    ("monitoring", "Pod", "alertmanager-kps-alertmanager-0"): ("alertmanager",),
    ("keda", "Deployment", "keda-operator"): (),
    ("gpu-operator", "Deployment", "gpu-operator"): (),
    ("gpu-operator", "DaemonSet", "nvidia-dcgm-exporter"): (),
    ("model-qwen3-8b", "HorizontalPodAutoscaler", "qwen3-8b-burst"): (),  # KEDA names it as the ScaledObject says
}
LABELS_BY_CHARTS = {
    "app.kubernetes.io/name=alertmanager",
    "app.kubernetes.io/name=kube-state-metrics",
    "app=nvidia-dcgm-exporter",
    "kubernetes.io/service-name=kps-alertmanager",  # by Kubernetes, of a Service's EndpointSlices
    "owner=helm",
    "status=pending-install",
}


@cache
def recorded() -> tuple[Any, ...]:
    """A shipped stack, and one with budgets: of an hour, and of a client."""
    runs = (offline.run(configuration("dev"), "dev"), offline.run(stack(BUDGET), "test"))
    return tuple(one for run in runs for one in run.resources)


@cache
def objects() -> tuple[Mapping[str, Any], ...]:
    return tuple(one for _, one in kubernetes_objects(offline.Recording(resources=list(recorded()))))


def option(one: Command, *names: str) -> str:
    return next((after for word, after in zip(one.words, one.words[1:], strict=False) if word in names), "")


def named(one: Command) -> Iterator[tuple[str, str]]:
    """Kinds and names, given as `kind/name` or `kind name`."""
    for word, after in zip(one.words[3:], (*one.words[4:], "-"), strict=True):
        kind, slash, name = word.partition("/")
        if kind in KINDS and (slash or not after.startswith("-")):
            yield KINDS[kind], name or after
        elif word == "alertmanager-kps-alertmanager-0":
            yield "Pod", word


def containers(workload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    pod = workload["spec"].get("template", {}).get("spec", {})
    return [*pod.get("initContainers", ()), *pod.get("containers", ())]


def deployed(namespace: str, kind: str, name: str) -> Mapping[str, Any] | None:
    return next((one for one in objects() if one["kind"] == kind and place(one) == (namespace, name)), None)


def place(one: Mapping[str, Any]) -> tuple[str, str]:
    return one["metadata"].get("namespace", ""), one["metadata"].get("name", "")


@pytest.mark.parametrize("one", [one for one in KUBECTL if option(one, "-n") not in ("", PLACEHOLDER)], ids=str)
def test_namespace_and_objects_of_a_command_are_deployed(one):
    namespace = option(one, "-n")
    assert deployed("", "Namespace", namespace), namespace
    for kind, name in named(one):
        if name != PLACEHOLDER:
            assert (namespace, kind, name) in BY_CHARTS or deployed(namespace, kind, name), f"{kind} {name} is not in {namespace}"


@pytest.mark.parametrize("one", [one for one in KUBECTL if option(one, "-c") not in ("", PLACEHOLDER)], ids=str)
def test_a_container_of_a_command_is_in_that_namespace(one):
    namespace = option(one, "-n")
    workloads = [each for each in objects() if place(each)[0] == namespace and each["kind"] == "Deployment"]
    ours = {each["name"] for workload in workloads for each in containers(workload)}
    charts = {each for (where, _, _), parts in BY_CHARTS.items() if where == namespace for each in parts}
    assert option(one, "-c") in ours | charts


@pytest.mark.parametrize("one", [one for one in KUBECTL if "port-forward" in one.words], ids=str)
def test_a_forwarded_port_is_one_that_listens(one):
    namespace, port = option(one, "-n"), one.words[-1].rpartition(":")[2]
    (target,) = list(named(one)) or [("Deployment", "qwen3-8b-floor")]
    found = deployed(namespace, *target)
    listening = [str(each["containerPort"]) for part in containers(found) for each in part.get("ports", ())] if found else []
    local = [str(ADMIN_PORT)] if target == ("Deployment", "gateway") else []  # on loopback, where `port-forward` ends
    assert port in (*listening, *local, *BY_CHARTS.get((namespace, *target), ()))


def labels() -> set[str]:
    found: set[str] = set()
    for one in objects():
        for holder in (one, one.get("spec", {}).get("template", {}) if isinstance(one.get("spec"), dict) else {}):
            found |= {f"{key}={value}" for key, value in holder.get("metadata", {}).get("labels", {}).items()}
    for one in recorded():
        if one.type == "gcp:container/nodePool:NodePool":
            found |= {f"{key}={value}" for key, value in one.inputs["nodeConfig"].get("labels", {}).items()}
    return found


@pytest.mark.parametrize("one", [one for one in KUBECTL if option(one, "-l", "-L") or "label" in one.words], ids=str)
def test_a_label_of_a_command_is_set(one):
    set_by_hand = [word for word in one.words[3:] if "=" in word and "/" in word]
    asked = set_by_hand if "label" in one.words else option(one, "-l").split(",")
    for label in filter(None, asked):
        assert label in labels() | LABELS_BY_CHARTS, label
    for key in filter(None, option(one, "-L").split(",")):
        assert any(label.startswith(f"{key}=") for label in labels()), key


def recordings() -> set[str]:
    groups = [group for one in objects() if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"]]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


SERIES = re.compile(r"\b(?:model|pool|cluster|client|gateway):[a-z_]+:[a-z0-9_]+\b")


def test_every_series_that_a_block_names_is_recorded():
    for page, text in commands.blocks():
        for name in SERIES.findall(text):
            assert name in recordings(), f"{page}: no rule records {name}"


@pytest.mark.parametrize("one", CURL, ids=str)
def test_what_is_fetched_is_behind_a_port_that_the_page_forwards(one):
    port = re.search(r"localhost:(\d+)/", one.words[-1])
    assert port
    assert [other for other in KUBECTL if other.page == one.page and "port-forward" in other.words and other.words[-1] == port[1]]
