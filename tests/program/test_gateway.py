"""The gateway as Kubernetes objects: reachable by whom it should be, replaced only when it must be, and its keys secret."""

from __future__ import annotations

import json

import pulumi
import pytest

from components.gateway.envoy import api_keys
from components.gateway.pod import files
from planning.plan import make_plan
from tests.stacks import settings, stack
from tests.unit.wrong_gateways import BALANCER, CLIENT, GOOGLE, INGRESS, KEY
from tools.preview import offline
from tools.preview.manifests import manifests

NAMESPACE = "gateway"
TLS = {"gateway.tls": {"secretName": "llm-tls"}}


def gateway(changes=None):
    """The gateway's objects of a changed stack, by kind and name."""
    recording = offline.run(stack(changes), "test")
    return {(one["kind"], one["metadata"]["name"]): one for one in manifests(recording) if one["metadata"].get("namespace") == NAMESPACE}


def envoy(objects):
    return objects["Deployment", NAMESPACE]["spec"]["template"]


def policy(objects, name):
    return objects["NetworkPolicy", name]["spec"]


def test_routes_and_keys_change_without_a_new_pod_and_listeners_do_not():
    before = gateway(CLIENT)
    other_routes = gateway(CLIENT | {"models.qwen3-8b.servedNames": ["qwen"], "gateway.clients": {"team-a": {"requestsPerMinute": 5}}})
    assert before["Secret", "gateway-models"] != other_routes["Secret", "gateway-models"]
    assert before["Secret", "gateway-clients"] != other_routes["Secret", "gateway-clients"]
    assert envoy(before) == envoy(other_routes)
    other_listener = gateway(CLIENT | {"gateway.timeouts.idleSeconds": 8})
    assert envoy(before)["metadata"]["annotations"] != envoy(other_listener)["metadata"]["annotations"]


@pytest.mark.parametrize("changes", [{}, CLIENT], ids=["without authentication", "with keys"])
def test_the_volume_holds_every_file_that_the_bootstrap_names(changes):
    objects = gateway(changes)
    sources = envoy(objects)["spec"]["volumes"][0]["projected"]["sources"]
    held = {file for source in sources for file in objects["Secret", source["secret"]["name"]]["stringData"]}
    plan = make_plan(settings(changes)).gateway
    assert plan is not None
    assert held == set(files(plan))
    bootstrap = objects["Secret", "gateway-bootstrap"]["stringData"]["bootstrap.json"]
    mounted = envoy(objects)["spec"]["containers"][0]["volumeMounts"][0]["mountPath"]
    assert {f"{mounted}/{file}" for file in held - {"bootstrap.json"}} <= set(bootstrap.split('"'))
    assert (f"{mounted}/{api_keys.FILE}" in bootstrap) is bool(changes)


def test_keys_are_secret_and_nowhere_but_in_their_secret():
    recording = offline.run(stack(CLIENT), "test", known=True)
    key = offline.placeholder("team-a")
    holding = [one for one in recording.resources if key in json.dumps(one.inputs)]
    assert [one.name for one in holding] == ["gateway-api-keys"]
    assert any(path.startswith("stringData") for path in holding[0].secrets)
    assert key not in json.dumps(recording.outputs)


@pytest.mark.parametrize("keys", ["short", {"team-a": "0123456789abcdef", "team-b": "0123456789abcdef"}], ids=["short", "shared"])
def test_bad_keys_fail_the_preview_without_being_shown(keys, monkeypatch):
    keys = {"team-a": keys} if isinstance(keys, str) else keys
    changes = CLIENT | {"secrets.clientKeys": dict.fromkeys(keys, KEY), "gateway.clients": {name: {} for name in keys}}
    monkeypatch.setattr(offline, "placeholder", keys.get)
    with pytest.raises(pulumi.RunError, match=r"secrets\.clientKeys\.team-") as caught:
        offline.run(stack(changes), "test")
    assert not any(key in str(caught.value) for key in keys.values())


def test_only_the_gateway_reaches_model_servers_and_it_reaches_nothing_else():
    objects = gateway()
    assert policy(objects, "default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (out,) = policy(objects, "allow-models")["egress"]
    assert out["ports"] == [{"port": 8000, "protocol": "TCP"}]
    assert out["to"][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "vllm"}}
    assert "namespaceSelector" in out["to"][0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["vllm-platform/client"]),
        ({"gateway.clientNamespaces": ["chat"]}, ["chat"]),
        (BALANCER | TLS, ["10.0.0.0/8", "192.168.0.0/16"]),
        (BALANCER | TLS | {"gateway.loadBalancer": {"scope": "external", "sourceRanges": ["203.0.113.0/24"]}}, ["203.0.113.0/24"]),
        (GOOGLE, ["130.211.0.0/22", "35.191.0.0/16"]),
        (INGRESS | {"gateway.ingress": {"className": "nginx", "tlsSecretName": "llm", "namespace": "edge"}}, ["edge"]),
    ],
)
def test_clients_get_in_and_nobody_else(changes, expected):
    (rule,) = policy(gateway(changes), "allow-clients")["ingress"]
    assert rule["ports"] == [{"port": 8080, "protocol": "TCP"}]
    said = json.dumps(rule["from"])
    assert all(one in said for one in expected)
    assert '"namespaceSelector": {}' not in said
    assert ("0.0.0.0/0" in said) is False


def test_a_load_balancer_is_internal_unless_it_says_otherwise():
    service = gateway(BALANCER | TLS)["Service", NAMESPACE]
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["ports"][0]["port"] == 443
    assert service["metadata"]["annotations"] == {"networking.gke.io/load-balancer-type": "Internal"}
    open_to = {"gateway.loadBalancer": {"scope": "external", "sourceRanges": ["203.0.113.0/24"]}}
    service = gateway(BALANCER | TLS | open_to)["Service", NAMESPACE]
    assert "networking.gke.io/load-balancer-type" not in service["metadata"]["annotations"]
    assert service["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24"]


def test_a_load_balancers_address_is_an_output():
    outputs = offline.run(stack(BALANCER | TLS), "test", known=True).outputs
    assert outputs["gateway"] == {"url": "https://gateway.gateway.svc.cluster.local/v1", "publicUrl": "https://192.0.2.1/v1"}


def test_googles_gateway_waits_as_long_as_a_stream_may_last_and_asks_envoy_for_its_health():
    google = {"certificateMap": "map", "securityPolicy": "edge", "iap": {}}
    objects = gateway(GOOGLE | {"gateway.gkeGateway": google, "gateway.timeouts": {"requestSeconds": 1800}})
    backend = objects["GCPBackendPolicy", NAMESPACE]["spec"]["default"]
    assert backend["timeoutSec"] == 1800
    assert backend["securityPolicy"] == "edge"
    assert backend["iap"] == {"enabled": True}
    check = objects["HealthCheckPolicy", NAMESPACE]["spec"]["default"]["config"]["httpHealthCheck"]
    ports = {port["name"]: port["containerPort"] for port in envoy(objects)["spec"]["containers"][0]["ports"]}
    assert check["port"] == ports["operations"]
    (rule,) = policy(objects, "allow-operations")["ingress"]
    assert "35.191.0.0/16" in json.dumps(rule["from"])
    edge = objects["Gateway", NAMESPACE]
    assert edge["metadata"]["annotations"] == {"networking.gke.io/certmap": "map"}
    assert edge["spec"]["listeners"][0]["protocol"] == "HTTPS"
    assert objects["HTTPRoute", NAMESPACE]["spec"]["hostnames"] == ["llm.example.com"]


def test_an_ingress_passes_only_the_api():
    ingress = gateway(INGRESS)["Ingress", NAMESPACE]["spec"]
    assert ingress["rules"][0]["http"]["paths"][0]["path"] == "/v1"
    assert ingress["tls"] == [{"hosts": ["llm.example.com"], "secretName": "llm"}]


def test_a_leaving_pod_has_time_for_its_streams():
    spec = envoy(gateway({"gateway.drainSeconds": 120}))["spec"]
    assert spec["terminationGracePeriodSeconds"] > 120
    command = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert command[0] == "bash"
    assert command[-1] == "120"


def test_replicas_belong_to_the_autoscaler():
    objects = gateway({"gateway.replicas": {"min": 2, "max": 5}})
    scaler = objects["HorizontalPodAutoscaler", NAMESPACE]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 5)
    assert "replicas" not in objects["Deployment", NAMESPACE]["spec"]
    assert objects["PodDisruptionBudget", NAMESPACE]["spec"]["maxUnavailable"] == 1


def test_a_model_server_refuses_before_its_queue_grows_and_counts_every_stream():
    recording = offline.run(stack(), "test")
    server = next(one for one in manifests(recording) if one["metadata"]["name"] == "qwen3-8b-floor" and one["kind"] == "Deployment")
    arguments = server["spec"]["template"]["spec"]["containers"][0]["args"]
    most = make_plan(settings()).models["qwen3-8b"].capacity.most_in_flight
    assert f"--max-num-queued-reqs={most}" in arguments
    assert "--enable-force-include-usage" in arguments
    quiet = offline.run(stack({"gateway": {"authentication": "none", "countStreamedTokens": False}}), "test")
    assert "--enable-force-include-usage" not in json.dumps(manifests(quiet))


def test_more_models_than_a_secret_can_hold_are_refused(monkeypatch):
    monkeypatch.setattr("components.gateway.gateway.SECRET_BYTES", 1000)
    with pytest.raises(pulumi.RunError, match=r"models: 1 models make a configuration of \d+ bytes for the gateway"):
        offline.run(stack(), "test")


def test_a_stack_without_a_gateway_has_nothing_of_it():
    assert gateway({"gateway": None}) == {}
