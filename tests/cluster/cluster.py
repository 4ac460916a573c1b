"""A client of a cluster for tests: apply, read, wait, evict, add and remove nodes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import kubernetes
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

from components.naming import MANAGED
from tests.cluster.control_plane import KWOK_ANNOTATION
from tests.cluster.simulated_platform import DAEMONS

T = TypeVar("T")
Objects = list[dict[str, Any]]
FIELD_MANAGER = "pulumi"
WAIT_SECONDS = 90
_POLL_SECONDS = 0.1


class Cluster:
    """Any Kubernetes API, reached by a kubeconfig. Objects are plain mappings, as in YAML."""

    def __init__(self, kubeconfig: Path, cache: Path, context: str | None = None) -> None:
        self.kubeconfig, self.context = kubeconfig, context
        self.api = kubernetes.config.new_client_from_config(str(kubeconfig), context=context)
        self._client = DynamicClient(self.api, cache_file=str(cache / "discovery.json"))

    def apply(self, manifest: Mapping[str, Any], manager: str = FIELD_MANAGER) -> dict[str, Any]:
        """Server-side apply with strict field validation, as Pulumi's provider does it."""
        kind = self._kind(manifest["apiVersion"], manifest["kind"])
        strict = [("fieldValidation", "Strict")]
        return kind.server_side_apply(body=dict(manifest), field_manager=manager, query_params=strict).to_dict()

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        kind = self._kind(manifest["apiVersion"], manifest["kind"])
        return kind.create(body=dict(manifest), namespace=manifest["metadata"].get("namespace")).to_dict()

    def list(self, kind: str, namespace: str | None = None, *, api: str = "v1", **labels: str) -> Objects:
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found = self._kind(api, kind).get(namespace=namespace, label_selector=selector or None)
        return [item.to_dict() for item in found.items]

    def get(self, kind: str, name: str, namespace: str | None = None, *, api: str = "v1") -> dict[str, Any]:
        return self._kind(api, kind).get(name=name, namespace=namespace).to_dict()

    def delete(self, kind: str, name: str, namespace: str | None = None, *, api: str = "v1", **options: Any) -> None:
        with contextlib.suppress(NotFoundError):
            self._kind(api, kind).delete(name=name, namespace=namespace, **options)

    def patch(self, kind: str, name: str, change: Mapping[str, Any], namespace: str | None = None, *, api: str = "v1") -> None:
        """A strategic merge patch: lists are merged by name, as `kubectl patch` does it."""
        content = "application/strategic-merge-patch+json"
        self._kind(api, kind).patch(body=dict(change), name=name, namespace=namespace, content_type=content)

    def patch_status(self, kind: str, name: str, status: Mapping[str, Any], namespace: str | None = None, *, api: str = "v1") -> None:
        """Patches the status subresource, as a kubelet or controller does."""
        body = {"status": dict(status)}
        merge = "application/merge-patch+json"
        self._kind(api, kind).status.patch(body=body, name=name, namespace=namespace, content_type=merge)

    def evict(self, pod: Mapping[str, Any]) -> bool:
        """Asks for an eviction as `kubectl drain` does; False where a PodDisruptionBudget refuses it for now."""
        metadata = pod["metadata"]
        reference = {"name": metadata["name"], "namespace": metadata["namespace"]}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": reference}
        try:
            self._kind("v1", "Pod").eviction.create(body=body, name=metadata["name"], namespace=metadata["namespace"])
        except ApiException as error:
            if error.status == 429:
                return False
            raise
        return True

    def add_nodes(self, nodes: Iterable[Mapping[str, Any]]) -> None:
        for node in nodes:
            self.create(node)
            self.patch_status("Node", node["metadata"]["name"], node["status"])

    def delete_nodes(self, **labels: str) -> int:
        nodes = self.list("Node", **labels)
        for node in nodes:
            self.delete("Node", node["metadata"]["name"])
        return len(nodes)

    def pods(self, namespace: str | None = None, **labels: str) -> Objects:
        """Pods without a deletionTimestamp."""
        pods = self.list("Pod", namespace, **labels)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def wait_for(self, what: str, condition: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
        """Waits until `condition` returns a true value, and returns it.

        Raises:
            TimeoutError: it did not; the message lists the pods and their nodes.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if result := condition():
                return result
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"not within {seconds} s: {what}\n" + "\n".join(self._state_of_pods()))

    def empty(self) -> None:
        """Deletes all objects of the program and the tests; nodes last, because pods terminate on them."""
        for namespace in self.list("Namespace", **MANAGED):
            self.delete("Namespace", namespace["metadata"]["name"])
        self.delete("DaemonSet", DAEMONS, "kube-system", api="apps/v1")
        for managed in self.list("DaemonSet", "kube-system", api="apps/v1", **MANAGED):
            self.delete("DaemonSet", managed["metadata"]["name"], "kube-system", api="apps/v1")
        self.wait_for("namespaces gone", lambda: not self.list("Namespace", **MANAGED))
        for node in self.list("Node"):
            if KWOK_ANNOTATION in node["metadata"].get("annotations", {}):
                self.delete("Node", node["metadata"]["name"])

    def _kind(self, api: str, kind: str) -> Any:
        return self._client.resources.get(api_version=api, kind=kind)

    def _state_of_pods(self) -> Iterator[str]:
        for pod in self.list("Pod"):
            metadata, status = pod["metadata"], pod.get("status", {})
            reasons = [one.get("message", "") for one in status.get("conditions", ()) if one["status"] == "False"]
            yield f"{metadata['namespace']}/{metadata['name']} {status.get('phase')} on {pod['spec'].get('nodeName')} {' '.join(reasons)}"


def is_ready(pod_or_node: Mapping[str, Any]) -> bool:
    conditions = pod_or_node.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
