"""The pod template of a model server, as a pure function of settings and plan.

It runs as the image's user under the `restricted` Pod Security level with a read-only root file system: vLLM's compile caches, sockets and
shared memory are on volumes. enableServiceLinks is false, because variables of Services can break vLLM.
"""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    PodSecurityContextArgsDict,
    PodTemplateSpecArgsDict,
    ProbeArgsDict,
    ResourceRequirementsArgsDict,
    SecurityContextArgsDict,
    TolerationArgsDict,
    TopologySpreadConstraintArgsDict,
    VolumeMountArgsDict,
)

from components.naming import API_PORT, BURST, FLOOR, MANAGED, PRIORITY_CLASSES, TIER_LABEL, literal, model_labels
from components.serving import chat_template, compile_cache, weights
from components.serving.engine import engine_arguments
from config.models import Model
from planning.drain import Drain
from planning.machines import NodeGroup
from planning.plan import ModelPlan
from planning.startup import PROBE_PERIOD
from planning.weights import HOME_GIB, TMP_GIB

HOME = "/home/vllm"
SECURITY_CONTEXT: SecurityContextArgsDict = {
    "allow_privilege_escalation": False,
    "read_only_root_filesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# User `vllm` of the image: UID 2000 in group 0.
POD_SECURITY_CONTEXT: PodSecurityContextArgsDict = {
    "run_as_non_root": True,
    "run_as_user": 2000,
    "run_as_group": 0,
    "fs_group": 0,
    "fs_group_change_policy": "OnRootMismatch",
    "seccomp_profile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Tier:
    """Floor or burst: its node group, and the termination times of its replicas."""

    name: str
    group: NodeGroup
    drain: Drain
    annotations: dict[str, str]


def pod_template(model: Model, plan: ModelPlan, tier: Tier, image: str, *, with_token: bool) -> PodTemplateSpecArgsDict:
    """A PodTemplateSpec."""
    labels = tier_labels(plan, tier.name)
    return {
        "metadata": {"labels": labels | MANAGED, "annotations": tier.annotations},
        "spec": {
            "service_account_name": plan.name,
            "priority_class_name": PRIORITY_CLASSES[FLOOR if tier.name == FLOOR else BURST],
            "automount_service_account_token": False,
            "enable_service_links": False,
            "termination_grace_period_seconds": tier.drain.grace_period,
            "security_context": POD_SECURITY_CONTEXT,
            "node_selector": tier.group.node_selector,
            "tolerations": tolerations(tier.group),
            "topology_spread_constraints": [_spread(key, labels) for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")],
            "init_containers": _before(model, plan, image, with_token=with_token),
            "containers": [_server(model, plan, tier, image), *_beside(model, plan, image)],
            "volumes": [
                {"name": "home", "empty_dir": {"size_limit": f"{HOME_GIB}Gi"}},
                {"name": "tmp", "empty_dir": {"size_limit": f"{TMP_GIB}Gi"}},
                {"name": "shm", "empty_dir": {"medium": "Memory", "size_limit": f"{plan.shape.shared_memory_gib}Gi"}},
                *weights.volumes(model, plan),
                *chat_template.volumes(model, plan.colour),
            ],
        },
    }


def _before(model: Model, plan: ModelPlan, image: str, *, with_token: bool) -> list[ContainerArgsDict]:
    if model.weights.compile_cache:
        return [compile_cache.restoring(image, HOME, _compiled(model, plan, image), SECURITY_CONTEXT)]
    if plan.weights.downloaded and not plan.weights.shared:
        return weights.download_containers(model, plan, image, SECURITY_CONTEXT, with_token=with_token)
    return []


def _beside(model: Model, plan: ModelPlan, image: str) -> list[ContainerArgsDict]:
    if not model.weights.compile_cache:
        return []
    return [compile_cache.keeping(image, HOME, _compiled(model, plan, image), SECURITY_CONTEXT)]


def _compiled(model: Model, plan: ModelPlan, image: str) -> str:
    """One for both tiers, whose arguments differ in the drain alone."""
    arguments = engine_arguments(model, plan, plan.floor_drain, weights.location(model, plan))
    return compile_cache.fingerprint(image, plan, arguments, model.engine.environment)


def tolerations(group: NodeGroup) -> list[TolerationArgsDict]:
    return [{"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect} for taint in group.taints]


def tier_labels(plan: ModelPlan, tier: str) -> dict[str, str]:
    return model_labels(plan.name, plan.replicas_name) | {TIER_LABEL: tier}


def _spread(key: str, labels: dict[str, str]) -> TopologySpreadConstraintArgsDict:
    return {"max_skew": 1, "topology_key": key, "when_unsatisfiable": "ScheduleAnyway", "label_selector": {"match_labels": labels}}


def _server(model: Model, plan: ModelPlan, tier: Tier, image: str) -> ContainerArgsDict:
    variables: list[EnvVarArgsDict] = [{"name": name, "value": value} for name, value in _environment(model, plan).items()]
    mounts: list[VolumeMountArgsDict] = [
        {"name": "home", "mount_path": HOME},
        {"name": "tmp", "mount_path": "/tmp"},
        {"name": "shm", "mount_path": "/dev/shm"},
        *weights.mounts(plan),
        *chat_template.mounts(model),
    ]
    return {
        "name": "vllm",
        "image": image,
        "command": ["vllm", "serve"],
        "args": engine_arguments(model, plan, tier.drain, weights.location(model, plan)),
        "env": [*variables, *weights.credentials(plan)],
        "ports": [{"name": "http", "container_port": API_PORT}],
        "resources": _resources(plan),
        "security_context": SECURITY_CONTEXT,
        "volume_mounts": mounts,
        "startup_probe": _probe(period=PROBE_PERIOD, failures=plan.startup.failure_threshold),
        "liveness_probe": _probe(period=10, failures=6),
        "readiness_probe": _probe(period=5, failures=3),
        "lifecycle": {"pre_stop": {"sleep": {"seconds": tier.drain.pre_stop}}},
        "termination_message_policy": "FallbackToLogsOnError",  # keeps the last lines of the log in the pod's status
    }


def _probe(*, period: int, failures: int) -> ProbeArgsDict:
    """A probe of /health, which answers once the engine is up; a saturated server takes seconds, hence the timeout."""
    return {"http_get": {"path": "/health", "port": "http"}, "period_seconds": period, "timeout_seconds": 5, "failure_threshold": failures}


def _environment(model: Model, plan: ModelPlan) -> dict[str, str]:
    environment = {
        **{name: literal(value) for name, value in model.engine.environment.items()},
        "HOME": HOME,
        "USER": "vllm",  # PyTorch looks up a user name, which an image may not have for this UID
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(plan.startup.budget),
        **weights.streaming_environment(model),
        **_tracing_environment(plan),
    }
    if not plan.weights.streamed:
        environment["HF_HUB_OFFLINE"] = "1"
    if plan.pool.machine.is_cpu:
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(int(plan.memory.kv_cache))
    return environment


def _tracing_environment(plan: ModelPlan) -> dict[str, str]:
    """A request is traced if the gateway traces it; what comes without a trace, by the same share. Over HTTP: vLLM encrypts no gRPC."""
    if plan.tracing is None:
        return {}
    return {
        "OTEL_SERVICE_NAME": plan.name,
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": f"{plan.tracing.sampling_percent / 100:g}",
    }


def _resources(plan: ModelPlan) -> ResourceRequirementsArgsDict:
    shape = plan.shape
    gpus = {"nvidia.com/gpu": str(shape.gpus)} if shape.gpus else {}
    disk = {"ephemeral-storage": f"{plan.weights.disk_gib}Gi"}
    memory = {"memory": f"{int(shape.memory_gib * 1024)}Mi"}
    return {"requests": {"cpu": f"{int(shape.cpu * 1000)}m", **memory, **disk, **gpus}, "limits": {**memory, **gpus}}
