"""`make doctor` on a real API server: it finds each injected fault, and none in a healthy cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from components.naming import model_namespace
from config.cluster import ExistingCluster
from planning.plan import make_plan
from tests.cluster.conftest import any_cluster, needs_own_control_plane
from tests.cluster.control_plane import BY_HAND, KWOK_ANNOTATION
from tests.cluster.deployed import Deployed, deploy
from tests.cluster.kubelet import kubelet
from tests.cluster.simulated_nodes import GPU
from tests.cluster.simulated_platform import OPERAND, workload
from tests.faults import DONE, FAULTS, crashing, pod_status
from tests.program.conftest import ROOT, configuration
from tools.doctor.autoscaler import EXTERNAL_METRICS
from tools.doctor.diagnosis import diagnose
from tools.doctor.findings import Cause, Finding
from tools.doctor.reading import ClusterError, connect, read_snapshot
from tools.doctor.snapshot import Case

MODEL = "qwen3-8b"
SPACE = model_namespace(MODEL)
FLOOR = f"{MODEL}-floor"


@dataclass(frozen=True)
class Ward:
    """The development stack on its cluster, healthy before and after every test."""

    found: Deployed

    @property
    def cluster(self):
        return self.found.cluster

    def faults(self, hours: float = 0) -> list[Finding]:
        """What the doctor finds wrong, `hours` from now."""
        snapshot = read_snapshot(self.cluster.api)
        later = replace(snapshot, taken_at=snapshot.taken_at + timedelta(hours=hours))
        return [one for one in diagnose(Case(self.found.settings, self.found.plan, later)) if one.is_fault]

    def expect(self, *causes: Cause, hours: float = 0, models: int = 1) -> dict[Cause, Finding]:
        """Waits until exactly these faults are found; the first of them about `models` models (or other subjects)."""

        def seen():
            faults = {one.cause: one for one in self.faults(hours)}
            return faults if faults.keys() == set(causes) and len(faults[causes[0]].about) == models else None

        try:
            return self.cluster.wait_for(f"the doctor finds {causes}", seen, seconds=30)
        except TimeoutError as error:
            raise AssertionError(f"found instead: {self.faults(hours)}") from error

    def healthy(self) -> None:
        self.cluster.wait_for("healthy", lambda: self.found.floors_ready() and not self.faults(), seconds=40)

    def pod(self):
        return self.found.tier("floor", MODEL)[0]

    def report(self, status) -> dict:
        """Sets this status of the floor's pod, instead of a ready one."""
        pod = self.pod()["metadata"]
        self.cluster.patch("Pod", pod["name"], {"metadata": {"annotations": {BY_HAND: "true"}}}, SPACE)
        self.cluster.patch_status("Pod", pod["name"], status, SPACE)
        return pod

    def replace_pod(self) -> None:
        for pod in self.found.tier("floor", MODEL):
            self.cluster.delete("Pod", pod["metadata"]["name"], SPACE, grace_period_seconds=0)

    def patch_floor(self, change) -> None:
        self.cluster.patch("Deployment", FLOOR, change, SPACE, api="apps/v1")

    def apply_again(self) -> None:
        """Deletes and applies the Deployments again, which reverts manual changes."""
        for one in self.found.manifests:
            if one["metadata"].get("namespace") == SPACE and one["kind"] == "Deployment":
                self.cluster.delete("Deployment", one["metadata"]["name"], SPACE, api="apps/v1", propagation_policy="Foreground")
                self.cluster.wait_for("gone", lambda one=one: one["metadata"]["name"] not in self._deployments())
                self.cluster.apply(one)

    def _deployments(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.cluster.list("Deployment", SPACE, api="apps/v1")]


@pytest.fixture(scope="module")
def hospital() -> Iterator[Ward]:
    with any_cluster() as cluster:
        found = deploy(cluster, configuration("dev"), "dev")
        for group in found.groups.values():
            cluster.add_nodes(group.nodes())
        yield Ward(found)


@pytest.fixture
def ward(hospital) -> Ward:
    hospital.healthy()
    return hospital


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_kubelet_reports_is_recognised(ward, name):
    fault = FAULTS[name]
    ward.report(fault.status(ward.found.plan.models[MODEL].startup))
    finding = ward.expect(fault.cause)[fault.cause]
    assert re.search(fault.says, f"{finding.message}; {finding.advice}")
    ward.replace_pod()


def test_the_command_says_healthy_and_ends_with_0_or_names_the_fault_and_ends_with_1(ward):
    def doctor():
        command = [sys.executable, "-m", "tools.doctor", "dev", *(["--context", ward.cluster.context] if ward.cluster.context else [])]
        environment = os.environ | {"KUBECONFIG": str(ward.cluster.kubeconfig)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    done = doctor()
    assert (done.returncode, "healthy" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "spot-waiting" in done.stdout, "bursts without spot nodes are told, but are no fault"
    ward.report(pod_status(DONE, crashing(1, "torch.OutOfMemoryError: CUDA out of memory.")))
    done = doctor()
    assert (done.returncode, "cuda-out-of-memory: " in done.stdout) == (1, True), done.stdout + done.stderr
    ward.replace_pod()


@needs_own_control_plane
def test_a_failed_containers_log_is_read_through_the_api(ward, tmp_path):
    with kubelet(tmp_path, "torch.OutOfMemoryError: CUDA out of memory.\nRuntimeError: Engine core initialization failed.\n") as port:
        addresses = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
        ward.cluster.patch_status("Node", ward.pod()["spec"]["nodeName"], addresses)
        ward.report(pod_status(DONE, crashing(1, "RuntimeError: Engine core initialization failed.")))
        ward.expect(Cause.CUDA_OUT_OF_MEMORY)
    ward.replace_pod()


def test_a_floor_without_nodes_is_a_fault_once_a_node_should_have_come(ward):
    group = ward.found.node_group(MODEL, "on-demand")
    ward.cluster.delete_nodes(**{"cloud.google.com/gke-nodepool": group.name})
    for pod in ward.found.tier("floor"):
        ward.cluster.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=0)
    ward.expect(Cause.POOL_EMPTY, hours=1, models=2)
    assert ward.faults() == [], "a new node is on its way"
    ward.cluster.add_nodes(group.nodes())


@pytest.mark.parametrize(
    ("change", "says"),
    [({"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]}, "team=a:NoSchedule"), ({"unschedulable": True}, "cordoned")],
    ids=["taint", "cordon"],
)
def test_nodes_that_take_no_pods_are_named_with_the_reason(ward, change, says):
    names = [node["metadata"]["name"] for node in ward.cluster.list("Node", **{"vllm-platform/node-pool": "l4"})]
    for name in names:
        ward.cluster.patch("Node", name, {"spec": change})
    ward.replace_pod()
    assert says in ward.expect(Cause.TAINT_NOT_TOLERATED, hours=1)[Cause.TAINT_NOT_TOLERATED].message
    back = {"unschedulable": None, "taints": list(ward.found.node_group(MODEL, "on-demand").taints)}
    for name in names:
        ward.cluster.patch("Node", name, {"spec": back})


def test_a_pool_that_is_full_and_a_floor_that_was_changed_are_told_apart(ward):
    ward.patch_floor({"spec": {"replicas": 5}})
    found = ward.expect(Cause.NO_ROOM, Cause.REPLICAS_CHANGED, hours=1)
    assert GPU in found[Cause.NO_ROOM].message
    ward.patch_floor({"spec": {"replicas": ward.found.settings.models[MODEL].scaling.floor}})


def test_a_replica_that_is_too_large_for_its_nodes_is_told(ward):
    two = {"name": "vllm", "resources": {"limits": {GPU: "2"}, "requests": {GPU: "2"}}}
    ward.patch_floor({"spec": {"template": {"spec": {"containers": [two]}}, "strategy": {"rollingUpdate": {"maxSurge": 1}}}})
    assert f"2 {GPU} (nodes offer 1)" in ward.expect(Cause.NO_ROOM, hours=1)[Cause.NO_ROOM].message
    ward.apply_again()


def test_a_node_without_gpus_and_one_without_a_kubelet_are_told_apart(ward):
    bare, silent = ward.found.node_group(MODEL, "on-demand").nodes(2, first=7)
    del bare["status"]["allocatable"][GPU], bare["status"]["capacity"][GPU], silent["metadata"]["annotations"][KWOK_ANNOTATION]
    ward.cluster.add_nodes([bare, silent])
    found = ward.expect(Cause.GPU_NOT_ADVERTISED, Cause.NODE_NOT_READY, hours=1)
    assert found[Cause.GPU_NOT_ADVERTISED].subjects == (bare["metadata"]["name"],)
    assert found[Cause.NODE_NOT_READY].subjects == (silent["metadata"]["name"],)
    for node in (bare, silent):
        ward.cluster.delete("Node", node["metadata"]["name"])


def test_a_driver_that_does_not_install_is_told(ward):
    plugin = workload("DaemonSet", "nvidia-gpu-device-plugin", "kube-system")
    plugin["spec"]["template"]["metadata"]["annotations"] = {BY_HAND: "true"}
    ward.cluster.apply(plugin)
    find = lambda: ward.cluster.pods("kube-system", app="nvidia-gpu-device-plugin")  # noqa: E731
    pod = ward.cluster.wait_for("its pods", find)[0]["metadata"]
    ward.cluster.patch_status("Pod", pod["name"], pod_status(crashing(1, "failed to download the driver")), "kube-system")
    assert "CrashLoopBackOff" in ward.expect(Cause.DRIVER_NOT_READY, hours=1)[Cause.DRIVER_NOT_READY].message
    ward.cluster.delete("DaemonSet", "nvidia-gpu-device-plugin", "kube-system", api="apps/v1")
    ward.cluster.wait_for("its pods gone", lambda: not find())


@needs_own_control_plane
def test_an_external_metrics_api_of_somebody_else_is_told_also_before_the_stack_is_there(ward):
    service = {"name": "datadog-cluster-agent-metrics-api", "namespace": "datadog"}
    group = {"group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100}
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    spec = {**group, "service": service, "insecureSkipTLSVerify": True}
    ward.cluster.apply({**kind, "metadata": {"name": EXTERNAL_METRICS}, "spec": spec})
    finding = ward.expect(Cause.EXTERNAL_METRICS_TAKEN)[Cause.EXTERNAL_METRICS_TAKEN]
    assert "datadog/datadog-cluster-agent-metrics-api" in finding.message
    nothing = Case(ward.found.settings, ward.found.plan, replace(read_snapshot(ward.cluster.api), deployments=()))
    assert {one.cause for one in diagnose(nothing)} == {Cause.NOT_DEPLOYED, Cause.EXTERNAL_METRICS_TAKEN}
    ward.cluster.delete("APIService", EXTERNAL_METRICS, api="apiregistration.k8s.io/v1")


@needs_own_control_plane
def test_a_missing_quota_for_critical_pods_and_a_missing_operator_are_told(ward):
    quota = ward.cluster.get("ResourceQuota", "critical-pods", "gpu-operator")
    ward.cluster.delete("ResourceQuota", "critical-pods", "gpu-operator")
    for pod in ward.cluster.pods("gpu-operator", app=OPERAND):
        ward.cluster.delete("Pod", pod["metadata"]["name"], "gpu-operator", grace_period_seconds=0)
    ward.expect(Cause.QUOTA_EXCEEDED)
    ward.cluster.apply(next(one for one in ward.found.manifests if one["metadata"]["name"] == quota["metadata"]["name"]))
    operator = ward.cluster.get("Deployment", "gpu-operator", "gpu-operator", api="apps/v1")
    ward.cluster.delete("Deployment", "gpu-operator", "gpu-operator", api="apps/v1")
    ward.expect(Cause.OPERATOR_NOT_READY)
    ward.cluster.apply(workload("Deployment", operator["metadata"]["name"], "gpu-operator"))


def test_a_quota_that_refuses_pods_is_named(ward):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "theirs", "namespace": SPACE}}
    ward.cluster.apply({**quota, "spec": {"hard": {f"requests.{GPU}": "0"}}})
    ward.replace_pod()
    assert "ResourceQuota theirs" in ward.expect(Cause.QUOTA_EXCEEDED)[Cause.QUOTA_EXCEEDED].message
    ward.cluster.delete("ResourceQuota", "theirs", SPACE)
    ward.apply_again()


def test_pods_that_pod_security_refuses_are_told(ward):
    ward.patch_floor({"spec": {"template": {"spec": {"hostNetwork": True}}, "strategy": {"rollingUpdate": {"maxSurge": 1}}}})
    assert "host namespaces" in ward.expect(Cause.POD_SECURITY)[Cause.POD_SECURITY].message
    ward.apply_again()


def test_a_budget_that_blocks_drains_for_ever_is_told(ward):
    labels = ward.pod()["metadata"]["labels"]
    selector = {"matchLabels": {key: labels[key] for key in ("vllm-platform/model", "vllm-platform/tier")}}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "theirs", "namespace": SPACE}}
    ward.cluster.apply({**budget, "spec": {"minAvailable": 1, "selector": selector}})
    assert ward.expect(Cause.DRAIN_BLOCKED)[Cause.DRAIN_BLOCKED].subjects == ("theirs",)
    ward.cluster.delete("PodDisruptionBudget", "theirs", SPACE, api="policy/v1")


def test_a_rollout_without_progress_is_told_where_nothing_else_explains_it(ward):
    template = {"metadata": {"annotations": {BY_HAND: "true"}}}
    ward.patch_floor({"spec": {"progressDeadlineSeconds": 1, "template": template}})
    ward.expect(Cause.ROLLOUT_STUCK)
    ward.apply_again()


def test_a_deployment_that_was_deleted_is_missed(ward):
    ward.cluster.delete("Deployment", f"{MODEL}-burst", SPACE, api="apps/v1")
    assert f"{MODEL}-burst" in ward.expect(Cause.NOT_DEPLOYED)[Cause.NOT_DEPLOYED].message
    ward.apply_again()


def test_a_stack_that_is_not_in_the_cluster_is_one_finding(ward):
    renamed = {f"other-{name}": model for name, model in ward.found.settings.models.items()}
    settings = replace(ward.found.settings, models=renamed)
    other = Ward(replace(ward.found, settings=settings, plan=make_plan(settings)))
    assert "none of the stack's 2 models" in other.expect(Cause.NOT_DEPLOYED)[Cause.NOT_DEPLOYED].message


def test_a_cluster_that_cannot_be_read_is_told_with_the_way_in(ward, tmp_path):
    cluster = ExistingCluster(provider="existing", name="lab", kubeconfig=str(ward.cluster.kubeconfig))
    with pytest.raises(ClusterError, match="no context 'elsewhere'"):
        connect(cluster, "elsewhere")
    with pytest.raises(ClusterError, match=r"cluster\.kubeconfig"):
        connect(cluster.model_copy(update={"kubeconfig": str(tmp_path / "none")}), None)
    api, _ = connect(cluster, ward.cluster.context)
    api.set_default_header("Impersonate-User", "nobody")
    with pytest.raises(ClusterError, match=r"\(403\): .*cannot list"):
        read_snapshot(api)
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(re.sub(r"server: \S+", "server: https://127.0.0.1:1", ward.cluster.kubeconfig.read_text()))
    api, _ = connect(cluster.model_copy(update={"kubeconfig": str(nowhere)}), ward.cluster.context)
    with pytest.raises(ClusterError, match="does not answer"):
        read_snapshot(api)
