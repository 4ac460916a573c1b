"""Where pods may go: model servers only to where their weights are, monitoring and the GPU Operator only to what they need."""

from __future__ import annotations

from functools import cache

import pytest

from tests.stacks import stack
from tools.preview import offline

BUCKET = {"models.qwen3-8b.weights": {"uri": "gs://acme-weights/qwen3-8b"}}


@cache
def recorded(streamed):
    return offline.run(stack(BUCKET if streamed else {}), "test", known=True)


def of_type(recording, type_):
    return [one.inputs for one in recording.resources if one.type == type_]


def policies(recording, namespace):
    found = of_type(recording, "kubernetes:networking.k8s.io/v1:NetworkPolicy")
    return {one["metadata"]["name"]: one["spec"] for one in found if one["metadata"]["namespace"] == namespace}


def test_a_model_that_streams_from_googles_buckets_reaches_nothing_else_of_the_internet():
    """cloud.google.com/vpc/docs/configure-private-google-access: private.googleapis.com; beside it GKE's metadata server."""
    rules = policies(recorded(True), "model-qwen3-8b")["allow-weights"]["egress"]
    reached = {(peer["ipBlock"]["cidr"], port["port"]) for rule in rules for peer in rule["to"] for port in rule["ports"]}
    assert ("199.36.153.8/30", 443) in reached
    assert {cidr for cidr, _ in reached} - {"199.36.153.8/30"} == {"169.254.169.254/32", "169.254.169.252/32", "127.0.0.1/32"}


def test_its_network_resolves_googles_names_to_those_addresses():
    records = {one["name"]: (one["type"], one["rrdatas"]) for one in of_type(recorded(True), "gcp:dns/recordSet:RecordSet")}
    assert records == {
        "private.googleapis.com.": ("A", ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]),
        "*.googleapis.com.": ("CNAME", ["private.googleapis.com."]),
    }
    (zone,) = of_type(recorded(True), "gcp:dns/managedZone:ManagedZone")
    assert (zone["dnsName"], zone["visibility"]) == ("googleapis.com.", "private")
    assert zone["privateVisibilityConfig"]["networks"], "a zone that no network sees changes nothing"


def test_a_model_that_downloads_still_reaches_hugging_face_and_needs_no_zone():
    (rule,) = policies(recorded(False), "model-qwen3-8b")["allow-weights"]["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == ["0.0.0.0/0"]
    assert of_type(recorded(False), "gcp:dns/managedZone:ManagedZone") == []


@pytest.mark.parametrize("namespace", ["monitoring", "gpu-operator"])
def test_a_chart_is_installed_into_a_namespace_that_is_closed_already(namespace):
    assert "default-deny" in policies(recorded(False), namespace)
    resources = recorded(False).resources
    release = next(one for one in resources if one.type == "kubernetes:helm.sh/v3:Release" and one.inputs["namespace"] == namespace)
    closed = {
        one.urn
        for one in resources
        if one.type == "kubernetes:networking.k8s.io/v1:NetworkPolicy" and one.inputs["metadata"]["namespace"] == namespace
    }
    assert closed <= set(release.depends_on)


def test_the_stack_tells_how_to_reach_grafana():
    assert recorded(False).outputs["grafana"]["url"] == "http://localhost:3000"
    assert recorded(False).outputs["grafana"]["user"] == "admin"
