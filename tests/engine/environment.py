"""The environment of a deployed stack: an API server with simulated nodes and disks, the stand-in for Google, charts in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.parsing import parse
from config.settings import Settings
from config.stack_config import without_secret_values
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.simulated_nodes import node_groups
from tests.cluster.simulated_platform import daemons
from tests.engine.charts import cluster_definitions, write_charts
from tests.engine.cloud_controllers import cloud_controllers
from tests.engine.engine import ROOT, Program, Stack
from tests.engine.google import Google
from tests.engine.google_provider import HOME_VARIABLE
from tools.preview.offline import Recording

SECRETS = {
    "hugging-face-token": "hf_only-in-secret-manager",
    "grafana-admin-password": "grafana_only-in-secret-manager",
    **{f"llm-client-{name}": f"key-of-{name}-only-in-secret-manager" for name in ("chat", "research", "batch")},
}


@dataclass(frozen=True)
class Environment:
    cluster: Cluster
    google: Google
    charts: Path
    program: Program
    variables: Mapping[str, str]

    def stack(self, name: str, config: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> Stack:
        """A configured stack; with provider `existing` also its nodes."""
        settings = parse(without_secret_values(config))
        variables = self.existing_cluster(settings) if settings.cluster.provider == "existing" else self.variables
        stack = Stack(self.program, name, variables)
        stack.configure(self.with_charts(config), secrets)
        return stack

    def existing_cluster(self, settings: Settings) -> dict[str, str]:
        """Adds the nodes of the settings' pools to the cluster; returns the variables of a program that deploys there."""
        for manifest in (daemons(), *cluster_definitions()):
            self.cluster.apply(manifest)
        for group in node_groups(settings, Recording()).values():
            self.cluster.add_nodes(group.nodes())
        return {**self.variables, "KUBECONFIG": str(self.google.kubeconfig)}

    def with_charts(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration with platform.chartMirror set to the folder of charts."""
        key = "vllm-platform:platform"
        return {**config, key: {**config.get(key, {}), "chartMirror": str(self.charts)}}


@contextlib.contextmanager
def environment(folder: Path) -> Generator[Environment]:
    with control_plane() as plane, contextlib.ExitStack() as stack:
        google = _google(folder / "google", plane)
        cluster = Cluster(google.kubeconfig, folder)
        stack.enter_context(cloud_controllers(Cluster(google.kubeconfig, folder)))
        write_charts(folder / "charts")
        yield Environment(
            cluster=cluster,
            google=google,
            charts=folder / "charts",
            program=Program(folder / "program"),
            variables={
                "PATH": f"{_executables(folder / 'bin', google, plane)}{os.pathsep}{os.environ['PATH']}",
                HOME_VARIABLE: str(google.home),
                "KUBECONFIG": str(folder / "there-is-none"),
                # The DNS endpoint of a GKE cluster has a certificate that every machine trusts.
                "SSL_CERT_FILE": str(plane.ca),
                "HELM_CACHE_HOME": str(folder / "helm"),
            },
        )


def _google(home: Path, plane: ControlPlane) -> Google:
    home.mkdir()
    (home / "kubeconfig").write_text(plane.kubeconfig.read_text())
    (home / "endpoint").write_text(plane.address)
    (home / "secrets.json").write_text(json.dumps(SECRETS))
    return Google(home)


def _executables(folder: Path, google: Google, plane: ControlPlane) -> Path:
    """The Google provider's stand-in, and the plugin that fetches a token for a GKE cluster."""
    folder.mkdir()
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "status": {"token": plane.token},
    }
    (google.home / "credential.json").write_text(json.dumps(credential))
    provider = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.engine.google_provider import main\nmain()\n"
    scripts = {
        "pulumi-resource-gcp": f"#!{sys.executable}\n{provider}",
        "gke-gcloud-auth-plugin": f"#!/bin/sh\ncat {google.home}/credential.json\n",
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
