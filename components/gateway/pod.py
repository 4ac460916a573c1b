"""The pod template of the gateway, as a pure function of the plan.

Envoy runs under the `restricted` Pod Security level with a read-only root file system. Its watched files come from Secrets in one volume,
which the kubelet swaps as a whole; only a change of the bootstrap replaces pods.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    ExecActionArgsDict,
    PodSecurityContextArgsDict,
    PodTemplateSpecArgsDict,
    ProbeArgsDict,
    SecurityContextArgsDict,
    TopologySpreadConstraintArgsDict,
    VolumeArgsDict,
    VolumeMountArgsDict,
    VolumeProjectionArgsDict,
)

from components.gateway import rate_limits
from components.gateway.envoy import api_keys, certificate, clients, clusters, routes
from components.gateway.envoy.bootstrap import Process
from components.naming import GATEWAY_NAMESPACE, MANAGED
from planning.gateway import GatewayPlan

NAME = "gateway"
LABELS = {"app.kubernetes.io/name": NAME}
REPLICAS_SERVICE = "gateway-replicas"
API_PORT, OPERATIONS_PORT, ADMIN_PORT = 8080, 9902, 9901
LOG_FLUSH_MILLISECONDS = 1000
BOOTSTRAP_FILE = "bootstrap.json"
_FOLDER, _TLS_FOLDER = "/etc/gateway", "/etc/gateway-tls"
# Time for Envoy to exit after the drain.
_EXIT_SECONDS = 15
_PROBE_SECONDS = 5
_UID = 101  # user `envoy` of the image
_POD_SECURITY_CONTEXT: PodSecurityContextArgsDict = {
    "run_as_non_root": True,
    "run_as_user": _UID,
    "run_as_group": _UID,
    "fs_group": _UID,
    "seccomp_profile": {"type": "RuntimeDefault"},
}
_SECURITY_CONTEXT: SecurityContextArgsDict = {
    "allow_privilege_escalation": False,
    "read_only_root_filesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def process(plan: GatewayPlan) -> Process:
    """Envoy's ports and folders in the pod."""
    return Process(
        folder=_FOLDER,
        port=API_PORT,
        operations_port=OPERATIONS_PORT,
        admin_port=ADMIN_PORT,
        replicas=(f"{REPLICAS_SERVICE}.{GATEWAY_NAMESPACE}.svc.cluster.local", API_PORT),
        rate_limits=(rate_limits.HOST, rate_limits.PORT),
        tls_folder=_TLS_FOLDER if plan.settings.tls else None,
    )


def drain_command(admin_port: int, seconds: int) -> list[str]:
    return _script("drain", admin_port, seconds)


def probe_command(admin_port: int) -> list[str]:
    return _script("probe", admin_port)


def _script(name: str, *arguments: int) -> list[str]:
    return ["bash", "-c", Path(__file__).with_name(f"{name}.sh").read_text(), name, *map(str, arguments)]


def envoy_arguments(bootstrap: str, workers: int, drain_seconds: int, log_flush_milliseconds: int = LOG_FLUSH_MILLISECONDS) -> list[str]:
    """Arguments of the command `envoy`, which does not accept `--option=value`. `bootstrap`: path of its configuration."""
    options = {
        "config-path": bootstrap,
        "service-cluster": NAME,
        "service-node": NAME,
        "concurrency": str(workers),
        "drain-time-s": str(drain_seconds),
        "drain-strategy": "immediate",
        "log-level": "warning",
        # Suppresses the warnings at every start about extensions that Envoy marks as work in progress.
        "component-log-level": "misc:error",
        "file-flush-interval-msec": str(log_flush_milliseconds),
    }
    return ["--disable-hot-restart", *(word for name, value in options.items() for word in (f"--{name}", value))]


def pod_template(plan: GatewayPlan, image: str, *, checksum: str) -> PodTemplateSpecArgsDict:
    """A PodTemplateSpec. `checksum`: hash of the bootstrap, so that a change of it replaces the pods."""
    return {
        "metadata": {"labels": LABELS | MANAGED, "annotations": {"vllm-platform/bootstrap": checksum}},
        "spec": {
            "service_account_name": NAME,
            "automount_service_account_token": False,
            "enable_service_links": False,
            "termination_grace_period_seconds": plan.settings.drain_seconds + _EXIT_SECONDS,
            "security_context": _POD_SECURITY_CONTEXT,
            "topology_spread_constraints": [_spread("topology.kubernetes.io/zone"), _spread("kubernetes.io/hostname")],
            "containers": [_envoy(plan, image)],
            "volumes": _volumes(plan),
        },
    }


def _spread(key: str) -> TopologySpreadConstraintArgsDict:
    return {"max_skew": 1, "topology_key": key, "when_unsatisfiable": "ScheduleAnyway", "label_selector": {"match_labels": LABELS}}


def _envoy(plan: GatewayPlan, image: str) -> ContainerArgsDict:
    settings = plan.settings
    memory = {"memory": f"{int(settings.memory_gib * 1024)}Mi"}
    mounts: list[VolumeMountArgsDict] = [{"name": "configuration", "mount_path": _FOLDER, "read_only": True}]
    if settings.tls:
        mounts.append({"name": "tls", "mount_path": _TLS_FOLDER, "read_only": True})
    return {
        "name": "envoy",
        "image": image,
        "command": ["envoy"],
        "args": envoy_arguments(f"{_FOLDER}/{BOOTSTRAP_FILE}", settings.cpu, settings.drain_seconds),
        "ports": [{"name": "api", "container_port": API_PORT}, {"name": "operations", "container_port": OPERATIONS_PORT}],
        "resources": {"requests": {"cpu": str(settings.cpu), **memory}, "limits": memory},
        "security_context": _SECURITY_CONTEXT,
        "volume_mounts": mounts,
        "startup_probe": _probe(period=2, failures=60),
        "readiness_probe": _probe(period=5, failures=2),
        "liveness_probe": _probe(period=10, failures=3),
        "lifecycle": {"pre_stop": {"exec_": {"command": drain_command(ADMIN_PORT, settings.drain_seconds)}}},
        "termination_message_policy": "FallbackToLogsOnError",
    }


def _probe(*, period: int, failures: int) -> ProbeArgsDict:
    command: ExecActionArgsDict = {"command": probe_command(ADMIN_PORT)}
    return {"exec_": command, "period_seconds": period, "timeout_seconds": _PROBE_SECONDS, "failure_threshold": failures}


def secret_name(file: str) -> str:
    """Name of the Secret with one file of the configuration: a Secret is limited to 1 MiB."""
    return f"gateway-{file.removesuffix('.json')}"


def files(plan: GatewayPlan) -> list[str]:
    """Names of the files in the configuration folder."""
    keys = [api_keys.FILE] if plan.settings.authentication == "api-key" else []
    certificates = [certificate.FILE] if plan.settings.tls else []
    return [BOOTSTRAP_FILE, clients.FILE, clusters.FILE, routes.FILE, *keys, *certificates]


def _volumes(plan: GatewayPlan) -> list[VolumeArgsDict]:
    sources: list[VolumeProjectionArgsDict] = [{"secret": {"name": secret_name(file)}} for file in files(plan)]
    volumes: list[VolumeArgsDict] = [{"name": "configuration", "projected": {"sources": sources}}]
    if plan.settings.tls:
        volumes.append({"name": "tls", "secret": {"secret_name": plan.settings.tls.secret_name}})
    return volumes
