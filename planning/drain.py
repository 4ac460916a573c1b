"""Termination of a replica: preStop sleep, drain of requests in flight, exit. Together they must fit in the node's termination notice.

vLLM aborts requests on SIGTERM unless `--shutdown-timeout` is set, and while it drains, `/health` stays 200 and new requests fail: the
preStop sleep gives endpoints and the gateway time to stop sending them. A stream that outlasts the time-out is not ended: vLLM 0.33 kills
its engine and then waits without limit for the client, which receives nothing more until SIGKILL. So the time-out takes nearly the whole
grace period: time left for the exit would only be silence for such a client, and an idle server needs no clean exit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config import catalog
from config.cluster import Cluster, GkeCluster
from config.errors import Problem
from config.node_pools import Capacity

# Kubelet's graceful shutdown on GKE spot pools, and the control plane that takes it: 120 s, of which the critical pods come last.
# cloud.google.com/kubernetes-engine/docs/concepts/spot-vms
SPOT_SHUTDOWN_SINCE = "1.35.0-gke.1171000"
SPOT_SHUTDOWN_GRACE_SECONDS = 120
SPOT_CRITICAL_GRACE_SECONDS = 15
# Elsewhere: 30 s of notice, half of it for critical pods.
DEFAULT_SPOT_GRACE_SECONDS = 15

# How often the gateway resolves a model's replicas, and a second for the endpoint's removal: until then a leaving replica gets requests.
GATEWAY_REFRESH_SECONDS = 5
REMOVAL_SECONDS = GATEWAY_REFRESH_SECONDS + 1
# From the end of the time-out to SIGKILL.
MARGIN_SECONDS = 2


@dataclass(frozen=True)
class Drain:
    """Times in seconds."""

    pre_stop: int
    grace_period: int

    @property
    def shutdown_timeout(self) -> int:
        """--shutdown-timeout: time for requests in flight, after `pre_stop`."""
        return self.grace_period - self.pre_stop - MARGIN_SECONDS


ON_DEMAND = Drain(pre_stop=15, grace_period=120)
GKE_SPOT = Drain(pre_stop=10, grace_period=SPOT_SHUTDOWN_GRACE_SECONDS - SPOT_CRITICAL_GRACE_SECONDS)
OTHER_SPOT = Drain(pre_stop=REMOVAL_SECONDS, grace_period=DEFAULT_SPOT_GRACE_SECONDS)


def drain(cluster: Cluster, capacity: Capacity) -> Drain:
    """Termination times of a replica on nodes of this capacity type."""
    if capacity == "on-demand":
        return ON_DEMAND
    return GKE_SPOT if extends_spot_notice(cluster) else OTHER_SPOT


def extends_spot_notice(cluster: Cluster) -> bool:
    """Whether spot nodes are given the longest notice: GKE refuses a pool with that setting where the control plane is older."""
    return isinstance(cluster, GkeCluster) and catalog.release_channel(cluster.release_channel).has(SPOT_SHUTDOWN_SINCE)


def drain_warnings(cluster: Cluster, *, spot: bool) -> Iterator[Problem]:
    if spot and isinstance(cluster, GkeCluster) and not extends_spot_notice(cluster):
        channel = catalog.release_channel(cluster.release_channel)
        message = (
            f"{cluster.release_channel} makes clusters of {channel.version} (as of {channel.date}), and spot nodes give their pods "
            f"{GKE_SPOT.grace_period} s to finish requests only from {SPOT_SHUTDOWN_SINCE} on: here they give {OTHER_SPOT.grace_period} s"
        )
        yield Problem("cluster.releaseChannel", message, "set it to REGULAR, or expect streams to be cut when a spot node is taken")
