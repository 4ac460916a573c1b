"""Small charts under the catalogue's names and versions, with only those objects of the real charts that the program relies on.

`kube-prometheus-stack` has the PodMonitor CRD and a StatefulSet whose PersistentVolumeClaims outlive it; each chart has a pod that becomes
ready.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import yaml

from config import catalog
from tests.definitions import custom_resource_definitions

_LABELS = {"app": "{{ .Release.Name }}"}
_POD = {
    "metadata": {"labels": _LABELS},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        # KEDA's namespace admits restricted pods alone.
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "main",
                "image": "example.invalid/chart:{{ .Chart.Version }}",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}
_VALUES = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "{{ .Release.Name }}-values"},
    "data": {"values": "{{ toJson .Values | b64enc }}"},
}
_DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "{{ .Release.Name }}"},
    "spec": {"selector": {"matchLabels": _LABELS}, "template": _POD},
}
_CLAIM_SPEC = "{{ toJson .Values.prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec }}"
_STATEFUL_SET = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "{{ .Release.Name }}-prometheus"},
    "spec": {
        "serviceName": "prometheus",
        "selector": {"matchLabels": {"app": "prometheus"}},
        "template": {**_POD, "metadata": {"labels": {"app": "prometheus"}}},
        "volumeClaimTemplates": [{"metadata": {"name": "prometheus"}, "spec": _CLAIM_SPEC}],
    },
}


def write_charts(folder: Path) -> None:
    """Writes an archive of every chart of the catalogue, named as by `helm pull`."""
    folder.mkdir(exist_ok=True)
    for name in ("gpu-operator", "kube-prometheus-stack", "keda", "metrics-server"):
        write_chart(folder, name, catalog.chart(name).version)


def write_chart(folder: Path, name: str, version: str) -> None:
    monitoring = name == "kube-prometheus-stack"
    files: dict[str, Any] = {
        "Chart.yaml": {"apiVersion": "v2", "name": name, "version": version},
        "templates/values.yaml": _VALUES,
        "templates/deployment.yaml": _DEPLOYMENT,
    }
    if monitoring:
        files["templates/stateful-set.yaml"] = _STATEFUL_SET
        files |= {f"crds/{one['metadata']['name']}.yaml": one for one in custom_resource_definitions() if _of_chart(one)}
    with tarfile.open(folder / f"{name}-{version}.tgz", "w:gz") as archive:
        for path, content in files.items():
            data = _text(path, content).encode()
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def cluster_definitions() -> list[dict[str, Any]]:
    """CustomResourceDefinitions that the cluster has, not a chart."""
    return [one for one in custom_resource_definitions() if not _of_chart(one)]


def _of_chart(definition: dict[str, Any]) -> bool:
    return definition["spec"]["group"] == "monitoring.coreos.com"


def _text(path: str, content: Any) -> str:
    """YAML; in a template, without quotes around placeholders that Helm replaces with an object."""
    text = json.dumps(content) if path.startswith("templates/") else yaml.safe_dump(content)
    return text.replace(f'"{_CLAIM_SPEC}"', _CLAIM_SPEC)
