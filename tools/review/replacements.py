"""Inputs that cannot be changed in place: a change of them replaces the resource.

Google's are read from the Terraform provider's schemas, because the SDK does not list them. What it cannot change in one direction only,
such as a subnet's range that shrinks, is not among them. Kubernetes' are those of pulumi-kubernetes 4.34 (`forceNewProperties`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_GOOGLE = Path(__file__).parent / "data" / "google_replace_only.json"
_MISSING = object()
_OF_EVERY_OBJECT = ("metadata.name", "metadata.namespace")
_KUBERNETES: dict[str, tuple[str, ...]] = {
    "apps/v1:Deployment": ("spec.selector",),
    "apps/v1:DaemonSet": ("spec.selector",),
    "apps/v1:StatefulSet": (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "batch/v1:Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    "core/v1:PersistentVolumeClaim": ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    "core/v1:ResourceQuota": ("spec.scopes",),
    "core/v1:Secret": ("type",),
    "core/v1:Service": ("spec.clusterIP",),
    "helm.sh/v3:Release": ("name", "namespace"),
    "rbac.authorization.k8s.io/v1:ClusterRoleBinding": ("roleRef",),
    "rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
    "storage.k8s.io/v1:StorageClass": ("parameters", "provisioner"),
}
# The provider may change the content of these (`enableConfigMapMutable`, `enableSecretMutable`), unless they say that they are immutable.
_IMMUTABLE_CONTENT = ("binaryData", "data", "stringData")


def replace_only(type_: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Changed inputs that only a replacement can change, by their paths; [] if the resource is updated in place."""
    if type_.removeprefix("gcp:").partition(":")[0] in _google():
        return google_replace_only(type_, old, new)
    if type_ == "pulumi:providers:kubernetes":
        return ["clusterIdentifier"] if old.get("clusterIdentifier") != new.get("clusterIdentifier") else []
    if not type_.startswith("kubernetes:"):
        return []
    paths = (*_OF_EVERY_OBJECT, *_KUBERNETES.get(type_.removeprefix("kubernetes:"), ()))
    paths += _IMMUTABLE_CONTENT if old.get("immutable") else ()
    return [path for path in paths if _whole(old, path) != _whole(new, path)]


def google_replace_only(token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The same for a type of the Google provider that the program uses, by the inputs' top-level names."""
    paths = _google()[token.removeprefix("gcp:").partition(":")[0]]
    return sorted({one.partition(".")[0].removesuffix("[]") for one in paths if _at(old, one) != _at(new, one)})


@cache
def _google() -> dict[str, list[str]]:
    """By type, the paths of inputs; `[]` stands for every item of a list. A block's own path is about its being there."""
    return json.loads(_GOOGLE.read_text())["types"]


def _at(values: Any, path: str) -> Any:
    """The value at a path. Of a block only that it is there, of a list of blocks how many: what is in them has paths of its own."""
    key, _, rest = path.partition(".")
    value = values.get(key.removesuffix("[]"), _MISSING) if isinstance(values, Mapping) else _MISSING
    if key.endswith("[]"):
        items = value if isinstance(value, list) else []
        return [_at(item, rest) for item in items] if rest else len(items)
    if rest:
        return _at(value, rest)
    return isinstance(value, Mapping) or value


def _whole(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
