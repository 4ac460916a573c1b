"""What GKE's Dataplane V2 logs of the connections that NetworkPolicies decide on.

GKE makes the one NetworkLogging object of a cluster, so this is a patch of it: taken away, it leaves GKE's own defaults behind.
cloud.google.com/kubernetes-engine/docs/how-to/network-policy-logging
"""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apiextensions import CustomResourcePatch

from config.cluster import Cluster, GkeCluster


def network_logging(cluster: Cluster, opts: pulumi.ResourceOptions) -> CustomResourcePatch | None:
    if not isinstance(cluster, GkeCluster) or cluster.security.network_policy_logging == "NONE":
        return None
    allowed = cluster.security.network_policy_logging == "ALL"
    return CustomResourcePatch(
        "network-logging",
        api_version="networking.gke.io/v1alpha1",
        kind="NetworkLogging",
        metadata={"name": "default"},
        # Delegated, only connections that an annotated policy or namespace decides on would be logged.
        spec={"cluster": {"allow": {"log": allowed, "delegate": False}, "deny": {"log": True, "delegate": False}}},
        opts=opts,
    )
