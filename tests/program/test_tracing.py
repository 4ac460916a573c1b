"""What `platform.tracing` and `platform.logFormat` become: flags, variables and policies of every model, a cluster of the gateway's."""

import json

import pytest

from components.gateway.envoy import tracing
from config.platform import Tracing
from tests.program.test_model_settings import arguments, named, objects, pod

IN_CLUSTER = {"endpoint": "http://otel.tracing.svc:4318", "samplingPercent": 25}
OUTSIDE = "https://otlp.example.com"
# vllm/tracing/otel.py of 0.33.0: TLS over HTTP only, and the endpoint is used as it is given.
VARIABLES = {
    "OTEL_SERVICE_NAME": "qwen3-8b",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.25",
}


@pytest.fixture(scope="module")
def traced():
    return objects({"platform.tracing": IN_CLUSTER, "platform.monitoring.enabled": False})


def test_a_model_server_sends_its_spans_over_http(traced):
    container = pod(traced)["containers"][0]
    assert "--otlp-traces-endpoint=http://otel.tracing.svc:4318/v1/traces" in container["args"]
    assert {one["name"]: one.get("value") for one in container["env"]}.items() >= VARIABLES.items()
    assert not [one for one in container["args"] if "detailed" in one]


def test_without_the_setting_nothing_is_traced():
    found = objects({"platform.monitoring.enabled": False})
    container = pod(found)["containers"][0]
    assert not [one for one in [*container["args"], *map(str, container["env"])] if "otlp" in one.lower() or "OTEL" in one]
    assert not [one for one in found if one["metadata"]["name"] == "allow-traces"]


@pytest.mark.parametrize("namespace", ["gateway", "model-qwen3-8b"])
def test_policies_let_the_gateway_and_the_models_reach_the_collector(traced, namespace):
    [policy] = [one for one in traced if one["metadata"]["name"] == "allow-traces" and one["metadata"]["namespace"] == namespace]
    [rule] = policy["spec"]["egress"]
    assert rule == {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tracing"}}}]}


@pytest.mark.parametrize(
    ("changes", "block", "port"),
    [
        ({"endpoint": OUTSIDE}, "0.0.0.0/0", 443),
        ({"endpoint": "http://otel.acme.example:4318", "endpointRange": "10.2.0.0/16"}, "10.2.0.0/16", 4318),
    ],
)
def test_a_collector_outside_is_reached_on_its_port_alone(changes, block, port):
    found = objects({"platform.tracing": changes, "platform.monitoring.enabled": False})
    [rule] = named(found, "NetworkPolicy", "allow-traces")["spec"]["egress"]
    assert rule["ports"] == [{"port": port, "protocol": "TCP"}]
    assert rule["to"][0]["ipBlock"]["cidr"] == block


def test_a_collector_outside_is_checked_by_its_certificate():
    [cluster] = tracing.clusters(Tracing.model_validate({"endpoint": OUTSIDE}))
    context = cluster["transport_socket"]["typed_config"]
    assert context["sni"] == "otlp.example.com"
    validation = context["common_tls_context"]["validation_context"]
    assert validation["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": "otlp.example.com"}}]
    assert validation["trusted_ca"]["filename"]


def test_model_servers_log_lines_of_json_where_the_stack_says_so():
    assert json.loads(next(one for one in arguments({"platform.logFormat": "json"}) if "logging" in one).partition("=")[2]) == {
        "formatter": "json"
    }
    assert not [one for one in arguments({}) if "logging" in one]
