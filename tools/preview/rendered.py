"""`make rendered`: what the program makes of the shipped stacks, in files that a reviewer reads and a test compares.

One file for each namespace, one for what is in none, one for Google Cloud, one for the outputs; in it one document for each resource,
in the order of their names. JSON within a text is written as YAML and a text of several lines as it is: that is what their diffs show.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import defaultdict
from typing import Any

from config.stack_config import read_stack_file
from tools.preview import offline
from tools.preview.lines import as_yaml
from tools.preview.offline import Recording, Resource
from tools.stacks import ROOT, stack_file

FOLDER = ROOT / "tests" / "data" / "rendered"
_OUTSIDE, _CLUSTER, _OUTPUTS = "google-cloud", "cluster", "outputs"


def files(recording: Recording) -> dict[str, str]:
    """Text of each file, by its name."""
    documents: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for resource in sorted(recording.resources, key=lambda one: (one.type, one.name)):
        if resource.custom:
            documents[_file(resource)].append(_document(resource))
    documents[_OUTPUTS] = [_readable(recording.outputs)]
    return {f"{name}.yaml": as_yaml(*found, width=160) for name, found in documents.items()}


def _file(resource: Resource) -> str:
    if not resource.type.startswith("kubernetes:"):
        return _OUTSIDE if resource.type.startswith("gcp:") else _CLUSTER
    metadata = resource.inputs.get("metadata", {})
    if resource.inputs.get("kind") == "Namespace":
        return metadata["name"]
    return resource.inputs.get("namespace") or metadata.get("namespace") or _CLUSTER


def _document(resource: Resource) -> dict[str, Any]:
    """What Pulumi is asked for. Components are known by what is in them."""
    options = {
        "dependsOn": sorted(_short(urn) for urn in resource.depends_on),
        "deletedWith": _short(resource.deleted_with),
        "ignoreChanges": list(resource.ignore_changes),
        "timeouts": dict(resource.timeouts),
        "protect": resource.protect,
    }
    given = {key: value for key, value in options.items() if value}
    return {"resource": f"{resource.type} {resource.name}", **given, "inputs": _readable(resource.inputs)}


def _short(urn: str) -> str:
    """Type and name: `apps/v1:Deployment qwen3-8b-floor`."""
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition('$')[2].rpartition('::')[2]} {name}".strip()


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _readable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_readable(entry) for entry in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return _readable(json.loads(value))
        except ValueError:
            return value
    return value


def write(stack: str) -> int:
    """Replaces the files of a shipped stack; returns their number. Outputs are known, as after a deployment: what is made of them shows."""
    found = files(offline.run(read_stack_file(stack_file(stack)), stack, known=True))
    folder = FOLDER / stack
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in found.items():
        (folder / name).write_text(text)
    return len(found)


def main() -> int:
    for stack in sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")):
        print(f"wrote {(FOLDER / stack).relative_to(ROOT)}: {write(stack)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
