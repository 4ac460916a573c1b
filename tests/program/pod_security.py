"""The `restricted` Pod Security Standard, as the API server enforces it: kubernetes.io/docs/concepts/security/pod-security-standards.

`tests/cluster/test_admission.py` compares it with the API server's own judgement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_PROFILES = ("RuntimeDefault", "Localhost")
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}


def violations(spec: Object) -> list[str]:
    """What the level `restricted` forbids in a PodSpec."""
    pod = spec.get("securityContext") or {}
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    return [*_of_pod(spec, pod), *(f"{one['name']}: {what}" for one in containers for what in _of_container(pod, one))]


def _of_pod(spec: Object, pod: Object) -> Iterator[str]:
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key))
    yield from (f"volume {one['name']}" for one in spec.get("volumes") or () if not set(one) - {"name"} <= _VOLUMES)
    yield from (f"sysctl {one['name']}" for one in pod.get("sysctls") or () if one["name"] not in _SYSCTLS)
    if pod.get("runAsUser") == 0:
        yield "runAsUser 0"


def _of_container(pod: Object, container: Object) -> Iterator[str]:
    own = container.get("securityContext") or {}
    yield from (key for key in ("privileged",) if own.get(key))
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if not own.get("runAsNonRoot", pod.get("runAsNonRoot")):
        yield "runAsNonRoot"
    if own.get("runAsUser") == 0:
        yield "runAsUser 0"
    if (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in _PROFILES:
        yield "seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in capabilities.get("drop", ()) or not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}:
        yield "capabilities"
    yield from ("hostPort" for port in container.get("ports") or () if port.get("hostPort"))
