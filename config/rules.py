"""Rules across the sections of a stack that need only the YAML; rules on planned figures are in `planning`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from urllib.parse import urlsplit

from config import catalog, places
from config.accelerator import accelerator_problems
from config.alerting_rules import alerting_rules
from config.architecture_rules import catalogue_problems
from config.cluster import ExistingCluster, GkeCluster
from config.errors import Problem, suggestion
from config.flag_rules import flag_rules
from config.gateway_rules import gateway_rules
from config.models import Model
from config.names import PROJECT_ID
from config.node_pools import NodePool, NodeUpgrade
from config.rollout_rules import as_written, rollout_rules
from config.scaling_rules import scaling_rules
from config.security import security_problems
from config.settings import Settings
from config.weights_rules import weights_rules

# Critical pods of the GPU Operator: on each GPU node its operands (validator, toolkit, device plugin, feature discovery, DCGM and its
# exporter, MIG manager, node feature discovery), and a few per cluster. Assumed.
OPERANDS_PER_NODE = 8
OPERATOR_PODS = 4
OTLP_GRPC_PORT = 4317  # opentelemetry.io/docs/specs/otlp


def checked(settings: Settings) -> Settings:
    """The settings with the problems of every rule added."""
    found = [
        *_provider_rules(settings),
        *(problem for name, pool in settings.node_pools.items() for problem in _pool_rules(settings, name, pool)),
        *(problem for name, model in settings.deployed.items() for problem in _model_rules(settings, name, model)),
        *_traces_are_reached(settings),
        *_operator_quota(settings),
        *_nodes_are_counted_once(settings),
        *_served_names_are_unique(settings),
        *gateway_rules(settings),
        *alerting_rules(settings),
        *scaling_rules(settings),
        *rollout_rules(settings),
        *_secret_rules(settings),
        *_prices_are_used(settings),
    ]
    return replace(settings, problems=tuple(as_written(settings, [*settings.problems, *found])))


def _provider_rules(settings: Settings) -> Iterator[Problem]:
    cluster = settings.cluster
    if isinstance(cluster, ExistingCluster):
        if settings.platform.image_mirror == "artifact-registry":
            yield Problem("platform.imageMirror", "'artifact-registry' needs provider gke", "give a registry's prefix instead")
        return
    if not settings.gcp_project:
        yield Problem("gcp:project", "required by provider gke, but not given", "pulumi config set gcp:project <project>")
    elif not re.fullmatch(PROJECT_ID, settings.gcp_project):
        message = f"'{settings.gcp_project}' cannot be a project's id (it is not the project's name or number)"
        yield Problem("gcp:project", message, "give 6 to 30 lower-case letters, digits and dashes, a letter first: gcloud projects list")
    if settings.platform.monitoring.scrape_control_plane:
        message = "true, but GKE keeps etcd, scheduler and controller manager out of reach and runs no kube-proxy"
        yield Problem("platform.monitoring.scrapeControlPlane", message, "remove it; cluster.security.controlPlaneLogs has their logs")
    if cluster.gpu_stack == "driver-installer" and not settings.platform.gpu_operator.enabled:
        message = "false, but with cluster.gpuStack 'driver-installer' the operator's device plugin advertises nvidia.com/gpu"
        yield Problem("platform.gpuOperator.enabled", message, "set it to true, or cluster.gpuStack to gke-default")
    yield from _region(settings)
    yield from security_problems(cluster.security, settings.gcp_region)
    yield from _zones(settings, "cluster", cluster.zones)
    for name in cluster.gpu_quota.keys() - catalog.accelerators().keys():
        advice = suggestion(name, catalog.accelerators(), otherwise="name an accelerator of the catalogue")
        yield Problem(f"cluster.gpuQuota.{name}", f"'{name}' is not an accelerator of the catalogue", advice)
    system = catalog.machine_types().get(cluster.system_pool.machine_type)
    if system is None or system.gpus:
        cpu_types = [name for name, row in catalog.machine_types().items() if not row.gpus]
        advice = suggestion(cluster.system_pool.machine_type, cpu_types, otherwise="one of: " + ", ".join(cpu_types))
        yield Problem(
            "cluster.systemPool.machineType", f"'{cluster.system_pool.machine_type}' is not a CPU machine type of the catalogue", advice
        )
    elif without := [zone for zone in cluster.zones if not places.sells(zone, cluster.system_pool.machine_type)]:
        message = f"{cluster.system_pool.machine_type} is not offered in {', '.join(without)}"
        yield Problem("cluster.systemPool.machineType", message, "choose another machine type, or other zones")


def _region(settings: Settings) -> Iterator[Problem]:
    region = settings.gcp_region
    if not region:
        yield Problem("gcp:region", "required by provider gke, but not given", "pulumi config set gcp:region <region>")
    elif region not in places.regions():
        advice = suggestion(region, places.regions(), otherwise="gcloud compute regions list")
        newer = f"one that opened after {places.as_of()} belongs in config/catalog/places.yaml"
        yield Problem("gcp:region", f"'{region}' is not a region of Google Cloud", f"{advice}; {newer}")


def _zones(settings: Settings, path: str, zones: list[str]) -> Iterator[Problem]:
    known = places.regions().get(settings.gcp_region or "")
    for index, zone in enumerate(zones):
        if known and zone not in known:
            yield Problem(
                f"{path}.zones[{index}]", f"'{zone}' is not a zone of region {settings.gcp_region}", f"its zones: {', '.join(known)}"
            )


def _pool_rules(settings: Settings, name: str, pool: NodePool) -> Iterator[Problem]:
    path = f"nodePools.{name}"
    if pool.machine_type is not None and pool.machine_type not in catalog.machine_types():
        known = catalog.machine_types()
        yield Problem(
            f"{path}.machineType",
            f"'{pool.machine_type}' is not in the catalogue",
            suggestion(pool.machine_type, known, otherwise=_machine_advice(settings)),
        )
    if pool.hardware and pool.hardware.accelerator:
        yield from accelerator_problems(f"{path}.hardware.accelerator", pool.hardware.accelerator)
    if isinstance(settings.cluster, GkeCluster):
        yield from _gke_pool_rules(settings, path, pool, settings.cluster)
    else:
        yield from _existing_pool_rules(path, pool)


def _operator_quota(settings: Settings) -> Iterator[Problem]:
    """GKE refuses critical-priority pods beyond their namespace's ResourceQuota; a GPU node without its operands cannot serve."""
    operator, machines = settings.platform.gpu_operator, catalog.machine_types()
    if not operator.enabled or not isinstance(settings.cluster, GkeCluster):
        return
    pools = [pool for pool in settings.node_pools.values() if pool.machine_type in machines and machines[pool.machine_type].gpus]
    nodes = sum(pool.on_demand.max + pool.spot.max for pool in pools)
    needed = nodes * OPERANDS_PER_NODE + OPERATOR_PODS
    if nodes and needed > operator.pod_quota:
        message = f"{operator.pod_quota} critical pods may run, but the GPU Operator has up to {needed} on {nodes} GPU nodes"
        yield Problem("platform.gpuOperator.podQuota", message, f"raise it to {needed}")


def _machine_advice(settings: Settings) -> str:
    if isinstance(settings.cluster, ExistingCluster):
        return "describe the machine under `hardware` instead"
    return "one of: " + ", ".join(name for name, row in catalog.machine_types().items() if row.gpus)


def _gke_pool_rules(settings: Settings, path: str, pool: NodePool, cluster: GkeCluster) -> Iterator[Problem]:
    if pool.hardware:
        yield Problem(f"{path}.hardware", "describes a machine that exists, but provider gke creates its nodes", "give machineType instead")
    for capacity in ("onDemand", "spot"):
        count = pool.on_demand if capacity == "onDemand" else pool.spot
        if count.node_selector is not None:
            yield Problem(f"{path}.{capacity}.nodeSelector", "GKE node pools get their labels from this program", "remove it")
    yield from _zones(settings, path, pool.zones or [])
    if pool.machine_type and (without := [zone for zone in pool.zones or cluster.zones if not places.sells(zone, pool.machine_type)]):
        message = f"{pool.machine_type} is not offered in {', '.join(without)}"
        yield Problem(f"{path}.machineType", message, f"choose another machine type, or other {path}.zones")
    for index, zone in enumerate(pool.zones or []):
        if zone not in cluster.zones:
            yield Problem(
                f"{path}.zones[{index}]",
                f"'{zone}' is not a zone of the cluster",
                f"use {', '.join(cluster.zones)}, or add it to cluster.zones",
            )


def _traces_are_reached(settings: Settings) -> Iterator[Problem]:
    tracing, path = settings.platform.tracing, "platform.tracing"
    if tracing is None:
        return
    url = urlsplit(tracing.endpoint)
    inside = (url.hostname or "").split(".")[2:3] == ["svc"]
    if inside and tracing.endpoint_range:
        message = f"{url.hostname} is a Service of the cluster, whose namespace the NetworkPolicies let pods reach"
        yield Problem(f"{path}.endpointRange", message, "remove it")
    if not inside and not tracing.endpoint_range and url.scheme == "http":
        message = f"{url.hostname} is no Service of the cluster: traces would leave it in the clear, and no NetworkPolicy lets them"
        fix = "write http://<service>.<namespace>.svc:4318, use https, or give endpointRange of a private address"
        yield Problem(f"{path}.endpoint", message, fix)
    if url.port == OTLP_GRPC_PORT:
        message = f"port {OTLP_GRPC_PORT} takes OTLP over gRPC, and traces are sent over HTTP"
        yield Problem(f"{path}.endpoint", message, "give the collector's port for HTTP, 4318 as a rule")


def _nodes_are_counted_once(settings: Settings) -> Iterator[Problem]:
    """On an existing cluster: no nodeSelector may include another, which would count the same nodes twice."""
    if not isinstance(settings.cluster, ExistingCluster):
        return
    groups = [
        (f"nodePools.{name}.{key}.nodeSelector", count.node_selector)
        for name, pool in settings.node_pools.items()
        for key, count in (("onDemand", pool.on_demand), ("spot", pool.spot))
        if count.max and count.node_selector is not None
    ]
    for (one, a), (other, b) in combinations(groups, 2):
        if a.items() <= b.items() or b.items() <= a.items():
            yield Problem(other, f"selects nodes that {one} selects too, so they would be counted twice", "distinguish them by a label")


def _existing_pool_rules(path: str, pool: NodePool) -> Iterator[Problem]:
    created = {
        "reservation": pool.reservation,
        "gpuPartitionSize": pool.gpu_partition_size,
        "zones": pool.zones,
        "imageDisk": pool.image_disk,
        "replacement": pool.replacement,
        "upgrade": pool.upgrade != NodeUpgrade(),
    }
    for key, value in created.items():
        if value:
            yield Problem(f"{path}.{key}", "only a node pool that this program creates can have it", "remove it, or use provider gke")


def _model_rules(settings: Settings, name: str, model: Model) -> Iterator[Problem]:
    path = f"models.{name}"
    if model.node_pool not in settings.node_pools and f"nodePools.{model.node_pool}" not in settings.doubtful:
        pools = settings.node_pools
        advice = suggestion(model.node_pool, pools, otherwise="pools of this stack: " + (", ".join(pools) or "none"))
        yield Problem(f"{path}.nodePool", f"there is no node pool '{model.node_pool}'", advice)
    row = catalog.model(model.source)
    if row is None and model.architecture is None and not _said(settings, f"{path}.architecture"):
        advice = suggestion(model.source, catalog.model_ids(), otherwise="")
        by_hand = f"give its `architecture`: `make describe-model MODEL={model.source}` prints it"
        yield Problem(f"{path}.source", f"'{model.source}' is not in the catalogue", f"{advice} or {by_hand}" if advice else by_hand)
    if row and model.architecture:
        yield from catalogue_problems(path, model.source, model.architecture, row)
    yield from flag_rules(path, model)
    token = settings.secrets.has("huggingFaceToken") or _said(settings, "secrets.huggingFaceToken")
    if row and row.gated and model.weights.source == "hugging-face" and not token:
        message = f"{model.source} is gated, and Hugging Face answers 401 without a token"
        yield Problem(f"{path}.source", message, "pulumi config set --secret --path 'secrets.huggingFaceToken' <token>")
    yield from weights_rules(settings, path, model)


def _said(settings: Settings, path: str) -> bool:
    """Whether a problem at `path` or below it was found already."""
    return any(problem.path == path or problem.path.startswith(f"{path}.") for problem in settings.problems)


def _served_names_are_unique(settings: Settings) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for name, model in settings.models.items():
        for key, served in [
            *(("servedNames", one) for one in model.served_names or [name]),
            *(("loraAdapters", one) for one in model.lora_adapters),
        ]:
            if served in owner:
                message = f"'{served}' is already served by model '{owner[served]}'"
                yield Problem(f"models.{name}.{key}", message, "give each served name to one model")
            owner.setdefault(served, name)


def _secret_rules(settings: Settings) -> Iterator[Problem]:
    if settings.secrets.source == "secret-manager" and isinstance(settings.cluster, ExistingCluster):
        yield Problem("secrets.source", "'secret-manager' needs Workload Identity, so provider gke", "use source pulumi")


def _prices_are_used(settings: Settings) -> Iterator[Problem]:
    used = {pool.machine_type for pool in settings.node_pools.values()} | set(settings.node_pools)
    if isinstance(settings.cluster, GkeCluster):
        used.add(settings.cluster.system_pool.machine_type)
    for name in settings.budget.prices.keys() - used:
        advice = suggestion(name, [entry for entry in used if entry], otherwise="key it by a machine type or node pool of this stack")
        yield Problem(f"budget.prices.{name}", "no node pool has this machine type or name", advice)
