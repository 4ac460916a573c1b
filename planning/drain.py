"""How a replica leaves: endpoint removal, in-flight requests, exit. The three times must add up within the node's own notice.

vLLM aborts requests on SIGTERM unless `--shutdown-timeout` is set, and while it drains `/health` stays 200 and new requests fail:
the preStop sleep is what keeps new requests away.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.cluster import Cluster, GkeCluster
from config.node_pools import Capacity

# Kubelet's graceful shutdown on GKE spot pools (GKE 1.35.0-gke.1171000): 120 s, of which the critical pods come last.
# cloud.google.com/kubernetes-engine/docs/concepts/spot-vms
SPOT_SHUTDOWN_GRACE_SECONDS = 120
SPOT_CRITICAL_GRACE_SECONDS = 15
# Without that setting: 30 s of notice, half of it for critical pods.
DEFAULT_SPOT_GRACE_SECONDS = 15


@dataclass(frozen=True)
class Drain:
    """Seconds. `pre_stop + shutdown_timeout` leaves a margin within `grace_period` for the process to exit."""

    pre_stop: int
    shutdown_timeout: int
    grace_period: int


ON_DEMAND = Drain(pre_stop=15, shutdown_timeout=90, grace_period=120)
GKE_SPOT = Drain(pre_stop=10, shutdown_timeout=80, grace_period=SPOT_SHUTDOWN_GRACE_SECONDS - SPOT_CRITICAL_GRACE_SECONDS)
OTHER_SPOT = Drain(pre_stop=3, shutdown_timeout=9, grace_period=DEFAULT_SPOT_GRACE_SECONDS)


def drain(cluster: Cluster, capacity: Capacity) -> Drain:
    """How long a replica on nodes of this capacity may take to leave."""
    if capacity == "on-demand":
        return ON_DEMAND
    return GKE_SPOT if isinstance(cluster, GkeCluster) else OTHER_SPOT
