"""The monitoring stack in numbers: the series that a stack makes at its ceiling, and what Prometheus and its neighbours need for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from config import catalog
from config.cluster import GkeCluster
from config.errors import Problem
from config.models import Model
from config.settings import Settings, candidate_key
from planning.machines import allocatable_cpu, allocatable_memory_gib
from planning.placement import PoolPlan

# Series of one vLLM 0.33.0 server: 584 in the /metrics of a run with one model; more with adapters.
_SERIES_PER_REPLICA = 600
# Of one gateway replica for each model that it routes; of one GPU in DCGM's exporter. Assumed.
_SERIES_PER_ROUTE, _SERIES_PER_GPU = 300, 40
# Of a node: kubelet, cAdvisor and kube-state-metrics for its few pods, and the node exporter, which counts 8 modes of every CPU. Of a
# cluster: the API server's histograms, and what the chart scrapes once. Assumed.
_SERIES_PER_NODE, _SERIES_PER_CPU, _SERIES_PER_CLUSTER = 4000, 8, 60_000
# Grafana Mimir documentation, "Planning Grafana Mimir capacity", ingester: 2.5 GB and one core for every 300,000 series in memory.
_GIB_PER_SERIES, _CORES_PER_SERIES = 2.5e9 / 1024**3 / 300_000, 1 / 300_000
# For queries, and for the write-ahead log that is read again after a restart; what a request is multiplied by for a limit. Assumed.
_BASE_GIB, _BASE_CORES, _LIMIT = 0.75, 0.1, 2
# Prometheus documentation, "Storage": 1 to 2 bytes a sample.
_BYTES_PER_SAMPLE = 1.5
# Prometheus stops at this share of its volume, which also holds the write-ahead log and what is being compacted.
RETENTION_SHARE = 0.85
# kube-state-metrics documentation, "Resource recommendation": 250 MiB and 0.1 cores, and 2 MiB and 0.001 cores a node in large clusters.
_STATE_MIB, _STATE_MIB_PER_NODE, _STATE_CORES, _STATE_CORES_PER_NODE = 250, 2, 0.1, 0.001
# Room on a system node for what GKE runs there itself. Assumed.
_SYSTEM_PODS_CPU, _SYSTEM_PODS_GIB = 1.0, 1.0


@dataclass(frozen=True)
class Resources:
    """Of a container. CPU has no limit: a throttled Prometheus misses scrapes."""

    cpu: float
    memory_mib: int
    memory_limit_mib: int


# Grafana with its sidecars' dashboards; Alertmanager; the operator. Assumed.
GRAFANA = Resources(0.1, 256, 768)
ALERTMANAGER = Resources(0.02, 64, 256)
OPERATOR = Resources(0.05, 128, 512)


@dataclass(frozen=True)
class MonitoringPlan:
    series: int
    """At the ceiling: every node, every replica."""
    prometheus: Resources
    kube_state_metrics: Resources
    storage_gib: float
    """What the samples of `retentionDays` take."""


def plan_monitoring(settings: Settings, pools: Mapping[str, PoolPlan]) -> MonitoringPlan:
    series, nodes, room = _series(settings, pools), _nodes(settings, pools), _system_node(settings)

    def fitting(cpu: float, gib: float) -> Resources:
        """More than a node has would never be scheduled; `monitoring_warnings` says so."""
        cpu, gib = (min(cpu, room[0]), min(gib, room[1])) if room else (cpu, gib)
        return Resources(round(cpu, 2), int(gib * 1024), int(gib * 1024) * _LIMIT)

    samples = series / settings.platform.monitoring.scrape_interval_seconds * 86_400 * settings.platform.monitoring.retention_days
    return MonitoringPlan(
        series=series,
        prometheus=fitting(_BASE_CORES + series * _CORES_PER_SERIES, _BASE_GIB + series * _GIB_PER_SERIES),
        kube_state_metrics=fitting(_STATE_CORES + nodes * _STATE_CORES_PER_NODE, (_STATE_MIB + nodes * _STATE_MIB_PER_NODE) / 1024),
        storage_gib=samples * _BYTES_PER_SAMPLE / 1024**3,
    )


def monitoring_warnings(settings: Settings, pools: Mapping[str, PoolPlan]) -> Iterator[Problem]:
    """A Prometheus that no system node holds, and a volume that is full before the retention is over."""
    monitoring = settings.platform.monitoring
    if not monitoring.enabled:
        return
    plan = plan_monitoring(settings, pools)
    wanted, room = _BASE_GIB + plan.series * _GIB_PER_SERIES, _system_node(settings)
    if room and wanted > room[1]:
        message = f"Prometheus needs about {wanted:.0f} GiB for {plan.series:,} series, and a system node has {room[1]:.1f} left"
        yield Problem("cluster.systemPool.machineType", message, "choose one with more memory")
    if plan.storage_gib > monitoring.storage_gib * RETENTION_SHARE:
        message = f"{monitoring.retention_days} days of {plan.series:,} series take about {plan.storage_gib:.0f} GiB: the oldest go earlier"
        fix = f"raise it to {int(plan.storage_gib / RETENTION_SHARE) + 1}, or lower retentionDays"
        yield Problem("platform.monitoring.storageGiB", message, fix)


def _most_replicas(settings: Settings, name: str) -> int:
    """Of a blue-green model also those of a candidate, whether there is one or not: else each would restart Prometheus."""
    model = settings.models[name]
    other = settings.candidates.get(candidate_key(name), model)
    return model.scaling.ceiling + _has_colours(model) * other.scaling.ceiling


def _has_colours(model: Model) -> bool:
    return model.rollout.strategy == "blue-green"


def _series(settings: Settings, pools: Mapping[str, PoolPlan]) -> int:
    replicas = sum(_most_replicas(settings, name) for name in settings.models)
    routes = settings.gateway.replicas.max * sum(1 + _has_colours(model) for model in settings.models.values()) if settings.gateway else 0
    machines = [(_most_nodes(plan), plan.pool.machine) for plan in pools.values()]
    gpus = sum(count * machine.gpus for count, machine in machines)
    cpus = sum(count * machine.vcpus for count, machine in machines)
    return int(
        _SERIES_PER_CLUSTER
        + replicas * _SERIES_PER_REPLICA
        + routes * _SERIES_PER_ROUTE
        + gpus * _SERIES_PER_GPU
        + cpus * _SERIES_PER_CPU
        + _nodes(settings, pools) * _SERIES_PER_NODE
    )


def _nodes(settings: Settings, pools: Mapping[str, PoolPlan]) -> int:
    system = settings.cluster.system_pool.max if isinstance(settings.cluster, GkeCluster) else 0
    return system + sum(_most_nodes(plan) for plan in pools.values())


def _most_nodes(plan: PoolPlan) -> int:
    return sum(group.max_nodes for group in (plan.pool.on_demand, plan.pool.spot) if group)


def _system_node(settings: Settings) -> tuple[float, float] | None:
    """CPUs and GiB of memory for one pod; None where system nodes are not ours."""
    cluster = settings.cluster
    machine = catalog.machine_types().get(cluster.system_pool.machine_type) if isinstance(cluster, GkeCluster) else None
    if machine is None:
        return None
    return allocatable_cpu(machine.vcpus) - _SYSTEM_PODS_CPU, allocatable_memory_gib(machine.memory_gib) - _SYSTEM_PODS_GIB
