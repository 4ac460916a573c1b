"""Archives of the charts that the catalogue pins, as `helm pull` leaves them in a folder: values, definitions, and what they render."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from config import catalog

CHARTS = ("gpu-operator", "kube-prometheus-stack")
# Keys that a chart's templates read and its values.yaml mentions only in a comment.
UNSTATED = {"grafana.persistence.storageClassName"}
_KUBERNETES = "1.35.0"
# Grafana's own configuration, of which the chart's is a beginning.
FREE_FORM = {"grafana.grafana.ini"}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """In YAML 1.1 a lone `=` is a value without a type; definitions of Prometheus' operator mean the text."""


_Loader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)


def archive(folder: Path, chart: str) -> Path:
    return folder / f"{chart}-{catalog.chart(chart).version}.tgz"


@cache
def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as opened:
        files = ((one.name.partition("/")[2], opened.extractfile(one)) for one in opened)
        return {name: file.read() for name, file in files if file}


def default_values(path: Path) -> dict[str, Any]:
    """The chart's own values, with those of its subcharts below their names; a chart's word for a subchart counts more than its own."""
    return _values(_members(path), "")


def _values(members: Mapping[str, bytes], folder: str) -> dict[str, Any]:
    values = yaml.load(members[f"{folder}values.yaml"], _Loader) or {}  # noqa: S506 - a safe one
    names = {name.removeprefix(f"{folder}charts/").partition("/")[0] for name in members if name.startswith(f"{folder}charts/")}
    for name in names:
        inner = f"{folder}charts/{name}/"
        if f"{inner}values.yaml" in members:
            values[name] = _laid_over(_values(members, inner), values.get(name) or {})
    return values


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {key: _laid_over(below[key], above[key]) for key in below.keys() & above.keys() if _mappings(below[key], above[key])}
    return below | above | both


def _mappings(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def unknown_keys(given: Mapping[str, Any], known: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Keys that are not in the chart's values. What is empty there (`{}`, `[]`, null, "") may be filled in with anything."""
    for key, value in given.items():
        here = f"{path}.{key}".removeprefix(".")
        if key not in known:
            if here not in UNSTATED:
                yield here
        elif isinstance(value, dict) and known[key] and here not in FREE_FORM:
            if isinstance(known[key], dict):
                yield from unknown_keys(value, known[key], here)
            else:
                yield here


def repeated(given: Mapping[str, Any], known: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Values that say what the chart says anyway."""
    for key, value in given.items():
        here = f"{path}.{key}".removeprefix(".")
        if isinstance(value, dict) and value and isinstance(known.get(key), dict):
            yield from repeated(value, known[key], here)
        elif key in known and known[key] == value:
            yield here


def definitions(path: Path) -> dict[str, dict[str, Any]]:
    """CustomResourceDefinitions of the chart and its subcharts, by kind."""
    texts = [text for name, text in _members(path).items() if "crds/" in name and "templates/" not in name and name.endswith(".yaml")]
    found = [one for text in texts for one in yaml.load_all(text, _Loader) if one and one.get("kind") == "CustomResourceDefinition"]
    return {one["spec"]["names"]["kind"]: one for one in found}


def rendered(helm: str, path: Path, values: Mapping[str, Any], namespace: str) -> list[dict[str, Any]]:
    """What `helm template` makes of the chart, hooks included."""
    return _rendered(helm, path, json.dumps(values, sort_keys=True), namespace)


@cache
def _rendered(helm: str, path: Path, values: str, namespace: str) -> list[dict[str, Any]]:
    command = [helm, "template", path.name.rpartition("-")[0], str(path), "--namespace", namespace]
    command += ["--kube-version", _KUBERNETES, "--api-versions", "monitoring.coreos.com/v1", "--values", "-"]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.load_all(done.stdout, _Loader) if one]
