"""Writes what an offline preview recorded: one YAML a Kubernetes object, in the order they can be applied; plan and resources as JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from planning.plan import Plan
from tools.preview.offline import UNKNOWN, Recording, kubernetes_objects

# Kinds that others need first; everything else follows in this order's last place.
_ORDER = (
    "Namespace",
    "ResourceQuota",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "Service",
    "Deployment",
)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def manifests(recording: Recording) -> list[dict[str, Any]]:
    """The recorded Kubernetes objects (what charts render is not among them), ordered so that each can be applied after those before it."""
    return sorted((manifest for _, manifest in kubernetes_objects(recording) if _is_object(manifest)), key=_rank)


def _is_object(manifest: dict[str, Any]) -> bool:
    return "metadata" in manifest


def _rank(manifest: dict[str, Any]) -> tuple[int, str, str, str]:
    kind, metadata = manifest["kind"], manifest["metadata"]
    position = _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
    return position, metadata.get("namespace", ""), kind, metadata.get("name", "")


def write(folder: Path, plan: Plan, recording: Recording, report: str) -> int:
    """Replaces `folder` by the preview's files, once they are all written beside it; returns the number of manifests.

    Raises:
        OSError: the files cannot be written; what was in `folder` is still there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        new = Path(scratch) / "new"
        count = _write_into(new, plan, recording)
        (new / "report.html").write_text(report)
        _replace(folder, new, Path(scratch))
    return count


def _replace(folder: Path, new: Path, scratch: Path) -> None:
    """Moves `new` to `folder`, and what was there into `scratch`; as often as another preview of the stack gets in between."""
    for attempt in itertools.count():
        with contextlib.suppress(FileNotFoundError):
            folder.rename(scratch / f"old-{attempt}")
        try:
            new.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return


def _write_into(folder: Path, plan: Plan, recording: Recording) -> int:
    (folder / "manifests").mkdir(parents=True)
    written = manifests(recording)
    width = len(str(len(written)))
    for index, manifest in enumerate(written, start=1):
        metadata = manifest["metadata"]
        parts = [manifest["kind"].lower(), metadata.get("namespace"), metadata["name"]]
        name = "-".join([f"{index:0{width}}", *(part for part in parts if part)])
        with (folder / "manifests" / f"{name}.yaml").open("w") as file:
            first = {key: manifest[key] for key in ("apiVersion", "kind", "metadata")}
            yaml.dump(first | manifest, file, _Dumper, sort_keys=False, width=120)
    _write_json(folder / "plan.json", plan_as_json(plan))
    _write_json(folder / "resources.json", {"resources": [_resource(one) for one in recording.resources], "outputs": _outputs(recording)})
    return len(written)


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The plan with camelCase-free, plain values: what `plan.json` holds."""
    return json.loads(json.dumps(dataclasses.asdict(plan), default=_plain))


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _resource(resource: Any) -> dict[str, Any]:
    entry = dataclasses.asdict(resource)
    return {key: sorted(value) if isinstance(value, frozenset) else value for key, value in entry.items() if value not in ("", (), False)}


def _outputs(recording: Recording) -> dict[str, Any]:
    return {key: "[secret]" if key in recording.secret_outputs else value for key, value in recording.outputs.items()}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, default=str) + "\n")


__all__ = ["UNKNOWN", "manifests", "plan_as_json", "write"]
