"""Every stack file, and generated ones, on a real API server and scheduler: admitted, placed as planned, and stable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from components.naming import MODEL_LABEL
from components.platform.gpu_operator import NAMESPACE
from tests.cluster.conftest import any_cluster
from tests.cluster.deployed import Deployed, deploy, gpus_in_use
from tests.cluster.simulated_nodes import ZONE_LABEL
from tests.cluster.simulated_platform import CRITICAL, DAEMONS, OPERAND, workload
from tests.program.conftest import STACKS, configuration
from tools.doctor.diagnosis import diagnose
from tools.doctor.reading import read_snapshot
from tools.doctor.snapshot import Case

NAMES = [*STACKS, "generated-1", "generated-20"]
LATECOMER = "latecomer"
CREATED = [name for name in NAMES if configuration(name)["vllm-platform:cluster"]["provider"] == "gke"]


@pytest.fixture(scope="module", params=NAMES)
def deployed(request) -> Iterator[Deployed]:
    """The stack on the minimum nodes of its pools, floors ready."""
    with any_cluster() as cluster:
        stack = deploy(cluster, configuration(request.param), request.param, on_nodes=True)
        cluster.wait_for("floors ready on the pools' minimum", stack.floors_ready)
        yield stack


def node_of(deployed: Deployed, pod: dict) -> dict:
    return deployed.cluster.get("Node", pod["spec"]["nodeName"])


def add_spot_nodes(deployed: Deployed) -> None:
    """Adds spot nodes up to the pools' maximum."""
    there = {node["metadata"]["name"] for node in deployed.cluster.list("Node")}
    for group in deployed.groups.values():
        if group.name.endswith("-spot"):
            deployed.cluster.add_nodes(node for node in group.nodes(group.most) if node["metadata"]["name"] not in there)


def test_floors_run_on_on_demand_nodes_of_their_pool(deployed):
    pods = deployed.tier("floor")
    assert len(pods) == sum(model.scaling.floor for model in deployed.settings.models.values())
    for pod in pods:
        group = deployed.node_group(pod["metadata"]["labels"][MODEL_LABEL], "on-demand")
        labels = node_of(deployed, pod)["metadata"]["labels"]
        assert group.labels.items() <= labels.items()
        assert labels.get("cloud.google.com/gke-spot") is None


def test_bursts_wait_for_spot_nodes_and_run_nowhere_else(deployed):
    bursts = {name: model for name, model in deployed.settings.models.items() if model.scaling.ceiling > model.scaling.floor}
    assert {pod["metadata"]["labels"][MODEL_LABEL] for pod in deployed.tier("burst")} == set(bursts)
    spot = {name: deployed.node_group(name, "spot") for name in bursts}
    waiting = [pod for pod in deployed.tier("burst") if not spot[pod["metadata"]["labels"][MODEL_LABEL]].least]
    assert all("nodeName" not in pod["spec"] for pod in waiting)
    add_spot_nodes(deployed)
    if bursts:
        deployed.cluster.wait_for("bursts ready on spot nodes", deployed.bursts_ready)
    for pod in deployed.tier("burst"):
        assert spot[pod["metadata"]["labels"][MODEL_LABEL]].labels.items() <= node_of(deployed, pod)["metadata"]["labels"].items()


def test_no_gpu_is_given_twice_and_only_model_servers_use_gpu_nodes(deployed):
    for node, given, has in gpus_in_use(deployed.cluster):
        assert given <= has, node
    with_gpus = {node for node, _, has in gpus_in_use(deployed.cluster) if has}
    for pod in deployed.cluster.pods():
        labels = pod["metadata"].get("labels", {})
        if MODEL_LABEL not in labels and labels.get("app") not in (DAEMONS, OPERAND):
            assert pod["spec"].get("nodeName") not in with_gpus, pod["metadata"]["name"]


@pytest.mark.parametrize("deployed", STACKS, indirect=True, scope="module")
def test_replicas_spread_over_zones(deployed):
    zones = defaultdict(Counter)
    for pod in deployed.tier("floor"):
        zones[pod["metadata"]["labels"][MODEL_LABEL]][node_of(deployed, pod)["metadata"]["labels"].get(ZONE_LABEL)] += 1
    for model, counts in zones.items():
        group = deployed.node_group(model, "on-demand")
        if counts.total() > 1 and min(group.least, len(group.zones)) > 1:
            assert len(counts) > 1, f"{model} is in one zone: {counts}"


@pytest.mark.parametrize("deployed", CREATED, indirect=True, scope="module")
def test_strangers_stay_off_the_expensive_nodes(deployed):
    """A pod that tolerates the GPU taint is not put on spot nodes without their toleration too; other pods get on no GPU node."""
    add_spot_nodes(deployed)
    gpu_toleration = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    for name, tolerations, forbidden in (
        ("plain", [], "cloud.google.com/gke-accelerator"),
        ("gpu-user", gpu_toleration, "cloud.google.com/gke-spot"),
    ):
        allowed = {"key": forbidden, "operator": "Exists"}
        wish = {"weight": 100, "preference": {"matchExpressions": [allowed]}}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "containers": [{"name": name, "image": "example.invalid/stranger"}],
                "tolerations": tolerations,
                "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}},
            },
        }
        deployed.cluster.apply(pod)
        placed = deployed.cluster.wait_for(
            f"{name} placed", lambda name=name: deployed.cluster.get("Pod", name, "default")["spec"].get("nodeName")
        )
        assert forbidden not in deployed.cluster.get("Node", placed)["metadata"]["labels"]
        deployed.cluster.delete("Pod", name, "default", grace_period_seconds=0)


def test_nothing_was_refused_by_admission_of_pods(deployed):
    """Quotas and Pod Security refuse pods, not the workload, so the refusal is only in conditions and events of ReplicaSets."""
    for owner in deployed.cluster.list("ReplicaSet", api="apps/v1"):
        failures = [one for one in owner["status"].get("conditions", ()) if one["type"] == "ReplicaFailure"]
        assert failures == []


@pytest.mark.parametrize("deployed", CREATED, indirect=True, scope="module")
def test_the_gpu_operators_critical_pods_run_on_every_gpu_node(deployed):
    """On spot nodes too; GKE admits them only if a ResourceQuota allows them."""
    add_spot_nodes(deployed)
    gpu_nodes = sum(has > 0 for _, _, has in gpus_in_use(deployed.cluster))
    operand = lambda: deployed.cluster.get("DaemonSet", OPERAND, NAMESPACE, api="apps/v1")["status"]  # noqa: E731
    deployed.cluster.wait_for("operands on every GPU node", lambda: operand().get("numberReady", 0) == gpu_nodes)


def test_a_critical_daemon_set_that_comes_later_evicts_no_floor(deployed):
    """With the requests of Falco's chart: 100m and 512Mi."""
    before = {pod["metadata"]["uid"] for pod in deployed.tier("floor")}
    requests = {"cpu": "100m", "memory": "512Mi"}
    everywhere = [{"operator": "Exists"}]
    deployed.cluster.apply(workload("DaemonSet", LATECOMER, "kube-system", tolerations=everywhere, requests=requests, priority=CRITICAL))
    status = lambda: deployed.cluster.get("DaemonSet", LATECOMER, "kube-system", api="apps/v1")["status"]  # noqa: E731
    everywhere_ready = lambda: 0 < status().get("desiredNumberScheduled", 0) == status().get("numberReady", 0)  # noqa: E731
    try:
        deployed.cluster.wait_for("it runs on every node", everywhere_ready)
        assert {pod["metadata"]["uid"] for pod in deployed.tier("floor")} == before
        assert deployed.floors_ready()
    finally:
        deployed.cluster.delete("DaemonSet", LATECOMER, "kube-system", api="apps/v1")


def test_the_doctor_finds_it_healthy(deployed):
    def faults():
        case = Case(deployed.settings, deployed.plan, read_snapshot(deployed.cluster.api))
        return [finding for finding in diagnose(case) if finding.is_fault]

    deployed.cluster.wait_for("no fault", lambda: not faults(), seconds=30)


def test_a_second_apply_changes_nothing(deployed):
    for manifest in deployed.manifests:
        metadata = manifest["metadata"]
        before = deployed.cluster.get(manifest["kind"], metadata["name"], metadata.get("namespace"), api=manifest["apiVersion"])
        after = deployed.cluster.apply(manifest)
        assert after["metadata"].get("generation") == before["metadata"].get("generation")
        assert after.get("spec") == before.get("spec")
