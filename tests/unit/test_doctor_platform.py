"""Findings of `make doctor` about shared parts: nodes, GPUs, the GPU Operator, the gateway."""

from __future__ import annotations

import pytest

from tests.faults import ago, crashing
from tests.unit.snapshots import World, deployment, event, node, of, unschedulable
from tools.doctor.findings import Cause


def test_a_gpu_node_without_gpus_is_explained_by_the_driver():
    world = World()
    bare = node(world.on_demand, gpus=0)
    owner = [{"kind": "DaemonSet", "name": "nvidia-gpu-device-plugin-large-cos"}]
    plugin = of(
        "Pod", "nvidia-gpu-device-plugin-large-cos-x", "kube-system", spec={"nodeName": bare["metadata"]["name"]}, ownerReferences=owner
    )
    plugin["status"] = {"initContainerStatuses": [{"name": "nvidia-driver-installer", **crashing(1)}]}
    daemon_set = of("DaemonSet", owner[0]["name"], "kube-system", status={"desiredNumberScheduled": 1, "numberReady": 0})
    world.but(nodes=(bare,), pods=(world.floor, plugin), daemon_sets=(daemon_set,))
    found = {finding.cause: finding for finding in world.findings()}
    assert found.keys() == {Cause.GPU_NOT_ADVERTISED, Cause.DRIVER_NOT_READY}
    assert "nvidia-driver-installer: CrashLoopBackOff" in found[Cause.GPU_NOT_ADVERTISED].message
    assert found[Cause.DRIVER_NOT_READY].subjects == (bare["metadata"]["name"],)


@pytest.mark.parametrize("shape", ["gke-default", "driver-installer"])
def test_what_to_look_at_for_a_missing_gpu_depends_on_who_installs_the_driver(shape):
    world = World({"cluster.gpuStack": shape})
    finding = world.but(nodes=(node(world.on_demand, gpus=0),)).only()
    assert ("device plugin installs the driver" in finding.advice) is (shape == "gke-default")


def test_a_node_that_lost_a_gpu_is_a_fault():
    world = World({"nodePools.l4.machineType": "g2-standard-24"})
    assert "advertises 1" in world.but(nodes=(node(world.on_demand, gpus=1),)).only().message


def test_a_new_node_has_time_to_get_its_driver():
    world = World()
    assert world.but(nodes=(node(world.on_demand, gpus=0, creationTimestamp=ago(60)),)).only(fault=False).cause is Cause.STARTING


@pytest.mark.parametrize("capacity", ["on_demand", "spot"])
def test_a_node_that_is_gone_is_a_fault_unless_it_was_spot(capacity):
    world = World()
    lost = node(getattr(world, capacity), 1, ready="Unknown")
    finding = world.but(nodes=(*world.snapshot.nodes, lost)).only(fault=capacity == "on_demand")
    assert "kubelet stopped" in finding.message


def test_an_operator_that_is_not_installed_is_a_fault_where_the_stack_wants_it():
    others = World().without("gpu-operator")
    assert World().but(deployments=others).only().cause is Cause.OPERATOR_NOT_READY
    assert World({"platform.gpuOperator": {"enabled": False}}).but(deployments=others).findings() == []


def test_a_gateway_that_is_missing_is_a_fault_where_the_stack_wants_it():
    finding = World().but(deployments=World().without("gateway")).only()
    assert (finding.about, finding.cause) == (("gateway",), Cause.NOT_DEPLOYED)
    assert World({"gateway": None}).but(deployments=World().without("gateway")).findings() == []


@pytest.mark.parametrize(
    ("pod_status", "cause", "says"),
    [
        (unschedulable("0/3 nodes are available: 3 Insufficient cpu."), Cause.UNSCHEDULABLE, "Insufficient cpu"),
        (
            {"containerStatuses": [{"name": "envoy", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]},
            Cause.GATEWAY_NOT_READY,
            "ImagePullBackOff",
        ),
    ],
)
def test_a_gateway_without_ready_pods_is_explained_by_them(pod_status, cause, says):
    waiting = of("Pod", "gateway-0", "gateway", spec={"containers": [{"name": "envoy"}]}, status=pod_status)
    world = World()
    world.but(deployments=(*World().without("gateway"), deployment("gateway", "gateway", availableReplicas=0)), pods=(world.floor, waiting))
    finding = world.only()
    assert finding.cause is cause
    assert says in finding.message


def test_an_operand_whose_pods_a_quota_refuses_is_told():
    daemon_set = of("DaemonSet", "gpu-feature-discovery", "gpu-operator", status={"desiredNumberScheduled": 2, "numberReady": 0})
    message = 'pods "x" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [system-node-critical]}]'
    finding = World().but(daemon_sets=(daemon_set,), events=(event(daemon_set, "FailedCreate", message),)).only()
    assert finding.cause is Cause.QUOTA_EXCEEDED


def external_metrics(namespace: str, available: str = "True"):
    condition = {"type": "Available", "status": available, "message": "failing or missing response from https://10.0.0.1:6443"}
    spec = {"service": {"namespace": namespace, "name": "metrics-apiserver"}}
    return of("APIService", "v1beta1.external.metrics.k8s.io", "", spec=spec, status={"conditions": [condition]})


@pytest.mark.parametrize(
    ("service", "causes"),
    [
        (None, []),
        (external_metrics("keda"), []),
        (external_metrics("keda", "False"), [Cause.AUTOSCALER_NOT_READY]),
        (external_metrics("custom-metrics"), [Cause.EXTERNAL_METRICS_TAKEN]),
    ],
    ids=["none", "KEDA's", "KEDA's, which does not answer", "another's"],
)
@pytest.mark.parametrize("stack", [{}, {"platform.autoscaler": {"enabled": False}}], ids=["scaled", "not scaled"])
def test_an_external_metrics_api_of_another_is_a_fault_where_the_stack_scales(service, causes, stack):
    found = [finding.cause for finding in World(stack).but(external_metrics=service).findings()]
    assert found == ([] if stack else causes)
