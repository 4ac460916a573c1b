"""Pods that the API server refuses are refused earlier: by the plan, or by the check of the program tests."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
from kubernetes.client import VersionApi
from kubernetes.dynamic.exceptions import ForbiddenError
from kubernetes.utils.quantity import parse_quantity

from config.errors import StackError
from config.rules import OPERANDS_PER_NODE, OPERATOR_PODS
from planning.plan import make_plan
from tests.cluster import binaries
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import any_cluster, needs_own_control_plane
from tests.cluster.deployed import deploy
from tests.program.pod_security import violations
from tests.stacks import settings, stack

MODEL = "qwen3-8b"
pytestmark = needs_own_control_plane


@pytest.fixture(scope="module")
def deployed() -> Iterator[tuple[Cluster, dict]]:
    """A cluster with the small stack on no nodes, budgets of its clients, too, and the pod template of its floor."""
    with any_cluster() as cluster:
        found = deploy(cluster, stack({"gateway.clients": {"anonymous": {"monthlyTokens": 1000}}}))
        floor = next(one for one in found.manifests if one["metadata"]["name"] == f"{MODEL}-floor" and one["kind"] == "Deployment")
        yield cluster, floor


def test_the_control_plane_says_the_version_that_it_is_built_from(deployed):
    cluster, _ = deployed
    wanted = binaries.kubernetes_version()
    assert wanted
    assert VersionApi(cluster.api).get_code().git_version == wanted


def test_the_rate_limit_service_and_its_redis_are_admitted(deployed):
    cluster, _ = deployed
    cluster.wait_for("pods of the rate limit service", lambda: len(cluster.pods("rate-limits")) == 3)


def refusal(cluster: Cluster, name: str, namespace: str, spec: dict) -> str:
    """The API server's refusal of a pod; empty if it admits the pod."""
    try:
        cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    except ForbiddenError as error:
        return str(error.body)
    return ""


def pod(**changes):
    return lambda spec: spec.update(changes)


def pod_context(**changes):
    return lambda spec: spec["securityContext"].update(changes)


def container(**changes):
    return lambda spec: spec["containers"][0].update(changes)


def context(kind="containers", **changes):
    return lambda spec: spec[kind][0]["securityContext"].update(changes)


HOST_PATH = [{"name": name, "hostPath": {"path": "/"}} for name in ("home", "tmp", "shm", "weights")]
CHANGES = {
    "none": lambda spec: None,
    "hostNetwork": pod(hostNetwork=True),
    "hostPID": pod(hostPID=True),
    "hostIPC": pod(hostIPC=True),
    "hostPath": pod(volumes=HOST_PATH),
    "hostPort": container(ports=[{"containerPort": 8000, "hostPort": 8000}]),
    "runAsNonRoot": pod_context(runAsNonRoot=None),
    "root": pod_context(runAsUser=0),
    "root in a container": context(runAsUser=0),
    "seccomp": pod_context(seccompProfile=None),
    "seccomp unconfined": pod_context(seccompProfile={"type": "Unconfined"}),
    "a safe sysctl": pod_context(sysctls=[{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
    "an unsafe sysctl": pod_context(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "privilege escalation": context(allowPrivilegeEscalation=None),
    "privileged": context(privileged=True, allowPrivilegeEscalation=None),
    "capabilities kept": context(capabilities=None),
    "capability added": context(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    "capability that is allowed": context(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "an init container": context("initContainers", capabilities=None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_program_tests_judge_pods_as_pod_security_does(deployed, change):
    cluster, floor = deployed
    spec, namespace = copy.deepcopy(floor["spec"]["template"]["spec"]), floor["metadata"]["namespace"]
    CHANGES[change](spec)
    said = refusal(cluster, "candidate", namespace, spec)
    cluster.delete("Pod", "candidate", namespace, grace_period_seconds=0)
    assert ("violates PodSecurity" in said) is bool(said)
    assert bool(said) is bool(violations(spec)), said or violations(spec)


def test_critical_pods_beyond_the_quota_are_refused_and_the_plan_had_said_so(deployed):
    """The API server counts pods, the plan the pools' maximum nodes: 12 in this stack."""
    cluster, _ = deployed
    quota = cluster.get("ResourceQuota", "critical-pods", "gpu-operator")
    assert parse_quantity(quota["spec"]["hard"]["pods"]) >= 12 * OPERANDS_PER_NODE + OPERATOR_PODS
    with pytest.raises(StackError, match=r"platform\.gpuOperator\.podQuota: .*raise it to 100"):
        make_plan(settings({"platform.gpuOperator": {"podQuota": 99}}))
    cluster.patch("ResourceQuota", "critical-pods", {"spec": {"hard": {"pods": "1"}}}, "gpu-operator")
    critical = {"priorityClassName": "system-node-critical", "containers": [{"name": "operand", "image": "example.invalid/operand"}]}
    cluster.wait_for("the quota is counted", lambda: _counted(cluster) == "1")
    assert [bool(refusal(cluster, f"operand-{index}", "gpu-operator", critical)) for index in range(2)] == [False, True]


def _counted(cluster: Cluster) -> str:
    return cluster.get("ResourceQuota", "critical-pods", "gpu-operator").get("status", {}).get("hard", {}).get("pods", "")
