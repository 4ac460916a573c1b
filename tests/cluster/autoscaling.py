"""KEDA's operator and metrics server on 127.0.0.1, as the API server's `external.metrics.k8s.io`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import yaml

from components.naming import KEDA_NAMESPACE, MANAGED
from tests.cluster import binaries
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import process, signed_certificate
from tools.ports import free_ports

OPERATOR_HOST = f"keda-operator.{KEDA_NAMESPACE}.svc.cluster.local"


@contextlib.contextmanager
def keda(cluster: Cluster, scratch: Path) -> Generator[None]:
    """Installs the definitions and the API service, and runs both processes."""
    folder = binaries.build(binaries.KEDA)
    for path in sorted((folder / "definitions").glob("*.yaml")):
        for definition in yaml.safe_load_all(path.read_text()):
            cluster.apply(definition)
    rpc, served, metrics, probes, adapter_metrics = free_ports(5)
    for one in _api_service(served):
        cluster.apply(one)
    signed_certificate(scratch, "tls", OPERATOR_HOST, OPERATOR_HOST, "localhost")
    environment = {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig),
        "POD_NAMESPACE": KEDA_NAMESPACE,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": KEDA_NAMESPACE,
        "WATCH_NAMESPACE": "",
    }
    operator = [
        folder / "operator",
        "--leader-elect=false",
        f"--cert-dir={scratch}",
        f"--metrics-service-bind-address=:{rpc}",
        f"--metrics-bind-address=127.0.0.1:{metrics}",
        f"--health-probe-bind-address=127.0.0.1:{probes}",
        "--enable-webhook-patching=false",
        "--enable-apiservice-patching=false",
    ]
    kubeconfigs = [f"--{prefix}kubeconfig={cluster.kubeconfig}" for prefix in ("", "lister-", "authentication-", "authorization-")]
    adapter = [
        folder / "adapter",
        f"--secure-port={served}",
        f"--cert-dir={scratch}",
        f"--metrics-service-address=localhost:{rpc}",
        f"--metrics-service-grpc-authority={OPERATOR_HOST}",
        f"--port={adapter_metrics}",
        *kubeconfigs,
    ]
    with process(operator, scratch / "operator.log", environment), process(adapter, scratch / "adapter.log", environment):
        cluster.wait_for("external metrics are served", lambda: _is_available(cluster))
        yield


def _is_available(cluster: Cluster) -> bool:
    service = cluster.get("APIService", "v1beta1.external.metrics.k8s.io", api="apiregistration.k8s.io/v1")
    return any(one["type"] == "Available" and one["status"] == "True" for one in service.get("status", {}).get("conditions", ()))


def _api_service(port: int) -> list[dict[str, Any]]:
    """In the cluster the chart's Service has pods behind it."""
    name = "keda-operator-metrics-apiserver"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": KEDA_NAMESPACE, "labels": MANAGED}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": KEDA_NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
            "spec": {
                "group": "external.metrics.k8s.io",
                "version": "v1beta1",
                "service": {"name": name, "namespace": KEDA_NAMESPACE, "port": port},
                "insecureSkipTLSVerify": True,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    ]
