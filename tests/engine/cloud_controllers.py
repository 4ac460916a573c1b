"""Simulates cloud controllers: a PersistentVolume for each claim, deleted with it; an address for each Service of type LoadBalancer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Any

from tests.cluster.cluster import Cluster

ADDRESS = "192.0.2.1"
_POLL_SECONDS = 0.5


@contextlib.contextmanager
def cloud_controllers(cluster: Cluster) -> Generator[None]:
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(_POLL_SECONDS):
            _serve(cluster)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _serve(cluster: Cluster) -> None:
    _disks(cluster)
    for service in cluster.list("Service"):
        if service["spec"].get("type") == "LoadBalancer" and not service["status"].get("loadBalancer"):
            metadata = service["metadata"]
            cluster.patch_status("Service", metadata["name"], {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}, metadata["namespace"])


def _disks(cluster: Cluster) -> None:
    claims = {one["metadata"]["uid"]: one for one in cluster.list("PersistentVolumeClaim")}
    volumes = {one["spec"]["claimRef"]["uid"]: one for one in cluster.list("PersistentVolume")}
    for uid in claims.keys() - volumes.keys():
        cluster.create(_volume(claims[uid]))
    for uid in volumes.keys() - claims.keys():
        cluster.delete("PersistentVolume", volumes[uid]["metadata"]["name"])


def _volume(claim: dict[str, Any]) -> dict[str, Any]:
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"disk-{metadata['uid']}"},
        "spec": {
            "capacity": spec["resources"]["requests"],
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName", ""),
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "hostPath": {"path": "/disk"},
        },
    }
