"""The count of clients' budgets: Envoy's rate limit service, and the Redis that keeps what it has counted.

Deployed if a client has a budget. The gateway's pods ask the service (`envoy/budgets.py`); its limits are a ConfigMap that it reads again
when it changes. Redis is a single pod with a volume: while it is away nothing is counted, but nothing that was counted is lost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, StatefulSet
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ContainerArgsDict,
    Namespace,
    PersistentVolumeClaimArgsDict,
    PodSpecArgsDict,
    ProbeArgsDict,
    SecurityContextArgsDict,
    Service,
    ServiceAccount,
    TopologySpreadConstraintArgsDict,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicyPeerArgsDict, NetworkPolicySpecArgsDict
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.gateway.envoy import budgets
from components.gateway.envoy.clusters import DNS_REFRESH_SECONDS
from components.isolation import DEFAULT_DENY, dns_policy, namespace_named, tcp
from components.naming import GATEWAY_NAMESPACE, MANAGED, RATE_LIMITS_NAMESPACE
from config.cluster import Cluster
from planning.gateway import GatewayPlan

NAME, REDIS = "rate-limits", "redis"
LABELS, REDIS_LABELS = {"app.kubernetes.io/name": NAME}, {"app.kubernetes.io/name": REDIS}
PORT, HEALTH_PORT, REDIS_PORT = 8081, 8080, 6379
HOST = f"{NAME}.{RATE_LIMITS_NAMESPACE}.svc.cluster.local"
LIMITS_FILE = "limits.yaml"
_LIMITS_FOLDER, _DATA_FOLDER = "/etc/rate-limits", "/data"
_REPLICAS = 2
# The counts of a thousand clients take kilobytes; no StorageClass makes less than this.
_STORAGE = "1Gi"
_UID, _REDIS_UID = 65532, 999  # users `nonroot` and `redis` of the images
_SECURITY_CONTEXT: SecurityContextArgsDict = {
    "allow_privilege_escalation": False,
    "read_only_root_filesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def environment(redis: str, folder: str, port: int = PORT, health_port: int = HEALTH_PORT) -> dict[str, str]:
    """Of the rate limit service. `redis`: its address; `folder`: that of LIMITS_FILE."""
    parent, _, name = folder.rpartition("/")
    return {
        "GRPC_PORT": str(port),
        "PORT": str(health_port),
        "DEBUG_HOST": "127.0.0.1",
        "DEBUG_PORT": "0",
        "REDIS_SOCKET_TYPE": "tcp",
        "REDIS_URL": redis,
        "REDIS_TIMEOUT": "1s",
        # Reads the folder again when the kubelet swaps its link `..data`. With RUNTIME_WATCH_ROOT it would look in another folder, find no
        # limit, and not say so.
        "RUNTIME_WATCH_ROOT": "false",
        "RUNTIME_ROOT": parent,
        "RUNTIME_SUBDIRECTORY": "",
        "RUNTIME_APPDIRECTORY": name,
        "RUNTIME_IGNOREDOTFILES": "true",
        "EXPIRATION_JITTER_MAX_SECONDS": "0",
        # What goes wrong Envoy counts; a number more to the log for each request is of no use.
        "DISABLE_STATS": "true",
        "LOG_FORMAT": "json",
    }


def redis_arguments(folder: str, port: int = REDIS_PORT) -> list[str]:
    """With an append-only file, so that a restart does not forget the month; a crash loses its last second at most. Redis' protected mode
    would let in no other pod, as there is no password: who gets in the NetworkPolicy says."""
    options = {"port": str(port), "dir": folder, "appendonly": "yes", "appendfsync": "everysec", "save": "", "protected-mode": "no"}
    return [word for name, value in options.items() for word in (f"--{name}", value)]


@dataclass(frozen=True)
class RateLimitsArgs:
    plan: GatewayPlan
    cluster: Cluster
    image: str
    redis_image: str


class RateLimits(pulumi.ComponentResource):
    """Both, in a namespace of their own."""

    def __init__(self, name: str, args: RateLimitsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:gateway:RateLimits", name, None, opts)
        namespace = Namespace("rate-limits-namespace", metadata=_namespace_metadata(), opts=pulumi.ResourceOptions(parent=self))
        self._args, self._within = args, pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        needed: list[pulumi.Resource] = [
            NetworkPolicy(f"rate-limits-{policy}", metadata=_metadata(policy), spec=spec, opts=self._within)
            for policy, spec in network_policies(args.cluster).items()
        ]
        needed.append(
            ServiceAccount("rate-limits-account", metadata=_metadata(NAME), automount_service_account_token=False, opts=self._within)
        )
        redis = self._redis(needed)
        self._service([*needed, redis])
        self.register_outputs({})

    def _redis(self, needed: list[pulumi.Resource]) -> StatefulSet:
        service = Service(
            "rate-limits-redis-service",
            metadata=_metadata(REDIS, {"pulumi.com/skipAwait": "true"}),
            spec={"cluster_ip": "None", "selector": REDIS_LABELS, "ports": [{"name": "redis", "port": REDIS_PORT}]},
            opts=self._within,
        )
        storage_class = self._args.plan.settings.budgets.storage_class
        claim: PersistentVolumeClaimArgsDict = {
            "metadata": {"name": "data"},
            "spec": {
                "access_modes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": _STORAGE}},
                **({"storage_class_name": storage_class} if storage_class else {}),
            },
        }
        return StatefulSet(
            "rate-limits-redis",
            metadata=_metadata(REDIS),
            spec={
                "replicas": 1,
                "service_name": REDIS,
                "selector": {"match_labels": REDIS_LABELS},
                "template": {"metadata": {"labels": REDIS_LABELS | MANAGED}, "spec": _redis_pod(self._args.redis_image)},
                "volume_claim_templates": [claim],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*needed, service]),
        )

    def _service(self, needed: list[pulumi.Resource]) -> None:
        limits = ConfigMap(
            "rate-limits-configuration",
            metadata=_metadata(NAME),
            data={LIMITS_FILE: json.dumps(budgets.limits(self._args.plan), indent=1)},
            opts=self._within,
        )
        Service(
            "rate-limits-service",
            metadata=_metadata(NAME, {"pulumi.com/skipAwait": "true"}),
            spec={"cluster_ip": "None", "selector": LABELS, "ports": [{"name": "grpc", "port": PORT, "target_port": "grpc"}]},
            opts=self._within,
        )
        PodDisruptionBudget(
            "rate-limits-budget",
            metadata=_metadata(NAME),
            spec={"max_unavailable": 1, "unhealthy_pod_eviction_policy": "AlwaysAllow", "selector": {"match_labels": LABELS}},
            opts=self._within,
        )
        Deployment(
            NAME,
            metadata=_metadata(NAME),
            spec={
                "replicas": _REPLICAS,
                "selector": {"match_labels": LABELS},
                "strategy": {"type": "RollingUpdate", "rolling_update": {"max_surge": 1, "max_unavailable": 0}},
                "template": {"metadata": {"labels": LABELS | MANAGED}, "spec": _service_pod(self._args.image)},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*needed, limits]),
        )


def network_policies(cluster: Cluster) -> dict[str, NetworkPolicySpecArgsDict]:
    """NetworkPolicySpecs by name: the gateway reaches the service, and the service Redis."""
    gateway: NetworkPolicyPeerArgsDict = {
        **namespace_named(GATEWAY_NAMESPACE),
        "pod_selector": {"match_labels": {"app.kubernetes.io/name": "gateway"}},
    }
    service: NetworkPolicyPeerArgsDict = {"pod_selector": {"match_labels": LABELS}}
    redis: NetworkPolicyPeerArgsDict = {"pod_selector": {"match_labels": REDIS_LABELS}}
    return {
        "default-deny": DEFAULT_DENY,
        "allow-dns": dns_policy(cluster),
        "allow-gateway": {
            "pod_selector": {"match_labels": LABELS},
            "policy_types": ["Ingress", "Egress"],
            "ingress": [{"from_": [gateway], "ports": tcp(PORT)}],
            "egress": [{"to": [redis], "ports": tcp(REDIS_PORT)}],
        },
        "allow-service": {
            "pod_selector": {"match_labels": REDIS_LABELS},
            "policy_types": ["Ingress"],
            "ingress": [{"from_": [service], "ports": tcp(REDIS_PORT)}],
        },
    }


def _service_pod(image: str) -> PodSpecArgsDict:
    """Memory: 29 MB were measured after 5,000 calls."""
    variables = environment(f"{REDIS}.{RATE_LIMITS_NAMESPACE}.svc.cluster.local:{REDIS_PORT}", _LIMITS_FOLDER)
    health: ProbeArgsDict = {"http_get": {"path": "/healthcheck", "port": "health"}, "period_seconds": 5, "timeout_seconds": 2}
    container: ContainerArgsDict = {
        "name": "ratelimit",
        "image": image,
        "command": ["/bin/ratelimit"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "ports": [{"name": "grpc", "container_port": PORT}, {"name": "health", "container_port": HEALTH_PORT}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "security_context": _SECURITY_CONTEXT,
        "volume_mounts": [{"name": "limits", "mount_path": _LIMITS_FOLDER, "read_only": True}],
        "readiness_probe": health,
        "liveness_probe": {**health, "failure_threshold": 6},
        # Envoy still asks a pod that leaves until it has resolved the Service's name again.
        "lifecycle": {"pre_stop": {"sleep": {"seconds": 2 * DNS_REFRESH_SECONDS}}},
        "termination_message_policy": "FallbackToLogsOnError",
    }
    spread: TopologySpreadConstraintArgsDict = {
        "max_skew": 1,
        "topology_key": "kubernetes.io/hostname",
        "when_unsatisfiable": "ScheduleAnyway",
        "label_selector": {"match_labels": LABELS},
    }
    return {
        **_pod(_UID, container),
        "topology_spread_constraints": [spread],
        "volumes": [{"name": "limits", "config_map": {"name": NAME}}],
    }


def _redis_pod(image: str) -> PodSpecArgsDict:
    """Memory: 12 MB were measured, and twice that while the append-only file is rewritten."""
    probe: ProbeArgsDict = {"exec_": {"command": ["redis-cli", "ping"]}, "period_seconds": 10, "timeout_seconds": 5}
    container: ContainerArgsDict = {
        "name": "redis",
        "image": image,
        "command": ["redis-server"],
        "args": redis_arguments(_DATA_FOLDER),
        "ports": [{"name": "redis", "container_port": REDIS_PORT}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "security_context": _SECURITY_CONTEXT,
        "volume_mounts": [{"name": "data", "mount_path": _DATA_FOLDER}],
        "readiness_probe": probe,
        "liveness_probe": {**probe, "failure_threshold": 6},
        "termination_message_policy": "FallbackToLogsOnError",
    }
    return _pod(_REDIS_UID, container)


def _pod(user: int, container: ContainerArgsDict) -> PodSpecArgsDict:
    return {
        "service_account_name": NAME,
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": user,
            "run_as_group": user,
            "fs_group": user,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }


def _metadata(name: str, annotations: dict[str, str] | None = None) -> ObjectMetaArgsDict:
    metadata: ObjectMetaArgsDict = {"name": name, "namespace": RATE_LIMITS_NAMESPACE, "labels": LABELS | MANAGED}
    return {**metadata, "annotations": annotations} if annotations else metadata


def _namespace_metadata() -> ObjectMetaArgsDict:
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"name": RATE_LIMITS_NAMESPACE, "labels": {**MANAGED, **levels}}
