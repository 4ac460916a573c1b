"""The objects of the rate limit service: there with the first budget, closed to all but the gateway, and durable."""

from __future__ import annotations

from functools import cache

import kubernetes_validate

from components.gateway import rate_limits
from tests.program.pod_security import violations
from tests.program.test_manifests import KUBERNETES
from tests.stacks import stack
from tests.unit.wrong_gateways import CLIENT
from tools.preview import offline
from tools.preview.manifests import manifests

MIRROR = {"platform.imageMirror": "registry.acme.example/mirror"}


@cache
def objects(mirrored=False, **budget):
    recording = offline.run(stack(CLIENT | {"gateway.clients": {"team-a": budget}} | (MIRROR if mirrored else {})), "test")
    return [one for one in manifests(recording) if "rate-limits" in (one["metadata"].get("namespace"), one["metadata"]["name"])]


def found(kind, **budget):
    return {one["metadata"]["name"]: one["spec"] for one in objects(**(budget or {"monthlyTokens": 1000})) if one["kind"] == kind}


def pods():
    return {name: spec["template"] for name, spec in (found("Deployment") | found("StatefulSet")).items()}


def test_a_stack_without_budgets_has_none_of_it():
    assert objects(requestsPerMinute=60) == []
    assert [one["kind"] for one in objects(monthlyUsd=1)] == [one["kind"] for one in objects(tokensPerMinute=1)]


def test_every_manifest_is_strictly_valid_and_every_pod_restricted():
    for one in objects(monthlyTokens=1000):
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    assert {name: violations(pod["spec"]) for name, pod in pods().items()} == {"rate-limits": [], "redis": []}
    for pod in pods().values():
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert {"requests", "limits"} == container["resources"].keys()
        assert {"readinessProbe", "livenessProbe"} <= container.keys()


def test_only_the_gateway_reaches_the_service_and_only_that_redis():
    policies = found("NetworkPolicy")
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = {name: pod["metadata"]["labels"].items() for name, pod in pods().items()}
    for policy, target, source in (
        ("allow-gateway", "rate-limits", {"app.kubernetes.io/name": "gateway"}),
        ("allow-service", "redis", None),
    ):
        assert policies[policy]["podSelector"]["matchLabels"].items() <= labels[target]
        ((peer,),) = [rule["from"] for rule in policies[policy]["ingress"]]
        assert peer["podSelector"]["matchLabels"].items() <= (source.items() if source else labels["rate-limits"])
    (out,) = policies["allow-gateway"]["egress"]
    assert out["to"][0]["podSelector"]["matchLabels"].items() <= labels["redis"]


def test_the_gateway_reaches_the_service_and_nothing_else_in_its_namespace():
    recording = offline.run(stack(CLIENT | {"gateway.clients": {"team-a": {"monthlyTokens": 1000}}}), "test")
    allowed = [
        (peer["podSelector"]["matchLabels"], {port["port"] for port in rule["ports"]})
        for one in manifests(recording)
        if one["kind"] == "NetworkPolicy" and one["metadata"]["namespace"] == "gateway"
        for rule in one["spec"].get("egress", ())
        for peer in rule.get("to", ())
        if peer.get("namespaceSelector", {}).get("matchLabels") == {"kubernetes.io/metadata.name": "rate-limits"}
    ]
    ((labels, ports),) = allowed
    assert labels.items() <= pods()["rate-limits"]["metadata"]["labels"].items()
    assert labels
    (container,) = pods()["rate-limits"]["spec"]["containers"]
    assert ports <= {port["containerPort"] for port in container["ports"]}


def test_a_drained_node_takes_one_replica_of_the_service_at_a_time():
    (disruption,) = found("PodDisruptionBudget").values()
    assert disruption["maxUnavailable"] == 1
    assert disruption["selector"]["matchLabels"].items() <= pods()["rate-limits"]["metadata"]["labels"].items()
    assert found("Deployment")["rate-limits"]["replicas"] > 1


def test_redis_keeps_the_month_on_a_volume():
    spec = found("StatefulSet")["redis"]
    (claim,) = spec["volumeClaimTemplates"]
    (container,) = spec["template"]["spec"]["containers"]
    (mount,) = container["volumeMounts"]
    assert mount["name"] == claim["metadata"]["name"]
    assert container["args"][container["args"].index("--dir") + 1] == mount["mountPath"]
    assert container["args"][container["args"].index("--appendonly") + 1] == "yes"


def test_the_service_reads_its_limits_where_they_are_mounted():
    (container,) = pods()["rate-limits"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    (mount,) = container["volumeMounts"]
    assert f"{variables['RUNTIME_ROOT']}/{variables['RUNTIME_APPDIRECTORY']}" == mount["mountPath"]
    (limits,) = [one for one in objects(monthlyTokens=1000) if one["kind"] == "ConfigMap"]
    assert list(limits["data"]) == [rate_limits.LIMITS_FILE]
    assert found("Service").keys() >= {variables["REDIS_URL"].partition(".")[0], rate_limits.HOST.partition(".")[0]}


def test_its_images_come_from_the_mirror():
    images = {
        one["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")[0]
        for one in objects(mirrored=True, monthlyTokens=1000)
        if one["kind"] in ("Deployment", "StatefulSet")
    }
    assert images == {"registry.acme.example/mirror/envoyproxy/ratelimit", "registry.acme.example/mirror/library/redis"}
