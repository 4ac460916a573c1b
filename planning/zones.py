"""Whether zones and address ranges can hold the pools: accelerators by zone, spot-only machine types, addresses of nodes and pods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from config import catalog
from config.cluster import GkeCluster
from config.errors import Problem
from config.settings import Settings
from planning.machines import Pool

_SYSTEM_PODS_PER_NODE = 110
# Addresses of a subnet that Google reserves.
_RESERVED_ADDRESSES = 4
# Prefix lengths that GKE accepts. cloud.google.com/kubernetes-engine/docs/concepts/alias-ips
_SHORTEST_SERVICES, _LONGEST_SERVICES, _LONGEST_NODES = 16, 27, 29
# Pods of DaemonSets on a GPU node: GKE's (networking, logging, metrics, disks, metadata, device plugin), node exporter, and the GPU
# Operator's operands. Assumed.
DAEMONSET_PODS, OPERATOR_PODS = 12, 6


def pool_problems(settings: Settings, pool: Pool) -> Iterator[Problem]:
    yield from _accelerator_problems(settings, pool)
    yield from _partition_problems(settings, pool)
    yield from _spot_only_problems(settings, pool)


def _accelerator_problems(settings: Settings, pool: Pool) -> Iterator[Problem]:
    """Zones where Google does not offer the pool's accelerator."""
    accelerator = pool.machine.accelerator
    if accelerator is None or not isinstance(settings.cluster, GkeCluster) or not (accelerator.zones or accelerator.regions):
        return
    missing = [zone for zone in pool.zones if not accelerator.sold_in(zone)]
    if not missing:
        return
    own = settings.node_pools[pool.name].zones is not None
    here = [zone for zone in accelerator.zones if settings.gcp_region and zone.startswith(f"{settings.gcp_region}-")]
    outside = [zone for zone in here if zone not in settings.cluster.zones]
    added = f" ({', '.join(outside)}: in cluster.zones, too)" if outside else ""
    yield Problem(
        f"nodePools.{pool.name}.zones" if own else f"nodePools.{pool.name}.machineType",
        f"{accelerator.display_name} is not offered in {', '.join(missing)}",
        f"set nodePools.{pool.name}.zones to some of: {', '.join(here)}{added}" if here else "choose another region or machine type",
    )


def _partition_problems(settings: Settings, pool: Pool) -> Iterator[Problem]:
    profile, accelerator = settings.node_pools[pool.name].gpu_partition_size, pool.machine.accelerator
    if profile and (accelerator is None or profile not in accelerator.mig_profiles):
        known = ", ".join(accelerator.mig_profiles) if accelerator and accelerator.mig_profiles else "none"
        name = accelerator.display_name if accelerator else pool.machine.name
        yield Problem(f"nodePools.{pool.name}.gpuPartitionSize", f"{name} has no profile '{profile}'", f"its profiles: {known}")


def _spot_only_problems(settings: Settings, pool: Pool) -> Iterator[Problem]:
    row = catalog.machine_types().get(pool.machine.name)
    if row and row.spot_only and pool.on_demand and not settings.node_pools[pool.name].reservation:
        yield Problem(
            f"nodePools.{pool.name}.onDemand",
            f"{pool.machine.name} is sold as spot or flex-start capacity only, so these nodes can never be created",
            "use a reservation, or a machine type that is sold on demand; without floors, set onDemand.max to 0",
        )


def address_problems(settings: Settings) -> Iterator[Problem]:
    """Ranges too small for the pools' maximum nodes. GKE gives every node a block of twice its pods, rounded up to a power of two."""
    cluster = settings.cluster
    if not isinstance(cluster, GkeCluster):
        return
    gpu_nodes = sum(pool.on_demand.max + pool.spot.max for pool in settings.node_pools.values())
    nodes = gpu_nodes + cluster.system_pool.max
    yield from _sizes(cluster)
    capacity = IPv4Network(cluster.ranges.nodes).num_addresses - _RESERVED_ADDRESSES
    if nodes > capacity:
        yield Problem("cluster.ranges.nodes", f"{cluster.ranges.nodes} has {capacity} addresses for {nodes} nodes", "use a larger range")
    addresses = gpu_nodes * _block(cluster.max_pods_per_node) + cluster.system_pool.max * _block(_SYSTEM_PODS_PER_NODE)
    if addresses > IPv4Network(cluster.ranges.pods).num_addresses:
        message = f"{cluster.ranges.pods} is too small for the pods of {nodes} nodes, which take {addresses} addresses"
        yield Problem("cluster.ranges.pods", message, "use a larger range, or lower cluster.maxPodsPerNode")


def _sizes(cluster: GkeCluster) -> Iterator[Problem]:
    services, nodes = (IPv4Network(one).prefixlen for one in (cluster.ranges.services, cluster.ranges.nodes))
    if services > _LONGEST_SERVICES:
        message = f"{cluster.ranges.services} is too small: GKE takes at most /{_LONGEST_SERVICES}"
        yield Problem("cluster.ranges.services", message, "give a /20, which is the default")
    if services < _SHORTEST_SERVICES:
        message = f"{cluster.ranges.services} is too large: GKE takes at least /{_SHORTEST_SERVICES}"
        yield Problem("cluster.ranges.services", message, "give a /20, which is the default")
    if nodes > _LONGEST_NODES:
        message = f"{cluster.ranges.nodes} is smaller than the /{_LONGEST_NODES} that a subnet has at least"
        yield Problem("cluster.ranges.nodes", message, "give a /20, which is the default")


def pods_per_node_problems(settings: Settings, pool: Pool, replicas: Iterable[tuple[int, int]]) -> Iterator[Problem]:
    """A maxPodsPerNode below the pods that a node would run. `replicas`: for each model on the pool, its ceiling and slots per replica."""
    cluster = settings.cluster
    if not isinstance(cluster, GkeCluster) or pool.machine.is_cpu:
        return
    daemons = DAEMONSET_PODS + (OPERATOR_PODS if settings.platform.gpu_operator.enabled else 0)
    counts = [*replicas]
    together = sum(count for count, _ in counts)
    most = min(together, pool.machine.slots // max(1, min((slots for _, slots in counts), default=1)))
    if daemons + most > cluster.max_pods_per_node:
        message = f"{cluster.max_pods_per_node} pods, but a node of pool {pool.name} runs about {daemons} of DaemonSets and {most} replicas"
        yield Problem("cluster.maxPodsPerNode", message, f"raise it to {daemons + most} or more")


def _block(pods: int) -> int:
    return 2 ** math.ceil(math.log2(2 * pods))
