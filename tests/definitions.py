"""CustomResourceDefinitions of the kinds that the program's own manifests use."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
FOLDER = Path(os.environ.get("CRDS") or ROOT.parent / "shared" / "crds")
_PROMETHEUS_OPERATOR = "https://raw.githubusercontent.com/prometheus-operator/prometheus-operator/v0.93.0/example/prometheus-operator-crd"
_GATEWAY_API = "https://raw.githubusercontent.com/kubernetes-sigs/gateway-api/v1.6.0/config/crd/standard"
# Kind: name of the file, and the folder of a project's release that has it.
_RELEASED = {
    "PodMonitor": ("monitoring.coreos.com_podmonitors.yaml", _PROMETHEUS_OPERATOR),
    "Gateway": ("gateway.networking.k8s.io_gateways.yaml", _GATEWAY_API),
    "HTTPRoute": ("gateway.networking.k8s.io_httproutes.yaml", _GATEWAY_API),
}
_OWN = Path(__file__).parent / "data" / "gke_policies.yaml"
_TIMEOUT_SECONDS = 30


def available() -> bool:
    """Whether they are at hand without a network."""
    return FOLDER.is_dir()


def custom_resource_definitions() -> list[dict[str, Any]]:
    """From the folder CRDS names (default: ../shared/crds), else from the projects' pinned releases; and those that only GKE brings.

    Raises:
        RuntimeError: there is no such folder, and the releases cannot be reached.
    """
    released = [yaml.safe_load(_text(name, source)) for name, source in _RELEASED.values()]
    return [*released, *_own()]


def kinds() -> set[str]:
    """Of those definitions, without reading any that is not here."""
    return {*_RELEASED, *(one["spec"]["names"]["kind"] for one in _own())}


def _own() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(_OWN.read_text()))


def _text(name: str, source: str) -> str:
    if available():
        return (FOLDER / name).read_text()
    try:
        with urllib.request.urlopen(f"{source}/{name}", timeout=_TIMEOUT_SECONDS) as answer:
            return answer.read().decode()
    except OSError as error:
        advice = "set CRDS to a folder that has it"
        raise RuntimeError(f"{name}: there is no folder {FOLDER}, and {source} does not answer ({error}); {advice}") from None
