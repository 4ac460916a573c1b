"""What `make doctor` says of a cluster, from a snapshot of it alone."""

from __future__ import annotations

import re

import pytest

from tests.faults import DONE, FAULTS, ago, crashing, ended, pod_status, running, waiting
from tests.program.conftest import ROOT
from tests.unit.snapshots import MODEL, SPACE, World, deployment, event, node, of, pod, serving, unschedulable
from tools.doctor.findings import RUNBOOKS, Cause, fault
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
    assert "qwen3-8b-burst" in World().but(deployments=World().without("qwen3-8b-burst")).only().message


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


def test_a_fault_that_an_alert_fires_for_names_the_page_of_it():
    for alert in RUNBOOKS.values():
        assert (ROOT / "docs" / "runbooks" / f"{alert}.md").exists()
    found = fault("qwen3-8b", Cause.CRASH_LOOP, "it ends again and again", "read its log")
    assert found.runbook == "docs/runbooks/PodCrashLooping.md"
    assert fault("qwen3-8b", Cause.POD_SECURITY, "refused", "change it").runbook is None
