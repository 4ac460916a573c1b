"""The Job of a load test, and what lets its pod reach the gateway. Pure: manifests as Kubernetes spells them.

It runs in the gateway's namespace, under `restricted`, because the keys are there: they are mounted, and copied nowhere. The image is
vLLM's for CPUs, the smaller one: nothing of `vllm bench serve` needs a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from components.gateway import pod
from components.gateway.envoy import api_keys
from components.images import image_reference
from components.naming import GATEWAY_NAMESPACE, MODEL_LABEL, literal
from config import catalog
from config.settings import Settings
from planning.machines import POOL_LABEL
from tools.load.load_test import LoadTest

Manifest = dict[str, Any]
NAME_LABEL = {"app.kubernetes.io/name": "load-test"}
CONTAINER = "vllm-bench"
_KEYS_FOLDER = "/etc/gateway-keys"
# Of the client: one process, which reads every token's event.
_CPU, _MEMORY = "1", "3Gi"
# Should whoever started it be cut off, it ends by itself and is deleted.
_LONGEST_SECONDS, _KEPT_SECONDS = 4 * 3600, 3600
_UID = 2000  # user `vllm` of the image


def job_name(test: LoadTest) -> str:
    return f"load-test-{test.model}"[:63].rstrip("-")


def job(settings: Settings, test: LoadTest) -> Manifest:
    keys = f"{_KEYS_FOLDER}/{api_keys.FILE}" if test.client else None
    script = Path(__file__).with_name("steps.py").read_text()
    volumes: list[Manifest] = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    mounts: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]
    if keys:
        volumes.append({"name": "keys", "secret": {"secretName": pod.secret_name(api_keys.FILE)}})
        mounts.append({"name": "keys", "mountPath": _KEYS_FOLDER, "readOnly": True})
    container = {
        "name": CONTAINER,
        "image": image_reference(settings, catalog.image("vllm-cpu").reference),
        "command": ["python3", "-c", literal(script), literal(json.dumps(test.argument(keys)))],
        "env": [{"name": name, "value": "/tmp"} for name in ("HOME", "VLLM_CACHE_ROOT")],
        "resources": {"requests": {"cpu": _CPU, "memory": _MEMORY}, "limits": {"memory": _MEMORY}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": 0,
            "fsGroup": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [_beside_no_model()]}},
        "containers": [container],
        "volumes": volumes,
    }
    labels = NAME_LABEL | {MODEL_LABEL: test.model}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(test), "namespace": GATEWAY_NAMESPACE, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _LONGEST_SECONDS,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _beside_no_model() -> Manifest:
    return {"weight": 100, "preference": {"matchExpressions": [{"key": POOL_LABEL, "operator": "DoesNotExist"}]}}


def network_policies(test: LoadTest) -> list[Manifest]:
    """The pod reaches the gateway, and the gateway lets it in. They go with the Job."""
    tester, gateway = {"matchLabels": NAME_LABEL}, {"matchLabels": pod.LABELS}
    ports = [{"port": pod.API_PORT, "protocol": "TCP"}]
    out = {"podSelector": tester, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": gateway}], "ports": ports}]}
    back = {"podSelector": gateway, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": tester}], "ports": ports}]}
    return [_policy(f"{job_name(test)}-{direction}", spec) for direction, spec in (("out", out), ("in", back))]


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None))


def as_yaml(manifests: Iterable[Manifest]) -> str:
    return yaml.dump_all(manifests, Dumper=_Dumper, sort_keys=False)


def _policy(name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "namespace": GATEWAY_NAMESPACE, "labels": NAME_LABEL}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
