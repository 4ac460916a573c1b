"""Rules about what Google Cloud is asked for: the cluster, its nodes, its network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .rule import Options, Resource, Rule

CLUSTER, NODE_POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
_REGIONAL = ("gcp:compute/subnetwork:Subnetwork", "gcp:compute/router:Router")
GPU_TAINT = "nvidia.com/gpu"


def _private_nodes(one: Resource, _: Options) -> Iterator[str]:
    path = {CLUSTER: "privateClusterConfig.enablePrivateNodes", NODE_POOL: "networkConfig.enablePrivateNodes"}.get(one.type)
    if path and one.at(path) is not True:
        yield f"{path} is not true: nodes get public addresses"


def _shielded_nodes(one: Resource, _: Options) -> Iterator[str]:
    if one.type == CLUSTER and one.at("enableShieldedNodes") is not True:
        yield "enableShieldedNodes is not true"
    if one.type == NODE_POOL:
        for key in ("enableIntegrityMonitoring", "enableSecureBoot"):
            if one.at(f"nodeConfig.shieldedInstanceConfig.{key}") is not True:
                yield f"nodeConfig.shieldedInstanceConfig.{key} is not true"


def _workload_identity(one: Resource, _: Options) -> Iterator[str]:
    if one.type == CLUSTER and not one.at("workloadIdentityConfig.workloadPool"):
        yield "workloadIdentityConfig.workloadPool is not set"
    if one.type == NODE_POOL and one.at("nodeConfig.workloadMetadataConfig.mode") != "GKE_METADATA":
        yield "nodeConfig.workloadMetadataConfig.mode is not GKE_METADATA: every pod can take the node's account"


def _deletion_protection(one: Resource, _: Options) -> Iterator[str]:
    if one.type == CLUSTER and one.at("deletionProtection") is not True:
        yield "deletionProtection is not true"


def _gpu_taint(one: Resource, _: Options) -> Iterator[str]:
    if one.type == NODE_POOL and _accelerators(one) and GPU_TAINT not in {taint["key"] for taint in one.at("nodeConfig.taints") or ()}:
        yield f"its nodes have GPUs and no taint {GPU_TAINT}: pods that need none take their place"


def _allowed_accelerators(one: Resource, options: Options) -> Iterator[str]:
    allowed = options["accelerators"]
    if allowed and one.type == NODE_POOL:
        for kind in _accelerators(one):
            if kind not in allowed:
                yield f"{kind} is not among the allowed accelerators: {', '.join(allowed)}"


def _allowed_regions(one: Resource, options: Options) -> Iterator[str]:
    place = one.at("location") if one.type == CLUSTER else one.at("region") if one.type in _REGIONAL else None
    if options["regions"] and place and not any(place == region or place.startswith(f"{region}-") for region in options["regions"]):
        yield f"{place} is not in an allowed region: {', '.join(options['regions'])}"


def _cost_labels(one: Resource, options: Options) -> Iterator[str]:
    labels = one.at("resourceLabels") if one.type == CLUSTER else one.at("nodeConfig.resourceLabels") if one.type == NODE_POOL else None
    if one.type in (CLUSTER, NODE_POOL):
        for label in options["labels"]:
            if not (labels or {}).get(label):
                yield f"it has no label {label}, by which the bill is divided"
    if one.type == CLUSTER and one.at("costManagementConfig.enabled") is not True:
        yield "costManagementConfig.enabled is not true: the bill does not know namespaces"


def _gpu_limit(resources: Sequence[Resource], options: Options) -> Iterator[tuple[Resource, str]]:
    most = {one.name: one for one in resources if one.type == NODE_POOL and _accelerators(one)}
    total = sum(_most_nodes(one) * sum(_accelerators(one).values()) for one in most.values())
    if options["gpus"] and total > options["gpus"]:
        largest = max(most.values(), key=lambda one: _most_nodes(one) * sum(_accelerators(one).values()))
        yield largest, f"the pools may grow to {total:g} GPUs together, and {options['gpus']:g} are allowed; this one has the largest part"


def _accelerators(pool: Resource) -> dict[str, int]:
    """GPUs of a node, by kind."""
    return {entry["type"]: entry["count"] for entry in pool.at("nodeConfig.guestAccelerators") or ()}


def _most_nodes(pool: Resource) -> int:
    zones = len(pool.at("nodeLocations") or ()) or 1
    return pool.at("autoscaling.totalMaxNodeCount") or zones * (pool.at("autoscaling.maxNodeCount") or pool.at("nodeCount") or 0)


RULES = (
    Rule("private-nodes", "A node with a public address can be reached from everywhere.", "set it to true", _private_nodes),
    Rule("shielded-nodes", "A node's firmware and kernel must be what Google shipped.", "set it to true", _shielded_nodes),
    Rule(
        "workload-identity",
        "Pods get permissions of their own, not those of the node that they run on.",
        "turn Workload Identity on for the cluster and GKE's metadata server on for the pool",
        _workload_identity,
    ),
    Rule(
        "deletion-protection",
        "A cluster that serves users must not be deleted by a mistake in a pull request.",
        "set cluster.deletionProtection: true",
        _deletion_protection,
        level="advisory",
    ),
    Rule("gpu-taint", "GPUs are paid for by the hour; only pods that use them may run there.", "give the pool the taint", _gpu_taint),
    Rule(
        "allowed-accelerators",
        "Quotas, reservations and discounts are agreed for some kinds of GPU.",
        "choose a machine type with an allowed GPU, or have the kind allowed",
        _allowed_accelerators,
        options={"accelerators": []},
    ),
    Rule(
        "allowed-regions",
        "Data must stay where it may be.",
        "set gcp:region to an allowed region, or have the region allowed",
        _allowed_regions,
        options={"regions": []},
    ),
    Rule(
        "cost-labels",
        "A bill that nobody can divide is paid by nobody.",
        "give the cluster and its pools the label, and turn cost allocation on",
        _cost_labels,
        options={"labels": ["part-of", "cluster"]},
    ),
    Rule(
        "gpu-limit",
        "What can be started by a load peak or a mistake has an upper bound that the stack's author does not set.",
        "lower the pools' maxima, or have the limit raised",
        together=_gpu_limit,
        options={"gpus": 0},
    ),
)
