"""Sources of weights: what the pod needs for each, and egress to that source only."""

from __future__ import annotations

import pytest

from components.isolation import PRIVATE_RANGES
from tests.program.test_model_settings import MODEL, arguments, environment, named, objects, pod
from tests.unit.right_settings import KEYS
from tests.unit.wrong_models import EXISTING

ENDPOINT = "http://minio.minio.svc:9000"


def weights(**given):
    return EXISTING | KEYS | {f"{MODEL}.weights": {"uri": "s3://acme/qwen3-8b"} | given}


def way_out(found):
    return named(found, "NetworkPolicy", "allow-weights")["spec"]["egress"]


def test_weights_of_s3_are_streamed_with_the_key_of_a_secret():
    found = objects(weights(region="eu-central-1"))
    spec = pod(found)
    assert spec["initContainers"] == []
    assert {"weights"} & {one["name"] for one in spec["volumes"]} == set()
    server = spec["containers"][0]
    assert server["args"][0] == "s3://acme/qwen3-8b"
    assert "--load-format=runai_streamer" in arguments(weights(region="eu-central-1"))
    assert server["resources"]["requests"]["ephemeral-storage"] == "14Gi", "compile caches and /tmp alone"
    references = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in server["env"] if "valueFrom" in one}
    secret = named(found, "Secret", "bucket")
    assert {key: secret["stringData"][one["key"]] for key, one in references.items()}.keys() == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
    assert {one["name"] for one in references.values()} == {"bucket"}
    given = environment(server)
    assert (given["AWS_REGION"], given["AWS_DEFAULT_REGION"], given["AWS_EC2_METADATA_DISABLED"]) == (
        "eu-central-1",
        "eu-central-1",
        "true",
    )
    assert not given.keys() & {"AWS_ENDPOINT_URL", "HF_HUB_OFFLINE"}


def test_no_other_model_sees_the_key():
    found = objects(weights(region="eu-central-1") | {f"{MODEL}.weights": {}})
    assert not [one for one in found if one["metadata"]["name"] == "bucket"]


@pytest.mark.parametrize(("path_style", "virtual"), [(True, "0"), (False, "1")])
def test_another_server_is_told_to_the_streamer(path_style, virtual):
    given = environment(pod(objects(weights(endpoint=f"{ENDPOINT}/", pathStyle=path_style)))["containers"][0])
    assert given["AWS_ENDPOINT_URL"] == ENDPOINT
    assert given["RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING"] == virtual


@pytest.mark.parametrize(
    ("given", "to", "ports"),
    [
        ({"region": "eu-central-1"}, {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE_RANGES}}, [443]),
        ({"endpoint": "https://s3.acme.example:8443"}, {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE_RANGES}}, [8443]),
        ({"endpoint": "http://s3.acme.example", "endpointRange": "10.20.0.0/16"}, {"ipBlock": {"cidr": "10.20.0.0/16"}}, [80]),
        ({"endpoint": ENDPOINT}, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "minio"}}}, []),
    ],
)
def test_a_pod_reaches_the_bucket_and_nothing_else(given, to, ports):
    (rule,) = way_out(objects(weights(**given)))
    assert rule["to"] == [to]
    assert [one["port"] for one in rule.get("ports", [])] == ports


def test_weights_of_a_claim_are_mounted_read_only_and_nothing_is_downloaded():
    changes = EXISTING | {f"{MODEL}.weights": {"claim": "models", "path": "qwen3/8b"}}
    found = objects(changes)
    spec = pod(found)
    assert spec["initContainers"] == []
    server = spec["containers"][0]
    mount = next(one for one in server["volumeMounts"] if server["args"][0].startswith(one["mountPath"] + "/"))
    assert server["args"][0] == f"{mount['mountPath']}/qwen3/8b"
    assert mount["readOnly"] is True
    volume = next(one for one in spec["volumes"] if one["name"] == mount["name"])
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    assert not [one for one in found if one["kind"] == "PersistentVolumeClaim" and one["metadata"]["namespace"] == "model-qwen3-8b"]
    assert environment(server)["HF_HUB_OFFLINE"] == "1"
    assert server["resources"]["requests"]["ephemeral-storage"] == "14Gi", "compile caches and /tmp alone"
    policies = {
        one["metadata"]["name"] for one in found if one["kind"] == "NetworkPolicy" and one["metadata"]["namespace"] == "model-qwen3-8b"
    }
    assert policies == {"default-deny", "allow-dns", "allow-api"}
