"""A simulated Google Cloud: existing resources, computed outputs, and the effects of create and delete.

A GKE cluster is the test's own API server. Creating a node pool adds the autoscaler's minimum of nodes, deleting it removes them.
Deleting a cluster records the disks and load balancers that Google would go on charging for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.simulated_nodes import NODE_POOL_LABEL, gke_node_group
from tests.cluster.simulated_platform import daemons
from tests.engine import google_schema
from tests.engine.charts import cluster_definitions

PROJECT_NUMBER = "123456789012"
CLUSTER, NODE_POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
_ACCOUNT = "gcp:serviceaccount/account:Account"
_STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "premium-rwo"},
    "provisioner": "kubernetes.io/no-provisioner",
}


class RefusedError(Exception):
    """Google's refusal of a request."""


@dataclass(frozen=True)
class Google:
    """`home`: folder with a file for each resource, the values of the secrets, and the kubeconfig of the API server."""

    home: Path

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    def secret(self, name: str) -> str:
        values = json.loads((self.home / "secrets.json").read_text())
        if name not in values:
            raise RefusedError(f"Secret [{name}] not found or has no versions")
        return values[name]

    def existing(self) -> list[str]:
        """Ids of the existing resources."""
        return sorted(json.loads(path.read_text())["id"] for path in self._things.glob("*.json"))

    def left_behind(self) -> list[str]:
        """Disks and load balancers that outlived the cluster."""
        path = self.home / "left-behind.json"
        return json.loads(path.read_text()) if path.exists() else []

    def create(self, token: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Creates a resource; returns its id and outputs."""
        id_ = f"projects/{inputs.get('project', 'default')}/{token.split(':')[1]}/{inputs.get('name', name)}"
        if id_ in self.existing():
            raise RefusedError(f"Already exists: {id_}")
        if token == CLUSTER:
            self._start_cluster()
        if token == NODE_POOL:
            self._cluster().add_nodes(gke_node_group(inputs["name"], inputs).nodes())
        self._write(id_, inputs)
        return id_, {**inputs, **computed(token, inputs, self._endpoint())}

    def read(self, token: str, id_: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Inputs and outputs of a resource that exists."""
        if not self._path(id_).exists():
            return None
        inputs = json.loads(self._path(id_).read_text())["inputs"]
        return inputs, {**inputs, **computed(token, inputs, self._endpoint())}

    def update(self, token: str, id_: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
        self._write(id_, inputs)
        return {**outputs, **inputs, **computed(token, inputs, self._endpoint())}

    def delete(self, token: str, id_: str) -> None:
        inputs = json.loads(self._path(id_).read_text())["inputs"]
        if token == CLUSTER:
            if inputs.get("deletionProtection", True):
                raise RefusedError("Cannot destroy cluster because deletion_protection is set to true. Set it to false to proceed")
            (self.home / "left-behind.json").write_text(json.dumps(self._charged_for()))
        if token == NODE_POOL:
            self._cluster().delete_nodes(**{NODE_POOL_LABEL: inputs["name"]})
        self._path(id_).unlink()

    @property
    def _things(self) -> Path:
        return self.home / "things"

    def _path(self, id_: str) -> Path:
        return self._things / (re.sub(r"[^\w.-]", "_", id_) + ".json")

    def _write(self, id_: str, inputs: Mapping[str, Any]) -> None:
        self._things.mkdir(exist_ok=True)
        self._path(id_).write_text(json.dumps({"id": id_, "inputs": dict(inputs)}))

    def _cluster(self) -> Cluster:
        return Cluster(self.kubeconfig, self.home)

    def _endpoint(self) -> str:
        return (self.home / "endpoint").read_text()

    def _start_cluster(self) -> None:
        for manifest in (_STORAGE_CLASS, daemons(), *cluster_definitions()):
            self._cluster().apply(manifest)

    def _charged_for(self) -> list[str]:
        cluster = self._cluster()
        disks = [f"disk of {one['spec']['claimRef']['name']}" for one in cluster.list("PersistentVolume")]
        services = [one for one in cluster.list("Service") if one["spec"].get("type") == "LoadBalancer"]
        return disks + [f"load balancer of {one['metadata']['name']}" for one in services]


def computed(token: str, inputs: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
    """Computed outputs. `endpoint`: address in place of a cluster's DNS endpoint."""
    if token == CLUSTER:
        endpoints = inputs["controlPlaneEndpointsConfig"]
        dns = {**endpoints["dnsEndpointConfig"], "endpoint": endpoint}
        return {"controlPlaneEndpointsConfig": {**endpoints, "dnsEndpointConfig": dns}}
    if token == _ACCOUNT:
        email = f"{inputs['accountId']}@{inputs.get('project', 'default')}.iam.gserviceaccount.com"
        return {"email": email, "member": f"serviceAccount:{email}"}
    return {}


def answer(google: Google, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Result of a function (invoke) of the provider."""
    problems = google_schema.function_problems(token, arguments)
    if problems:
        raise RefusedError("; ".join(problems))
    if token == "gcp:organizations/getProject:getProject":
        return {"number": PROJECT_NUMBER, "projectId": arguments["projectId"]}
    if token == "gcp:secretmanager/getSecretVersion:getSecretVersion":
        return {"secretData": google.secret(arguments["secret"]), "version": "1"}
    raise RefusedError(f"{token} is not answered here: teach the stand-in")
