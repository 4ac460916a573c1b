"""The CIS Google Kubernetes Engine Benchmark (v1.4.0, by its points' numbers) over what the program asks Google for.

Each row: the resources, one of their properties, and the value that the point asks for. What is a choice of the stack is elsewhere.
"""

from __future__ import annotations

import pytest

from tests.stacks import stack
from tests.unit.right_platforms import SMALL
from tools.preview import offline

CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
SUBNET, NAT, ROLE = "gcp:compute/subnetwork:Subnetwork", "gcp:compute/routerNat:RouterNat", "gcp:projects/iAMMember:IAMMember"
NODES = "llm-nodes@offline.iam.gserviceaccount.com"
METADATA = {"disable-legacy-endpoints": "true"}

# point of the benchmark, and what it asks for: (type of the resources, property, value in every one of them)
CONTROLS = {
    "4.2.1 namespaces of the models are restricted (enforce)": (
        "kubernetes:core/v1:Namespace[model-qwen3-8b]", "metadata.labels.pod-security.kubernetes.io/enforce", "restricted"
    ),
    "4.2.1 namespace of the gateway is restricted (enforce)": (
        "kubernetes:core/v1:Namespace[gateway]", "metadata.labels.pod-security.kubernetes.io/enforce", "restricted"
    ),
    "5.2.1 nodes have an account of their own (cluster)": (CLUSTER, "nodeConfig.serviceAccount", NODES),
    "5.2.1 nodes have an account of their own (pools)": (POOL, "nodeConfig.serviceAccount", NODES),
    "5.2.2 pods get permissions by Workload Identity": (CLUSTER, "workloadIdentityConfig.workloadPool", "acme-llm.svc.id.goog"),
    "5.4.1 no legacy metadata endpoints (cluster)": (CLUSTER, "nodeConfig.metadata", METADATA),
    "5.4.1 no legacy metadata endpoints (pools)": (POOL, "nodeConfig.metadata", METADATA),
    "5.4.2 GKE's metadata server (cluster)": (CLUSTER, "nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA"),
    "5.4.2 GKE's metadata server (pools)": (POOL, "nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA"),
    "5.5.1 Container-Optimized OS": (POOL, "nodeConfig.imageType", "COS_CONTAINERD"),
    "5.5.2 nodes are repaired": (POOL, "management.autoRepair", True),
    "5.5.3 nodes are upgraded": (POOL, "management.autoUpgrade", True),
    "5.5.4 release channel": (CLUSTER, "releaseChannel.channel", "REGULAR"),
    "5.5.5 shielded nodes": (CLUSTER, "enableShieldedNodes", True),
    "5.5.6 integrity monitoring (cluster)": (CLUSTER, "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring", True),
    "5.5.6 integrity monitoring (pools)": (POOL, "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring", True),
    "5.5.7 secure boot (cluster)": (CLUSTER, "nodeConfig.shieldedInstanceConfig.enableSecureBoot", True),
    "5.5.7 secure boot (pools)": (POOL, "nodeConfig.shieldedInstanceConfig.enableSecureBoot", True),
    "5.6.1 flow logs of the subnet": (SUBNET, "logConfig.metadata", "INCLUDE_ALL_METADATA"),
    "5.6.1 intranode visibility": (CLUSTER, "enableIntranodeVisibility", True),
    "5.6.2 VPC-native": (CLUSTER, "networkingMode", "VPC_NATIVE"),
    "5.6.3 no IP endpoint to authorize networks for": (CLUSTER, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled", False),
    "5.6.4 certificates do not open the control plane": (
        CLUSTER, "controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sCertsViaDns", False
    ),
    "5.6.4 tokens do not open the control plane": (CLUSTER, "controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sTokensViaDns", False),
    "5.6.5 private nodes (cluster)": (CLUSTER, "privateClusterConfig.enablePrivateNodes", True),
    "5.6.5 private nodes (pools)": (POOL, "networkConfig.enablePrivateNodes", True),
    "5.6.5 Google's APIs by private addresses": (SUBNET, "privateIpGoogleAccess", True),
    "5.6.5 a way out that reports its errors": (NAT, "logConfig", {"enable": True, "filter": "ERRORS_ONLY"}),
    "5.6.5 a way out that does not run out of ports": (NAT, "enableDynamicPortAllocation", True),
    "5.6.7 network policies are enforced": (CLUSTER, "datapathProvider", "ADVANCED_DATAPATH"),
    "5.7.1 logs": (CLUSTER, "loggingConfig.enableComponents", ["SYSTEM_COMPONENTS", "WORKLOADS"]),
    "5.7.1 metrics": (CLUSTER, "monitoringConfig.enableComponents", ["SYSTEM_COMPONENTS"]),
    "5.8.1 no password, 5.8.2 no client certificate": (
        CLUSTER, "masterAuth", {"clientCertificateConfig": {"issueClientCertificate": False}}
    ),
    "5.8.4 no legacy authorization": (CLUSTER, "enableLegacyAbac", False),
    "4.1 nothing for everybody who is signed in": (CLUSTER, "rbacBindingConfig.enableInsecureBindingSystemAuthenticated", False),
    "4.1 nothing for those who are not": (CLUSTER, "rbacBindingConfig.enableInsecureBindingSystemUnauthenticated", False),
    "3.2.1 anonymous requests reach health checks alone": (CLUSTER, "anonymousAuthenticationConfig.mode", "LIMITED"),
    "3.2.4 no read-only port of the kubelet (default)": (
        CLUSTER, "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled", "FALSE"
    ),
    "3.2.4 no read-only port of the kubelet (pools)": (POOL, "nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled", "FALSE"),
    "5.10 security posture": (CLUSTER, "securityPostureConfig.mode", "BASIC"),
    "5.10 no nodes that nobody described": (CLUSTER, "removeDefaultNodePool", True),
}  # fmt: skip

# The smallest that nodes can do their work with (5.2.1): logs and metrics, and pulling images.
NODE_ROLES = {"roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"}
# A stack with every kind of node pool: GPUs on demand and spot, CPUs, the system's.
EVERY_POOL = {
    "nodePools.cpu": {"machineType": "c4-standard-8", "onDemand": {"max": 2}},
    "models.small": SMALL | {"nodePool": "cpu", "revision": "0" * 40},
}


@pytest.fixture(scope="module")
def resources():
    return offline.run(stack(EVERY_POOL), "test", known=True).resources


def of_type(resources, type_):
    type_, _, name = type_.partition("[")
    return [one for one in resources if one.type == type_ and (not name or one.inputs["metadata"]["name"] == name[:-1])]


def read(inputs, dotted):
    value = inputs
    parts = dotted.split(".", 2) if dotted.startswith("metadata.labels.") else dotted.split(".")
    for key in parts:
        value = value.get(key, {}) if isinstance(value, dict) else {}
    return value


@pytest.mark.parametrize(("type_", "path", "value"), CONTROLS.values(), ids=CONTROLS)
def test_the_control_is_met_everywhere(resources, type_, path, value):
    found = {one.name: read(one.inputs, path) for one in of_type(resources, type_)}
    assert found
    assert found == dict.fromkeys(found, value)


def test_every_kind_of_pool_is_looked_at(resources):
    assert {one.name for one in of_type(resources, POOL)} == {"system", "l4-on-demand", "l4-spot", "cpu-on-demand"}


def test_nodes_may_do_what_they_need_and_nothing_more(resources):
    roles = {one.inputs["role"]: one.inputs["member"] for one in of_type(resources, ROLE)}
    assert roles == dict.fromkeys(NODE_ROLES, f"serviceAccount:{NODES}")
    others = {one.type for one in resources if "iam" in one.type.lower()} - {ROLE}
    assert others == set(), "no other permission is given in this stack"


def test_no_firewall_is_opened_and_no_address_is_public(resources):
    assert {one.type for one in resources if one.type.startswith("gcp:compute/")} == {
        "gcp:compute/network:Network",
        SUBNET,
        "gcp:compute/router:Router",
        NAT,
    }
