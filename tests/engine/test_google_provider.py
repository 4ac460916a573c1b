"""The stand-in for the Google provider is strict: what passes here would pass the real one's checks. Needs no engine."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from tests.engine import google_schema
from tests.engine.google import Google
from tests.engine.google_provider import StandIn, _plain, _struct

NETWORK = "urn:pulumi:dev::vllm-platform::gcp:compute/network:Network::vpc"
POOL = "urn:pulumi:dev::vllm-platform::gcp:container/nodePool:NodePool::l4"
CLUSTER = "urn:pulumi:dev::vllm-platform::gcp:container/cluster:Cluster::llm"


@pytest.fixture
def provider(tmp_path) -> StandIn:
    (tmp_path / "endpoint").write_text("127.0.0.1:443")
    return StandIn(Google(tmp_path))


def check(provider: StandIn, urn: str, inputs: dict[str, Any], old: dict[str, Any] | None = None) -> Any:
    return provider.Check(provider_pb2.CheckRequest(urn=urn, news=_struct(inputs), olds=_struct(old or {})), None)


@pytest.mark.parametrize(
    ("urn", "inputs", "property_", "reason"),
    [
        (POOL, {}, "cluster", "missing required"),
        (POOL, {"cluster": "c", "nodeConfg": {}}, "nodeConfg", "unknown"),
        (POOL, {"cluster": "c", "nodeConfig": {"machineTypes": "e2"}}, "nodeConfig.machineTypes", "unknown"),
        (POOL, {"cluster": "c", "nodeConfig": {"guestAccelerators": [{"count": 1}]}}, "nodeConfig.guestAccelerators[0].type", "missing"),
        (POOL, {"cluster": "c", "nodeConfig": {"spot": "yes"}}, "nodeConfig.spot", "expected bool"),
        (POOL, {"cluster": "c", "nodeLocations": "us-central1-a"}, "nodeLocations", "expected a list"),
    ],
)
def test_what_the_sdk_does_not_know_is_refused(provider, urn, inputs, property_, reason):
    failures = check(provider, urn, inputs).failures
    assert len(failures) == 1
    assert failures[0].property == property_
    assert reason in failures[0].reason


def test_unknown_types_and_functions_are_refused():
    with pytest.raises(google_schema.UnknownTokenError, match="no resource type gcp:compute/network:Net"):
        google_schema.problems("gcp:compute/network:Net", {})
    with pytest.raises(google_schema.UnknownTokenError, match="no function"):
        google_schema.function_problems("gcp:organizations/getProjekt:getProjekt", {})
    assert google_schema.function_problems("gcp:organizations/getProject:getProject", {"project": "acme"})


def test_unknown_values_pass_until_they_are_known(provider):
    assert not check(provider, POOL, {"cluster": rpc.UNKNOWN, "nodeConfig": {"serviceAccount": rpc.UNKNOWN}}).failures


def test_names_are_made_up_once(provider):
    first = _plain(check(provider, NETWORK, {}).inputs)
    assert first["name"].startswith("vpc-")
    assert _plain(check(provider, NETWORK, {}, old=first).inputs) == first


def test_ids_and_computed_outputs_exist_only_after_the_create(provider):
    inputs = _struct({"name": "vpc"})
    foreseen = provider.Create(provider_pb2.CreateRequest(urn=NETWORK, properties=inputs, preview=True), None)
    assert foreseen.id == ""
    assert _plain(foreseen.properties)["selfLink"] == rpc.UNKNOWN
    assert not provider._google.existing()
    created = provider.Create(provider_pb2.CreateRequest(urn=NETWORK, properties=inputs), None)
    assert provider._google.existing() == [created.id]
    provider.Delete(provider_pb2.DeleteRequest(urn=NETWORK, id=created.id), None)
    assert not provider._google.existing()


def test_a_clusters_address_is_unknown_in_a_preview(provider):
    endpoints = {"dnsEndpointConfig": {"allowExternalTraffic": True}}
    request = provider_pb2.CreateRequest(urn=CLUSTER, properties=_struct({"controlPlaneEndpointsConfig": endpoints}), preview=True)
    foreseen = _plain(provider.Create(request, None).properties)
    assert foreseen["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"] == rpc.UNKNOWN


NODE = {"spot": False, "serviceAccount": "nodes@acme", "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"}}
GPU = {"type": "nvidia-l4", "count": 1}
AFFINITY = {"consumeReservationType": "SPECIFIC_RESERVATION", "key": "compute.googleapis.com/reservation-name", "values": ["h100"]}


@pytest.mark.parametrize(
    ("changes", "replaces"),
    [
        ({"nodeConfig": NODE | {"spot": True}}, ["nodeConfig"]),
        ({"nodeConfig": NODE | {"machineType": "e2"}}, []),
        ({"nodeConfig": NODE | {"labels": {"a": "b"}}}, []),
        ({"nodeConfig": NODE | {"reservationAffinity": AFFINITY}}, ["nodeConfig"]),
        ({"nodeConfig": NODE | {"shieldedInstanceConfig": {"enableSecureBoot": True}}}, ["nodeConfig"]),
        ({"nodeConfig": NODE | {"serviceAccount": "others@acme"}}, ["nodeConfig"]),
        ({"nodeConfig": NODE | {"oauthScopes": ["cloud-platform"]}}, ["nodeConfig"]),
        ({"nodeConfig": NODE | {"metadata": {"a": "b"}}}, ["nodeConfig"]),
        ({"nodeConfig": NODE | {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 1}}}, ["nodeConfig"]),
        ({"nodeConfig": NODE | {"guestAccelerators": [GPU]}}, ["nodeConfig"]),
        ({"initialNodeCount": 2}, ["initialNodeCount"]),
        ({"autoscaling": {"totalMaxNodeCount": 4}}, []),
        ({"cluster": "d"}, ["cluster"]),
    ],
)
def test_only_what_google_cannot_change_replaces(provider, changes, replaces):
    assert replaced(provider, POOL, {"cluster": "c", "nodeConfig": NODE}, changes) == replaces


def test_of_a_list_every_item_counts(provider):
    old = {"cluster": "c", "nodeConfig": {"guestAccelerators": [GPU, GPU]}}
    assert replaced(provider, POOL, old, {"nodeConfig": {"guestAccelerators": [GPU, GPU | {"count": 2}]}}) == ["nodeConfig"]


def test_a_mirrors_upstream_replaces_its_repository_and_its_labels_do_not(provider):
    urn = "urn:pulumi:dev::vllm-platform::gcp:artifactregistry/repository:Repository::llm-quay-io"
    old = {"format": "DOCKER", "remoteRepositoryConfig": {"dockerRepository": {"customRepository": {"uri": "https://quay.io"}}}}
    assert replaced(provider, urn, old, {"remoteRepositoryConfig": {"commonRepository": {"uri": "https://quay.io"}}}) == [
        "remoteRepositoryConfig"
    ]
    assert replaced(provider, urn, old, {"labels": {"a": "b"}}) == []


def replaced(provider: StandIn, urn: str, old: dict[str, Any], changes: dict[str, Any]) -> list[str]:
    request = provider_pb2.DiffRequest(urn=urn, old_inputs=_struct(old), news=_struct(old | changes))
    return list(provider.Diff(request, None).replaces)


def test_an_import_reads_what_exists_by_its_id(provider):
    created = provider.Create(provider_pb2.CreateRequest(urn=NETWORK, properties=_struct({"name": "vpc"})), None)
    found = provider.Read(provider_pb2.ReadRequest(urn=NETWORK, id=created.id), None)
    assert _plain(found.inputs)["name"] == "vpc"
    assert not provider.Read(provider_pb2.ReadRequest(urn=NETWORK, id="projects/acme/another"), None).id
