"""What `make doctor` says of a cluster, from a snapshot of it alone."""

from __future__ import annotations

import re

import pytest

from tests.faults import DONE, FAULTS, ago, crashing, ended, pod_status, running, waiting
from tests.program.conftest import ROOT
from tests.unit.snapshots import MODEL, SPACE, World, deployment, event, node, of, pod, serving, unschedulable
from tools.doctor.findings import Cause
from tools.doctor.nodes import GPU

EXISTING_POOL = {
    "hardware": {"vcpus": 12, "memoryGiB": 48, "accelerator": "nvidia-l4", "gpus": 1},
    "onDemand": {"min": 1, "max": 4},
    "spot": {"max": 8},
}


def said(finding):
    return f"{finding.message}; {finding.advice}"


def test_a_healthy_stack_has_no_findings():
    assert World().findings() == []


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_pods_are_recognised(name):
    fault, world = FAULTS[name], World()
    finding = world.with_floor(status=fault.status(world.startup)).only()
    assert finding.cause is fault.cause
    assert re.search(fault.says, said(finding))
    assert finding.about == (f"model {MODEL}",)
    assert finding.advice


@pytest.mark.parametrize(
    "status",
    [
        lambda plan: pod_status(waiting("PodInitializing"), scheduled=plan.image / 2),
        lambda plan: pod_status(running(plan.download)),
        lambda plan: pod_status(DONE, running(plan.engine)),
        lambda plan: pod_status(DONE, running(plan.budget)),
    ],
    ids=["image", "download", "engine", "up to its budget"],
)
def test_a_start_within_its_planned_time_is_no_fault(status):
    world = World()
    assert world.with_floor(status=status(world.startup)).only(fault=False).cause is Cause.STARTING


def test_a_restart_that_is_over_is_information():
    status = serving()
    status["containerStatuses"][0] |= {"lastState": ended(137, reason="OOMKilled"), "restartCount": 1}
    assert "out of memory" in World().with_floor(status=status).only(fault=False).message


def test_the_log_is_believed_before_the_last_lines_in_the_status():
    world = World()
    world.with_floor(status=pod_status(DONE, crashing(1, "RuntimeError: Engine core initialization failed. See root cause above.")))
    world.but(logs={(SPACE, "floor-0", "vllm"): "torch.OutOfMemoryError: CUDA out of memory.\n...\nRuntimeError: Engine core ..."})
    assert world.only().cause is Cause.CUDA_OUT_OF_MEMORY


def test_a_kill_by_the_startup_probe_is_not_taken_for_lack_of_memory():
    world = World().with_floor(status=pod_status(DONE, crashing(137, lived=30)))
    world.but(events=(event(world.floor, "Killing", "Container vllm failed startup probe, will be restarted"),))
    assert world.only().cause is Cause.STARTUP_EXCEEDED


def test_probes_that_fail_while_an_engine_starts_do_not_hide_why_it_crashed():
    world = World().with_floor(status=pod_status(DONE, crashing(1, "RuntimeError: no idea")))
    world.but(events=(event(world.floor, "Unhealthy", "Startup probe failed: connection refused"),))
    assert world.only().cause is Cause.CRASH_LOOP


def test_a_pull_that_backs_off_is_explained_by_its_event():
    world = World().with_floor(status=pod_status(waiting("ImagePullBackOff", "Back-off pulling image")))
    image = world.floor["status"]["initContainerStatuses"][0]["image"]
    world.but(events=(event(world.floor, "Failed", f'Failed to pull image "{image}": 429 Too Many Requests'),))
    assert "429" in world.only().message


def test_a_volume_that_does_not_come_is_not_taken_for_a_slow_image():
    world = World().with_floor(status=pod_status(waiting("PodInitializing"), scheduled=900))
    world.but(events=(event(world.floor, "FailedMount", "MountVolume.SetUp failed for volume"),))
    assert world.only().cause is Cause.VOLUME_NOT_READY


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("Evicted", "The node was low on resource: ephemeral-storage."),
        ("Terminated", "Pod was terminated in response to imminent node shutdown."),
    ],
)
def test_a_pod_that_its_node_ended_is_no_fault_of_the_model(reason, message):
    status = pod_status(DONE, {"state": ended(137)}) | {"phase": "Failed", "reason": reason, "message": message}
    assert message.rstrip(".") in World().with_floor(status=status).only(fault=False).message


def pending(world, message="0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", **metadata):
    world.but(pods=(pod(world.on_demand, "floor", status=unschedulable(message), **metadata),))
    return world


def test_a_floor_without_a_node_of_its_pool_is_a_fault():
    assert pending(World()).but(nodes=()).only().cause is Cause.POOL_EMPTY


def test_a_floor_whose_node_is_being_made_is_not():
    assert pending(World(), creationTimestamp=ago(60)).but(nodes=()).only(fault=False).cause is Cause.STARTING


@pytest.mark.parametrize(
    ("event_message", "cause"),
    [
        ("Node scale up in zones us-central1-a associated with this pod failed: GCE quota exceeded.", Cause.CLOUD_QUOTA),
        ("Node scale up in zones us-central1-a associated with this pod failed: GCE out of resources.", Cause.NO_CLOUD_CAPACITY),
    ],
)
def test_a_cloud_that_refuses_a_node_is_quoted(event_message, cause):
    world = pending(World(), creationTimestamp=ago(60)).but(nodes=())
    assert world.but(events=(event(world.snapshot.pods[0], "FailedScaleUp", event_message),)).only().cause is cause


def test_on_an_existing_cluster_the_advice_names_the_labels():
    world = World({"cluster": None, "cluster.provider": "existing", "cluster.name": "lab", "nodePools.l4": EXISTING_POOL})
    assert "kubectl label node <node> vllm-platform/node-pool=l4" in pending(world).but(nodes=()).only().advice


def test_a_taint_that_the_pods_do_not_tolerate_is_named():
    world = pending(World())
    world.but(nodes=(node(world.on_demand, taints=[{"key": "team", "value": "a", "effect": "NoSchedule"}]),))
    assert "team=a:NoSchedule" in world.only().message


def test_cordoned_nodes_are_named_as_such():
    world = pending(World())
    world.but(nodes=(node(world.on_demand, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]),))
    assert "cordoned" in world.only().message


@pytest.mark.parametrize("resource", ["cpu", "memory", GPU])
def test_a_full_pool_is_told_by_what_it_lacks(resource):
    finding = pending(World(), f"0/1 nodes are available: 1 Insufficient {resource}. preemption: no").only()
    assert finding.cause is Cause.NO_ROOM
    assert resource in finding.message


def test_a_replica_larger_than_any_node_is_told_from_a_full_pool():
    world = pending(World(), f"0/1 nodes are available: 1 Insufficient {GPU}.")
    world.snapshot.pods[0]["spec"]["containers"][0]["resources"]["requests"][GPU] = "4"
    assert f"4 {GPU} (nodes offer 1)" in world.only().message


def test_other_reasons_of_the_scheduler_are_quoted():
    finding = pending(World(), "0/1 nodes are available: 1 node(s) had volume node affinity conflict. preemption: no").only()
    assert finding.message.endswith("1 node(s) had volume node affinity conflict")


def test_an_unbound_claim_is_told_from_a_full_pool():
    assert (
        pending(World(), "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims").only().cause is Cause.VOLUME_NOT_READY
    )


def test_bursts_that_wait_for_spot_nodes_are_no_fault():
    world = World()
    burst = pod(world.spot, "burst", status=unschedulable("0/1 nodes are available."))
    assert world.but(pods=(world.floor, burst)).only(fault=False).cause is Cause.SPOT_WAITING


def test_a_cause_that_many_pods_share_is_one_finding():
    world, fault = World(), FAULTS["download: 429"]
    floor = [pod(world.on_demand, "floor", index, on="l4-on-demand-0", status=fault.status(world.startup)) for index in range(20)]
    finding = world.but(pods=tuple(floor)).only()
    assert len(finding.subjects) == 20


def test_faults_come_first():
    world = World().with_floor(status=FAULTS["crash"].status(World().startup))
    burst = pod(world.spot, "burst", status=unschedulable("0/1 nodes are available."))
    assert [one.is_fault for one in world.but(pods=(burst, world.floor)).findings()] == [True, False]


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
    others = without("gpu-operator")
    assert World().but(deployments=others).only().cause is Cause.OPERATOR_NOT_READY
    assert World({"platform.gpuOperator": {"enabled": False}}).but(deployments=others).findings() == []


def test_a_gateway_that_is_missing_is_a_fault_where_the_stack_wants_it():
    finding = World().but(deployments=without("gateway")).only()
    assert (finding.about, finding.cause) == (("gateway",), Cause.NOT_DEPLOYED)
    assert World({"gateway": None}).but(deployments=without("gateway")).findings() == []


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
    world.but(deployments=(*without("gateway"), deployment("gateway", "gateway", availableReplicas=0)), pods=(world.floor, waiting))
    finding = world.only()
    assert finding.cause is cause
    assert says in finding.message


def without(name):
    return tuple(one for one in World().snapshot.deployments if one["metadata"]["name"] != name)


def test_an_operand_whose_pods_a_quota_refuses_is_told():
    daemon_set = of("DaemonSet", "gpu-feature-discovery", "gpu-operator", status={"desiredNumberScheduled": 2, "numberReady": 0})
    message = 'pods "x" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [system-node-critical]}]'
    finding = World().but(daemon_sets=(daemon_set,), events=(event(daemon_set, "FailedCreate", message),)).only()
    assert finding.cause is Cause.QUOTA_EXCEEDED


@pytest.mark.parametrize(
    ("message", "cause", "says"),
    [
        (
            'pods "a" is forbidden: exceeded quota: team, requested: requests.nvidia.com/gpu=1, used: pods=2, limited: pods=2',
            Cause.QUOTA_EXCEEDED,
            "ResourceQuota team allows pods=2",
        ),
        ('pods "a" is forbidden: violates PodSecurity "restricted:latest": host namespaces', Cause.POD_SECURITY, "host namespaces"),
        ('admission webhook "policy" denied the request: no', Cause.ADMISSION_REFUSED, 'webhook "policy"'),
    ],
)
def test_refused_pods_are_explained_by_their_deployment(message, cause, says):
    refused = deployment(f"{MODEL}-floor", conditions=[{"type": "ReplicaFailure", "status": "True", "message": message}])
    world = World()
    finding = world.but(pods=(), deployments=(refused, *world.snapshot.deployments[1:])).only()
    assert finding.cause is cause
    assert says in finding.message


def test_a_stack_that_is_not_there_is_one_finding():
    assert World().but(deployments=(), namespaces=frozenset(), pods=()).only().cause is Cause.NOT_DEPLOYED


def test_a_deployment_that_is_missing_is_a_fault():
    assert "qwen3-8b-burst" in World().but(deployments=without("qwen3-8b-burst")).only().message


def test_a_floor_changed_by_hand_is_a_fault():
    world = World()
    changed = deployment(f"{MODEL}-floor", replicas=0)
    assert "0 replicas, planned are 1" in world.but(deployments=(changed, *world.snapshot.deployments[1:])).only().message


def test_a_rollout_that_is_stuck_is_told_only_where_nothing_else_explains_it():
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    stuck = (deployment(f"{MODEL}-floor", conditions=[condition]), *World().snapshot.deployments[1:])
    assert World().but(deployments=stuck).only().cause is Cause.ROLLOUT_STUCK
    world = World().but(deployments=stuck)
    assert world.with_floor(status=FAULTS["crash"].status(world.startup)).only().cause is Cause.CRASH_LOOP


@pytest.mark.parametrize(("healthy", "desired", "blocks"), [(2, 2, True), (1, 1, False), (0, 1, False)])
def test_a_budget_blocks_only_if_no_health_satisfies_it(healthy, desired, blocks):
    status = {"expectedPods": 2, "currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": 0}
    world = World().but(disruption_budgets=(of("PodDisruptionBudget", "theirs", SPACE, status=status),))
    assert [one.cause for one in world.findings()] == [Cause.DRAIN_BLOCKED] * blocks


def test_every_cause_is_explained_in_the_documents():
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert [cause for cause in Cause if f"`{cause}`" not in text] == []
