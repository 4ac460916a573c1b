"""Every object that the program creates is valid for Kubernetes and consistent with the others."""

from __future__ import annotations

import math
from collections import Counter

import jsonschema
import kubernetes_validate
import pytest

from config.stack_config import load_stack_file
from planning.plan import make_plan
from tests import definitions
from tests.program.conftest import GENERATED, ROOT, STACKS
from tests.program.pod_security import violations
from tools.preview.manifests import manifests

KUBERNETES = "1.37"


def of_kind(recording, *kinds):
    return [one for one in manifests(recording) if one["kind"] in kinds]


def pods(recording):
    """(metadata of the Deployment, pod template) of every model server."""
    return [(one["metadata"], one["spec"]["template"]) for one in model_deployments(recording)]


def model_deployments(recording):
    return [one for one in of_kind(recording, "Deployment") if one["metadata"]["namespace"].startswith("model-")]


def server(template):
    return template["spec"]["containers"][0]


def flag(template, name):
    return next(argument.partition("=")[2] for argument in server(template)["args"] if argument.startswith(f"{name}="))


@pytest.mark.parametrize("known", [False, True], ids=["unknown outputs", "known outputs"])
@pytest.mark.parametrize("name", [*STACKS, "generated-1", "generated-50"])
def test_every_manifest_is_strictly_valid(program, name, known):
    checked = 0
    for manifest in manifests(program(name, known)):
        group = manifest["apiVersion"].partition("/")[0]
        if "." not in group or (group.endswith(".k8s.io") and group != "gateway.networking.k8s.io"):
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
            checked += 1
    assert checked > 5


def test_strict_validation_would_catch_a_misspelt_field(program):
    manifest = of_kind(program("dev"), "Deployment")[0]
    broken = manifest | {"spec": manifest["spec"] | {"replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", STACKS)
def test_custom_resources_match_their_definitions(program, name):
    schemas = {
        (definition["spec"]["group"], definition["spec"]["names"]["kind"], version["name"]): version["schema"]["openAPIV3Schema"]
        for definition in definitions.custom_resource_definitions()
        for version in definition["spec"]["versions"]
    }
    checked = Counter()
    for manifest in manifests(program(name)):
        group, _, version = manifest["apiVersion"].rpartition("/")
        if schema := schemas.get((group, manifest["kind"], version)):
            jsonschema.validate(manifest["spec"], definitions.structural(schema["properties"]["spec"]))
            checked[manifest["kind"]] += 1
    assert checked["PodMonitor"], "every stack has a monitored model"
    if name == "prod":
        assert checked.keys() == {
            "NetworkLogging",
            "PodMonitor",
            "ScaledObject",
            "PrometheusRule",
            "Gateway",
            "HTTPRoute",
            "HealthCheckPolicy",
            "GCPBackendPolicy",
        }


@pytest.mark.parametrize("name", [*STACKS, *GENERATED])
def test_no_two_objects_have_the_same_name_and_every_namespace_exists(program, name):
    keys = Counter((m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests(program(name)))
    assert [key for key, count in keys.items() if count > 1] == []
    namespaces = {m["metadata"]["name"] for m in of_kind(program(name), "Namespace")} | {"kube-system"}
    assert {namespace for _, namespace, _ in keys if namespace} <= namespaces


@pytest.mark.parametrize("name", [*STACKS, *GENERATED])
def test_resources_grow_by_the_same_number_with_every_model(program, name):
    recording = program(name)
    stacks = [one for one in recording.resources if one.type == "vllm-platform:serving:ModelStack"]
    children = Counter(one.parent for one in recording.resources)
    assert all(9 <= children[one.urn] <= 16 for one in stacks)
    assert len({one.urn for one in recording.resources}) == len(recording.resources), "Pulumi refuses two resources with one URN"


@pytest.mark.parametrize("name", STACKS)
def test_selectors_select_the_pods_of_their_model_only(program, name):
    templates = {(meta["namespace"], meta["name"]): template["metadata"]["labels"] for meta, template in pods(program(name))}
    of_models = [one for one in manifests(program(name)) if one["metadata"].get("namespace", "").startswith("model-")]
    for manifest in of_models:
        if manifest["kind"] not in ("Deployment", "Service", "PodDisruptionBudget", "PodMonitor"):
            continue
        selector = manifest["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        selected = [key for key, labels in templates.items() if wanted.items() <= labels.items()]
        assert selected, f"{manifest['kind']} {manifest['metadata']['name']} selects nothing"
        assert {namespace for namespace, _ in selected} == {manifest["metadata"]["namespace"]}
        if manifest["kind"] in ("Deployment", "PodDisruptionBudget"):
            assert len(selected) == 1, "floor and burst must not share pods"


@pytest.mark.parametrize("name", [*STACKS, "generated-50"])
def test_pods_meet_the_restricted_pod_security_level(program, name):
    for namespace in of_kind(program(name), "Namespace"):
        if namespace["metadata"]["name"].startswith("model-"):
            assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for _, template in pods(program(name)):
        assert violations(template["spec"]) == []
        for container in [*template["spec"]["containers"], *template["spec"]["initContainers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("name", [*STACKS, "generated-50"])
def test_a_replica_has_time_to_drain_and_to_start(program, name):
    for meta, template in pods(program(name)):
        spec, container = template["spec"], server(template)
        pre_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pre_stop > 0, "a draining vLLM fails new requests, so its endpoint must go first"
        assert pre_stop + int(flag(template, "--shutdown-timeout")) < spec["terminationGracePeriodSeconds"]
        probe = container["startupProbe"]
        budget = probe["periodSeconds"] * probe["failureThreshold"]
        environment = {one["name"]: one.get("value") for one in container["env"]}
        assert budget == int(environment["VLLM_ENGINE_READY_TIMEOUT_S"]) >= 600
        deployment = next(one for one in of_kind(program(name), "Deployment") if one["metadata"] == meta)
        assert deployment["spec"]["progressDeadlineSeconds"] > budget
        assert spec["enableServiceLinks"] is False
        assert spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_pods_tolerate_the_taints_of_their_nodes_and_select_their_labels(program, name):
    recording = program(name)
    pools = [one.inputs["nodeConfig"] for one in recording.resources if one.type == "gcp:container/nodePool:NodePool"]
    effects = {"NO_SCHEDULE": "NoSchedule"}
    for meta, template in pods(recording):
        spec = template["spec"]
        homes = [pool for pool in pools if spec["nodeSelector"].items() <= pool.get("labels", {}).items()]
        assert len(homes) == 1, f"{meta['name']} must find exactly one node pool"
        tolerated = {(t["key"], t["value"], t["effect"]) for t in spec["tolerations"]}
        tainted = {(t["key"], t["value"], effects[t["effect"]]) for t in homes[0]["taints"]}
        assert tainted == tolerated
        assert homes[0].get("spot", False) is meta["name"].endswith("-burst")
        gpus = int(server(template)["resources"]["limits"]["nvidia.com/gpu"])
        assert gpus <= homes[0]["guestAccelerators"][0]["count"]
        assert gpus == math.prod(int(flag(template, f"--{kind}-parallel-size")) for kind in ("tensor", "pipeline", "data"))


@pytest.mark.parametrize("name", STACKS)
def test_images_are_pinned_and_come_from_the_mirror_where_there_is_one(program, name):
    mirrored = "imageMirror" in (ROOT / f"Pulumi.{name}.yaml").read_text()
    for _, template in pods(program(name)):
        for container in [*template["spec"]["containers"], *template["spec"]["initContainers"]]:
            tag = container["image"].rpartition(":")[2]
            assert tag.startswith("v"), "a tag that names a version"
            assert container["image"].startswith("us-central1-docker.pkg.dev/" if mirrored else "docker.io/")


def test_the_floor_owns_its_replicas_and_the_burst_leaves_them_to_an_autoscaler(program):
    for one in model_deployments(program("prod")):
        burst = one["metadata"]["name"].endswith("-burst")
        assert ("replicas" in one["spec"]) is not burst
        assert ("pulumi.com/skipAwait" in one["metadata"].get("annotations", {})) is burst


def test_the_plan_decides_what_the_deployment_says(program):
    plan = make_plan(load_stack_file(ROOT / "Pulumi.prod.yaml"))
    for one in model_deployments(program("prod")):
        if not one["metadata"]["name"].endswith("-floor"):
            continue
        model = plan.models[one["metadata"]["name"].removesuffix("-floor")]
        template = one["spec"]["template"]
        assert one["spec"]["replicas"] == model.floor
        assert int(flag(template, "--max-model-len")) == model.memory.max_model_len
        assert one["spec"]["strategy"]["rollingUpdate"] == {
            "maxSurge": model.rollout.max_surge,
            "maxUnavailable": model.rollout.max_unavailable,
        }


def test_a_network_policy_denies_by_default_and_lets_dns_the_api_and_the_weights_through(program):
    policies = {
        m["metadata"]["name"]: m["spec"] for m in of_kind(program("dev"), "NetworkPolicy") if m["metadata"]["namespace"] == "model-qwen3-8b"
    }
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    dns = policies["allow-dns"]["egress"][0]
    assert {(port["protocol"], port["port"]) for port in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
    sources = {
        source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]: source.get("podSelector", {}).get("matchLabels")
        for source in policies["allow-api"]["ingress"][0]["from"]
    }
    assert sources == {"gateway": None, "monitoring": {"app.kubernetes.io/name": "prometheus"}}, "Grafana beside it needs a key"
    block = policies["allow-weights"]["egress"][0]["to"][0]["ipBlock"]
    assert block["cidr"] == "0.0.0.0/0"
    assert "10.0.0.0/8" in block["except"]


def test_runs_are_the_same_every_time(program):
    from tests.program.conftest import configuration
    from tools.preview import offline

    again = offline.run(configuration("prod"), "prod")
    assert manifests(again) == manifests(program("prod"))


def test_a_failed_container_leaves_its_last_lines_in_the_pods_status(program):
    for _, template in pods(program("prod")):
        for container in [*template["spec"]["containers"], *template["spec"]["initContainers"]]:
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_every_custom_kind_has_a_definition_for_the_tests(program):
    builtin = ("apps/v1", "autoscaling/v2", "networking.k8s.io/v1", "policy/v1", "scheduling.k8s.io/v1", "v1")
    for name in STACKS:
        custom = {one["kind"] for one in manifests(program(name)) if one["apiVersion"] not in builtin}
        assert custom <= definitions.kinds(), "tests/definitions.py"
