"""Hardening that is a choice: what `cluster.security` makes of the cluster, of its nodes and of their permissions."""

from __future__ import annotations

import pytest

from tests.stacks import stack
from tests.unit.wrong_security import KEY
from tools.preview import offline


def recorded(changes):
    return offline.run(stack(changes), "test", known=True).resources


def inputs(resources, type_):
    return [one.inputs for one in resources if one.type == type_]


def cluster_of(resources):
    return inputs(resources, "gcp:container/cluster:Cluster")[0]


# name of the setting: (its value, input of the cluster, the input without the setting, and with it)
CLUSTER = {
    "secretsKmsKey": (KEY, "databaseEncryption", {"state": "DECRYPTED"}, {"state": "ENCRYPTED", "keyName": KEY}),
    "binaryAuthorization": (
        "PROJECT_SINGLETON_POLICY_ENFORCE",
        "binaryAuthorization",
        {"evaluationMode": "DISABLED"},
        {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"},
    ),
    "authenticatorGroup": (
        "gke-security-groups@acme.example",
        "authenticatorGroupsConfig",
        None,
        {"securityGroup": "gke-security-groups@acme.example"},
    ),
    "controlPlaneLogs": (
        ["APISERVER", "SCHEDULER"],
        "loggingConfig",
        {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
        {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "SCHEDULER"]},
    ),
}


@pytest.mark.parametrize(("setting", "value", "key", "without", "with_"), [(name, *row) for name, row in CLUSTER.items()], ids=CLUSTER)
def test_a_setting_reaches_the_cluster(setting, value, key, without, with_):
    assert cluster_of(recorded({})).get(key) == without
    assert cluster_of(recorded({f"cluster.security.{setting}": value})).get(key) == with_


def test_every_boot_disk_is_encrypted_with_the_stacks_own_key():
    resources = recorded({"cluster.security": {"diskKmsKey": KEY}})
    pools = inputs(resources, "gcp:container/nodePool:NodePool")
    assert len(pools) == 3, "the system pool, and l4 on demand and spot"
    assert {pool["nodeConfig"]["bootDiskKmsKey"] for pool in pools} == {KEY}
    assert cluster_of(resources)["nodeConfig"]["bootDiskKmsKey"] == KEY, "the nodes that GKE makes before there is a pool"


def test_googles_agents_may_use_the_keys_before_there_is_a_cluster():
    """cloud.google.com/kubernetes-engine/docs/how-to/encrypting-secrets and .../using-cmek name one agent each."""
    resources = recorded({"cluster.security": {"diskKmsKey": KEY, "secretsKmsKey": KEY}})
    grants = [one for one in resources if one.type == "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"]
    assert {one.inputs["member"] for one in grants} == {
        "serviceAccount:service-123456789012@container-engine-robot.iam.gserviceaccount.com",
        "serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com",
    }
    assert {(one.inputs["cryptoKeyId"], one.inputs["role"]) for one in grants} == {(KEY, "roles/cloudkms.cryptoKeyEncrypterDecrypter")}
    cluster = next(one for one in resources if one.type == "gcp:container/cluster:Cluster")
    assert {one.urn for one in grants} <= set(cluster.depends_on)


@pytest.mark.parametrize(("choice", "allowed"), [("NONE", None), ("DENIED", False), ("ALL", True)])
def test_connections_that_policies_decide_on_are_logged_where_wanted(choice, allowed):
    resources = recorded({"cluster.security": {"networkPolicyLogging": choice}})
    found = [one.inputs for one in resources if one.inputs.get("kind") == "NetworkLogging"]
    expected = [] if allowed is None else [{"allow": {"log": allowed, "delegate": False}, "deny": {"log": True, "delegate": False}}]
    assert [one["spec"]["cluster"] for one in found] == expected
    assert all(one["metadata"]["name"] == "default" for one in found), "GKE knows no other"


def test_the_secret_manager_add_on_is_off_because_no_pod_mounts_from_it():
    resources = recorded({"secrets": {"source": "secret-manager", "huggingFaceToken": "hugging-face-token"}})
    assert "secretManagerConfig" not in cluster_of(resources)
