"""The cluster of a test: its own control plane or, if CONTEXT names a context of KUBECONFIG, that cluster, emptied before and after."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import control_plane, kwok
from tests.cluster.simulated_platform import daemons, system_quota
from tests.definitions import custom_resource_definitions

needs_own_control_plane = pytest.mark.skipif(
    bool(os.environ.get("CONTEXT")), reason="needs an API server on this machine, configured as GKE's is; CONTEXT names another"
)


@contextlib.contextmanager
def any_cluster(*controller_flags: str) -> Generator[Cluster]:
    """A cluster with the CRDs that the program uses, without simulated nodes. `controller_flags`: of its own controller manager."""
    context = os.environ.get("CONTEXT")
    with tempfile.TemporaryDirectory(prefix="cluster-") as scratch, contextlib.ExitStack() as stack:
        if context:
            kubeconfig = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
            stack.enter_context(kwok(kubeconfig, Path(scratch), context))
        else:
            kubeconfig = stack.enter_context(control_plane(*controller_flags)).kubeconfig
        cluster = Cluster(kubeconfig, Path(scratch), context)
        if context:
            cluster.empty()
            stack.callback(cluster.empty)
        for definition in custom_resource_definitions():
            cluster.apply(definition)
        if not context:
            cluster.apply(system_quota())
        cluster.apply(daemons())
        yield cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with any_cluster() as cluster:
        yield cluster
