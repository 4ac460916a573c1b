"""Updates of a stack on a cluster in Pulumi's order: nothing that depends on what failed, and deletions last of all."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.cluster import Cluster, is_ready
from tests.cluster.control_plane import BY_HAND
from tools.preview.offline import Recording, Resource, kubernetes_objects

Object = dict[str, Any]
_UNSEEN = ("kubernetes:helm.sh/v3:Release",)


@dataclass
class Update:
    """Makes a recorded program's objects what the cluster has. `failing`: names of the Jobs that fail, as far as it goes before `-`."""

    cluster: Cluster
    failing: tuple[str, ...] = ()
    failed: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def run(self, before: Recording | None, after: Recording) -> list[str]:
        """Names of the resources that failed: nothing is deleted then."""
        old = {resource.urn: manifest for resource, manifest in kubernetes_objects(before)} if before else {}
        new = dict(kubernetes_objects_by_urn(after))
        lost: set[str] = set()
        for resource in after.resources:
            changed = resource.urn in new and old.get(resource.urn) != new[resource.urn]
            if lost & {*resource.depends_on} or (changed and not self._make(resource, new[resource.urn])):
                lost.add(resource.urn)
        if not lost:
            kept = {_key(manifest) for manifest in new.values()}
            for manifest in reversed([*old.values()]):
                if _key(manifest) not in kept:
                    self._delete(manifest)
        return self.failed

    def _make(self, resource: Resource, manifest: Object) -> bool:
        self.made.append(resource.name)
        if manifest["kind"] != "Job":
            self.cluster.apply(manifest)
            if resource.name.endswith("-floor") and manifest["kind"] == "Deployment":
                self.cluster.wait_for(f"{resource.name} ready", lambda: self._is_complete(manifest))
            return True
        self._forget(manifest)
        job = copy.deepcopy(manifest)
        job["spec"]["template"]["metadata"]["annotations"] = {BY_HAND: "true"}
        self.cluster.apply(job)
        succeeds = resource.name not in self.failing
        self._end(manifest, succeeds=succeeds)
        self.failed += [] if succeeds else [resource.name]
        return succeeds

    def _end(self, job: Object, *, succeeds: bool) -> None:
        """As the kubelet would, once the scheduler has found a node."""
        name, space = job["metadata"]["name"], job["metadata"]["namespace"]

        def pods() -> list[Object]:
            return [pod for pod in self.cluster.pods(space, **{"job-name": name}) if pod["spec"].get("nodeName")]

        end(self.cluster, self.cluster.wait_for(f"{name} has a node", pods)[0], succeeds=succeeds)
        wanted = "Complete" if succeeds else "Failed"
        self.cluster.wait_for(f"{name} is {wanted}", lambda: wanted in self._conditions(name, space))

    def _forget(self, job: Object) -> None:
        """A Job that failed is replaced, by its annotation pulumi.com/replaceUnready."""
        name, space = job["metadata"]["name"], job["metadata"]["namespace"]
        self._delete(job)
        self.cluster.wait_for(f"{name} is gone", lambda: not self.cluster.pods(space, **{"job-name": name}))

    def _conditions(self, name: str, space: str) -> list[str]:
        status = self.cluster.get("Job", name, space, api="batch/v1").get("status", {})
        return [one["type"] for one in status.get("conditions", ()) if one["status"] == "True"]

    def _is_complete(self, manifest: Object) -> bool:
        metadata, labels = manifest["metadata"], manifest["spec"]["selector"]["matchLabels"]
        pods = self.cluster.pods(metadata["namespace"], **labels)
        return len(pods) == manifest["spec"]["replicas"] and all(map(is_ready, pods))

    def _delete(self, manifest: Object) -> None:
        metadata = manifest["metadata"]
        options = {"propagation_policy": "Background"}
        self.cluster.delete(manifest["kind"], metadata["name"], metadata.get("namespace"), api=manifest["apiVersion"], **options)


def end(cluster: Cluster, pod: Object, *, succeeds: bool) -> None:
    """Ends a pod, as its program would."""
    ended = {"exitCode": 0 if succeeds else 1, "reason": "Completed" if succeeds else "Error", "containerID": "x://1"}
    (container,) = pod["spec"]["containers"]
    states = {"name": container["name"], "ready": False, "restartCount": 0, "image": "x", "imageID": "x"}
    status = {"phase": "Succeeded" if succeeds else "Failed", "containerStatuses": [states | {"state": {"terminated": ended}}]}
    cluster.patch_status("Pod", pod["metadata"]["name"], status, pod["metadata"]["namespace"])


def kubernetes_objects_by_urn(recording: Recording) -> Mapping[str, Object]:
    return {resource.urn: manifest for resource, manifest in kubernetes_objects(recording) if resource.type not in _UNSEEN}


def _key(manifest: Object) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]
