"""Whether the cluster's place can hold its pools: accelerators in zones, machine types on demand, addresses for pods."""

from __future__ import annotations

import math
from collections.abc import Iterator
from ipaddress import IPv4Network

from config import catalog
from config.cluster import GkeCluster
from config.errors import Problem
from config.settings import Settings
from planning.machines import Pool

_SYSTEM_PODS_PER_NODE = 110
# Addresses of a subnet that Google keeps.
_RESERVED_ADDRESSES = 4


def accelerator_problems(settings: Settings, pool: Pool) -> Iterator[Problem]:
    """Zones where Google does not offer the pool's accelerator."""
    accelerator = pool.machine.accelerator
    if accelerator is None or not isinstance(settings.cluster, GkeCluster) or not (accelerator.zones or accelerator.regions):
        return
    missing = [zone for zone in pool.zones if not accelerator.sold_in(zone)]
    if not missing:
        return
    own = settings.node_pools[pool.name].zones is not None
    here = [zone for zone in accelerator.zones if settings.gcp_region and zone.startswith(f"{settings.gcp_region}-")]
    yield Problem(
        f"nodePools.{pool.name}.zones" if own else f"nodePools.{pool.name}.machineType",
        f"{accelerator.display_name} is not offered in {', '.join(missing)}",
        f"set nodePools.{pool.name}.zones to some of: {', '.join(here)}" if here else "choose another region or machine type",
    )


def partition_problems(settings: Settings, pool: Pool) -> Iterator[Problem]:
    profile, accelerator = settings.node_pools[pool.name].gpu_partition_size, pool.machine.accelerator
    if profile and (accelerator is None or profile not in accelerator.mig_profiles):
        known = ", ".join(accelerator.mig_profiles) if accelerator and accelerator.mig_profiles else "none"
        name = accelerator.display_name if accelerator else pool.machine.name
        yield Problem(f"nodePools.{pool.name}.gpuPartitionSize", f"{name} has no profile '{profile}'", f"its profiles: {known}")


def spot_only_warnings(settings: Settings, pool: Pool) -> Iterator[Problem]:
    row = catalog.machine_types().get(pool.machine.name)
    if row and row.spot_only and pool.on_demand and not settings.node_pools[pool.name].reservation:
        yield Problem(
            f"nodePools.{pool.name}.onDemand",
            f"{pool.machine.name} is sold as spot or flex-start capacity only, so these nodes may never come",
            "use a reservation, or a machine type that is sold on demand",
        )


def address_problems(settings: Settings) -> Iterator[Problem]:
    """Ranges too small for the nodes that may exist. GKE gives every node a block of twice its pods, rounded to a power of two."""
    cluster = settings.cluster
    if not isinstance(cluster, GkeCluster):
        return
    gpu_nodes = sum(pool.on_demand.max + pool.spot.max for pool in settings.node_pools.values())
    nodes = gpu_nodes + cluster.system_pool.max
    capacity = IPv4Network(cluster.ranges.nodes).num_addresses - _RESERVED_ADDRESSES
    if nodes > capacity:
        yield Problem("cluster.ranges.nodes", f"{cluster.ranges.nodes} has {capacity} addresses for {nodes} nodes", "use a larger range")
    addresses = gpu_nodes * _block(cluster.max_pods_per_node) + cluster.system_pool.max * _block(_SYSTEM_PODS_PER_NODE)
    if addresses > IPv4Network(cluster.ranges.pods).num_addresses:
        message = f"{cluster.ranges.pods} is too small for the pods of {nodes} nodes, which take {addresses} addresses"
        yield Problem("cluster.ranges.pods", message, "use a larger range, or lower cluster.maxPodsPerNode")


def _block(pods: int) -> int:
    return 2 ** math.ceil(math.log2(2 * pods))
