"""A load test on a real API server: its Job is admitted beside the gateway, followed to its result, and nothing of it is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes.client import CoreV1Api

from components.naming import GATEWAY_NAMESPACE
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import any_cluster, needs_own_control_plane
from tests.cluster.deployed import Deployed, deploy
from tests.stacks import stack
from tools.load import cluster as tested
from tools.load.job import job, network_policies
from tools.load.load_test import load_test

pytestmark = needs_own_control_plane
CLIENTS = {"gateway": {"authentication": "api-key", "clients": {"tests": {}}}, "secrets.clientKeys": {"tests": {"secure": "given"}}}


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with any_cluster() as cluster:
        yield deploy(cluster, stack(CLIENTS))


@pytest.fixture
def manifests(deployed):
    test = load_test(deployed.settings, deployed.plan, "qwen3-8b", replicas=1)
    return job(deployed.settings, test), network_policies(test)


def left(cluster: Cluster) -> list[str]:
    """What there is of load tests."""
    kinds = {"Job": "batch/v1", "NetworkPolicy": "networking.k8s.io/v1"}
    found = [
        one
        for kind, api in kinds.items()
        for one in cluster.list(kind, GATEWAY_NAMESPACE, api=api, **{"app.kubernetes.io/name": "load-test"})
    ]
    return [one["metadata"]["name"] for one in found if not one["metadata"].get("deletionTimestamp")]


def pod_of(cluster: Cluster, name: str) -> dict:
    return cluster.wait_for("the Job has a pod", lambda: cluster.list("Pod", GATEWAY_NAMESPACE, **{"job-name": name}))[0]


def test_a_job_is_admitted_and_its_pod_runs_under_restricted(deployed, manifests):
    with tested.created(deployed.cluster.api, *manifests) as name:
        assert len(left(deployed.cluster)) == 3
        pod = deployed.cluster.wait_for("the Job has a pod", lambda: deployed.cluster.list("Pod", GATEWAY_NAMESPACE, **{"job-name": name}))[
            0
        ]
        assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "3Gi"}
        [policy, _] = [
            one for one in deployed.cluster.list("NetworkPolicy", GATEWAY_NAMESPACE, api="networking.k8s.io/v1") if "load-test" in str(one)
        ]
        assert policy["metadata"]["ownerReferences"][0]["name"] == name
    deployed.cluster.wait_for("nothing is left", lambda: not left(deployed.cluster))


def test_one_that_is_interrupted_leaves_nothing(deployed, manifests):
    with pytest.raises(KeyboardInterrupt), tested.created(deployed.cluster.api, *manifests):
        raise KeyboardInterrupt
    deployed.cluster.wait_for("nothing is left", lambda: not left(deployed.cluster))


def test_two_tests_of_one_model_are_not_made_at_once(deployed, manifests):
    with tested.created(deployed.cluster.api, *manifests):
        with pytest.raises(tested.Unfinished, match="a load test of this model is there"), tested.created(deployed.cluster.api, *manifests):
            pass
        assert len(left(deployed.cluster)) == 3
    deployed.cluster.wait_for("nothing is left", lambda: not left(deployed.cluster))


def test_a_pod_that_fails_is_told_by_its_last_words(deployed, manifests):
    cluster = deployed.cluster
    with tested.created(cluster.api, *manifests) as name:
        pod = pod_of(cluster, name)
        ended = {"exitCode": 1, "reason": "Error", "message": "401 Unauthorized", "containerID": "x://1"}
        states = [{"name": "vllm-bench", "ready": False, "restartCount": 0, "image": "x", "imageID": "x", "state": {"terminated": ended}}]
        status = {"phase": "Failed", "containerStatuses": states}
        cluster.patch_status("Pod", pod["metadata"]["name"], status, GATEWAY_NAMESPACE)
        with pytest.raises(tested.Unfinished, match="401 Unauthorized"):
            tested.check_end(CoreV1Api(cluster.api), name)


def test_without_a_ready_replica_nothing_is_tested(deployed):
    with pytest.raises(tested.Unfinished, match="make doctor"):
        tested.ready_replicas(deployed.cluster.api, "qwen3-8b")
