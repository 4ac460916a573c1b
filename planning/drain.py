"""How a replica leaves: endpoint removal, in-flight requests, exit. The three times must add up within the node's own notice.

vLLM aborts requests on SIGTERM unless `--shutdown-timeout` is set, and while it drains `/health` stays 200 and new requests fail:
the preStop sleep is what keeps new requests away. A stream that outlasts the time-out is not ended: vLLM 0.33 kills its engine and then
waits for the client without limit, who hears nothing more until SIGKILL. So streams get all the time that there is: what is kept for the
process to exit is silence for the one, and an idle server needs no clean exit.
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


# From the end of the time-out to SIGKILL.
MARGIN_SECONDS = 2


@dataclass(frozen=True)
class Drain:
    """Seconds."""

    pre_stop: int
    grace_period: int

    @property
    def shutdown_timeout(self) -> int:
        """For requests in flight, after `pre_stop`."""
        return self.grace_period - self.pre_stop - MARGIN_SECONDS


ON_DEMAND = Drain(pre_stop=15, grace_period=120)
GKE_SPOT = Drain(pre_stop=10, grace_period=SPOT_SHUTDOWN_GRACE_SECONDS - SPOT_CRITICAL_GRACE_SECONDS)
OTHER_SPOT = Drain(pre_stop=3, grace_period=DEFAULT_SPOT_GRACE_SECONDS)


def drain(cluster: Cluster, capacity: Capacity) -> Drain:
    """How long a replica on nodes of this capacity may take to leave."""
    if capacity == "on-demand":
        return ON_DEMAND
    return GKE_SPOT if isinstance(cluster, GkeCluster) else OTHER_SPOT
