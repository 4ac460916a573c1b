"""What the documentation's commands name beyond their objects: containers, ports, values of labels, series, arguments of tools."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

from components.gateway.pod import ADMIN_PORT
from tests.documents import PAGES, Command, blocks, commands
from tests.program.test_commands import MODEL
from tests.stacks import stack
from tests.unit.wrong_gateways import CLIENT
from tools.preview import offline
from tools.preview.manifests import manifests
from tools.stacks import ROOT

# Everything that a page may name exists here: budgets of clients and of an hour.
BUDGETS = {"gateway.clients": {"team-a": {"monthlyTokens": 1000}}, "budget.hourlyUsd": 60, "budget.onExceed": "warn"}
FOUND = [command for page in PAGES for command in commands(page)]
KUBECTL = [one for one in FOUND if one.words[0] == "kubectl"]
# What charts and operators create. tests/charts renders charts, where helm is.
CONTAINERS = {"monitoring": {"prometheus", "alertmanager"}}
PORTS = {"service/kps-prometheus": {"9090"}, "service/kube-prometheus-stack-grafana": {"80"}}
LABELS = {
    "app.kubernetes.io/name=alertmanager",
    "app.kubernetes.io/name=kube-state-metrics",
    "app=nvidia-dcgm-exporter",
    "kubernetes.io/service-name=kps-alertmanager",  # by Kubernetes, of a Service's EndpointSlices
    "owner=helm",
    "status=pending-install",
}
SERIES = re.compile(r"\b(?:model|pool|cluster|client):[a-z_]+:[a-z0-9_]+\b")


@cache
def recording() -> offline.Recording:
    return offline.run(stack(CLIENT | BUDGETS), "test")


@cache
def objects() -> tuple[Mapping[str, Any], ...]:
    return tuple(manifests(recording()))


def containers(namespace: str, name: str = "") -> list[Mapping[str, Any]]:
    """Of the Deployments of a namespace, or of one."""
    found = [one for one in objects() if one["kind"] == "Deployment" and one["metadata"]["namespace"] == namespace]
    pods = [one["spec"]["template"]["spec"] for one in found if name in ("", one["metadata"]["name"])]
    return [container for pod in pods for container in (*pod.get("initContainers", ()), *pod["containers"])]


def option(one: Command, *names: str) -> str:
    found = next((after for word, after in zip(one.words, one.words[1:], strict=False) if word in names), "")
    return found.replace("<model>", MODEL).replace("<pool>", "l4")


def id_of(one: Command) -> str:
    return f"{one.page}: {' '.join(one.words)}"


@pytest.mark.parametrize("one", [one for one in KUBECTL if option(one, "-c")[:1] not in ("", "<")], ids=id_of)
def test_a_container_is_in_that_namespace(one):
    namespace = option(one, "-n")
    assert option(one, "-c") in {each["name"] for each in containers(namespace)} | CONTAINERS.get(namespace, set())


@pytest.mark.parametrize("one", [one for one in KUBECTL if "port-forward" in one.words], ids=id_of)
def test_a_forwarded_port_is_one_that_listens(one):
    target, port = one.words[one.words.index("port-forward") + 1 :][:2]
    of_chart = PORTS.get(target.replace("svc/", "service/"))
    name = target.removeprefix("deployment/") if "/" in target else ""
    listening = {str(each["containerPort"]) for part in containers(option(one, "-n"), name) for each in part.get("ports", ())}
    assert port.rpartition(":")[2] in (of_chart or listening | {str(ADMIN_PORT)})  # Envoy's is on loopback, where `port-forward` ends


@pytest.mark.parametrize("one", [one for one in FOUND if one.words[0] == "curl"], ids=id_of)
def test_what_is_fetched_is_behind_a_port_that_the_page_forwards(one):
    port = re.search(r"localhost:(\d+)/", one.words[-1])
    assert port
    assert [other for other in KUBECTL if other.page == one.page and "port-forward" in other.words and other.words[-1] == port[1]]


@cache
def labels() -> set[str]:
    return set(_labels([one.inputs for one in recording().resources])) | LABELS


def _labels(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _labels(entry)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key == "labels" and isinstance(entry, dict):
                yield from (f"{name}={text}" for name, text in entry.items())
            yield from _labels(entry)


@pytest.mark.parametrize("one", [one for one in KUBECTL if option(one, "-l")], ids=id_of)
def test_a_selector_selects_something(one):
    assert set(option(one, "-l").split(",")) <= labels()


def test_every_series_that_a_block_names_is_recorded():
    rules = [rule for one in objects() if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"] for rule in group["rules"]]
    named = {name for page in PAGES for _, text in blocks(page) for name in SERIES.findall(text)}
    assert named - {rule.get("record") for rule in rules} == set()


class _ParsedError(Exception):
    """Ends a tool once it has read its arguments."""


@pytest.mark.parametrize("words", sorted({one.words for one in FOUND if one.words[0] == "make"}), ids=" ".join)
def test_a_tool_takes_the_arguments_that_make_gives_it(words, monkeypatch):
    parse_args = argparse.ArgumentParser.parse_args

    def read(parser: argparse.ArgumentParser, given: Any = None) -> None:
        parse_args(parser, given)
        raise _ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", read)
    said = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ")
    for module, arguments in re.findall(r"^.*/python -m (tools\.[\w.]+)(.*)$", said, re.MULTILINE):
        found = find_spec(module)
        assert found, module
        monkeypatch.setattr(sys, "argv", [module, *shlex.split(arguments)])
        with pytest.raises(_ParsedError):
            importlib.import_module(f"{module}.__main__" if found.submodule_search_locations else module).main()
