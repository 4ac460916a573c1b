"""GPUs that pods share or that are parted: in each shape of the GPU stack it is one side that divides them, and the other knows."""

from __future__ import annotations

import pytest
import yaml

from tests.program.cluster_effects import PARTS, SHARED
from tests.stacks import stack
from tools.preview import offline

DIVIDED = {
    "time sharing": SHARED | {"nodePools.l4.gpuSharing": {"strategy": "TIME_SHARING", "maxClientsPerGpu": 3}},
    "MPS": SHARED | {"nodePools.l4.gpuSharing": {"strategy": "MPS", "maxClientsPerGpu": 2}},
    "parts": PARTS,
    "whole": SHARED,
}
# By shape and kind: the GPU of a node as GKE is told, labels that tell the operator, and the device plugin's own configuration
# (NVIDIA k8s-device-plugin 0.17, "Shared Access to GPUs"; GKE, "GPU sharing" and "MIG").
LATEST, NONE = {"gpuDriverVersion": "LATEST"}, {"gpuDriverVersion": "INSTALLATION_DISABLED"}
OWN_PLUGIN = {"gke-no-default-nvidia-gpu-device-plugin": "true"}
EXPECTED = {
    ("gke-default", "time sharing"): (
        {"gpuDriverInstallationConfig": LATEST, "gpuSharingConfig": {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": 3}},
        {},
        None,
    ),
    ("gke-default", "MPS"): (
        {"gpuDriverInstallationConfig": LATEST, "gpuSharingConfig": {"gpuSharingStrategy": "MPS", "maxSharedClientsPerGpu": 2}},
        {},
        None,
    ),
    ("gke-default", "parts"): ({"gpuDriverInstallationConfig": LATEST, "gpuPartitionSize": "1g.10gb"}, {}, None),
    ("gke-default", "whole"): ({"gpuDriverInstallationConfig": LATEST}, {}, None),
    ("driver-installer", "time sharing"): (
        {"gpuDriverInstallationConfig": NONE},
        OWN_PLUGIN | {"nvidia.com/device-plugin.config": "l4"},
        {"l4": {"version": "v1", "sharing": {"timeSlicing": {"resources": [{"name": "nvidia.com/gpu", "replicas": 3}]}}}},
    ),
    ("driver-installer", "MPS"): (
        {"gpuDriverInstallationConfig": NONE},
        OWN_PLUGIN | {"nvidia.com/device-plugin.config": "l4"},
        {"l4": {"version": "v1", "sharing": {"mps": {"resources": [{"name": "nvidia.com/gpu", "replicas": 2}]}}}},
    ),
    ("driver-installer", "parts"): (
        {"gpuDriverInstallationConfig": NONE},
        OWN_PLUGIN | {"nvidia.com/mig.config": "all-1g.10gb"},
        None,
    ),
    ("driver-installer", "whole"): ({"gpuDriverInstallationConfig": NONE}, OWN_PLUGIN, None),
}


@pytest.mark.parametrize(("shape", "kind"), EXPECTED, ids=lambda one: one)
def test_one_side_divides_the_gpus_and_the_other_knows(shape, kind):
    resources = offline.run(stack(DIVIDED[kind] | {"cluster.gpuStack": shape}), "test", known=True).resources
    pools = [one.inputs["nodeConfig"] for one in resources if one.type == "gcp:container/nodePool:NodePool" and one.name != "system"]
    values = next(one.inputs["values"] for one in resources if one.type == "kubernetes:helm.sh/v3:Release" and one.name == "gpu-operator")
    accelerator, labels, plugin = EXPECTED[shape, kind]
    for pool in pools:
        (given,) = pool["guestAccelerators"]
        assert {key: value for key, value in given.items() if key not in ("type", "count")} == accelerator
        assert {key: value for key, value in pool["labels"].items() if not key.startswith("vllm-platform/")} == labels
    config = values["devicePlugin"].get("config")
    assert values["devicePlugin"]["enabled"] is (shape == "driver-installer")
    assert values["migManager"]["enabled"] is (shape == "driver-installer")
    assert (config and {name: yaml.safe_load(text) for name, text in config["data"].items()}) == plugin
    if config:
        assert (config["create"], bool(config["name"])) == (True, True)


def test_the_driver_is_installed_before_the_gpus_are_partitioned():
    """As in Google's daemonset-preloaded.yaml (GoogleCloudPlatform/container-engine-accelerators)."""
    resources = offline.run(stack({"cluster.gpuStack": "driver-installer"}), "test").resources
    (daemons,) = [one.inputs["spec"]["template"]["spec"] for one in resources if one.type == "kubernetes:apps/v1:DaemonSet"]
    installer, partitioner = daemons["initContainers"]
    assert installer["image"] == "cos-nvidia-installer:fixed"
    assert installer["imagePullPolicy"] == "Never"
    assert partitioner["name"] == "partition-gpus"
    mounted = {mount["name"] for one in (installer, partitioner) for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in daemons["volumes"]}
    assert all(one["securityContext"]["privileged"] for one in (installer, partitioner))
