"""Findings of the doctor: a cause, a message and an advice. docs/troubleshooting.md explains each cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Severity(IntEnum):
    """Worst first."""

    FAULT = 0
    INFORMATION = 1


class Cause(StrEnum):
    """In the order in which to look at them: an earlier cause often leads to a later one."""

    NOT_DEPLOYED = "not-deployed"
    DRIVER_NOT_READY = "driver-not-ready"
    OPERATOR_NOT_READY = "operator-not-ready"
    EXTERNAL_METRICS_TAKEN = "external-metrics-taken"
    AUTOSCALER_NOT_READY = "autoscaler-not-ready"
    GATEWAY_NOT_READY = "gateway-not-ready"
    NODE_NOT_READY = "node-not-ready"
    GPU_NOT_ADVERTISED = "gpu-not-advertised"
    QUOTA_EXCEEDED = "quota-exceeded"
    POD_SECURITY = "pod-security"
    ADMISSION_REFUSED = "admission-refused"
    CLOUD_QUOTA = "cloud-quota"
    NO_CLOUD_CAPACITY = "no-cloud-capacity"
    POOL_EMPTY = "pool-empty"
    TAINT_NOT_TOLERATED = "taint-not-tolerated"
    NO_ROOM = "no-room"
    UNSCHEDULABLE = "unschedulable"
    VOLUME_NOT_READY = "volume-not-ready"
    IMAGE_REFUSED = "image-refused"
    IMAGE_SLOW = "image-slow"
    CONTAINER_NOT_CREATED = "container-not-created"
    WEIGHTS_REFUSED = "weights-refused"
    WEIGHTS_SLOW = "weights-slow"
    OUT_OF_MEMORY = "out-of-memory"
    OUT_OF_DISK = "out-of-disk"
    CUDA_OUT_OF_MEMORY = "cuda-out-of-memory"
    GPU_UNUSABLE = "gpu-unusable"
    STARTUP_EXCEEDED = "startup-exceeded"
    CRASH_LOOP = "crash-loop"
    READINESS_LOST = "readiness-lost"
    EVICTED = "evicted"
    ROLLOUT_STUCK = "rollout-stuck"
    REPLICAS_CHANGED = "replicas-changed"
    DRAIN_BLOCKED = "drain-blocked"
    STARTING = "starting"
    SPOT_WAITING = "spot-waiting"


# The alert that fires for a cause, whose page says what to do step by step.
RUNBOOKS = {
    Cause.AUTOSCALER_NOT_READY: "ScalerErrors",
    Cause.GATEWAY_NOT_READY: "GatewayDown",
    Cause.OPERATOR_NOT_READY: "GpuMetricsMissing",
    Cause.GPU_UNUSABLE: "GpuXidError",
    Cause.OUT_OF_MEMORY: "PodOutOfMemory",
    Cause.CUDA_OUT_OF_MEMORY: "PodCrashLooping",
    Cause.CRASH_LOOP: "PodCrashLooping",
    Cause.READINESS_LOST: "ModelDown",
    Cause.ROLLOUT_STUCK: "ModelBelowFloor",
    Cause.SPOT_WAITING: "SpotReclaimStorm",
    **dict.fromkeys((Cause.STARTUP_EXCEEDED, Cause.WEIGHTS_SLOW, Cause.IMAGE_SLOW), "StartupOverBudget"),
    **dict.fromkeys(
        (Cause.CLOUD_QUOTA, Cause.NO_CLOUD_CAPACITY, Cause.POOL_EMPTY, Cause.NO_ROOM, Cause.UNSCHEDULABLE, Cause.TAINT_NOT_TOLERATED),
        "PodPendingTooLong",
    ),
}


@dataclass(frozen=True)
class Finding:
    """`message` and `advice` name no pod, so that equal causes have equal texts; `subjects` names the pods."""

    about: tuple[str, ...]
    cause: Cause
    severity: Severity
    message: str
    advice: str
    subjects: tuple[str, ...] = ()

    @property
    def is_fault(self) -> bool:
        return self.severity is Severity.FAULT

    @property
    def runbook(self) -> str | None:
        """The page of the alert that fires for it."""
        alert = RUNBOOKS.get(self.cause)
        return f"docs/runbooks/{alert}.md" if alert else None


def fault(about: str, cause: Cause, message: str, advice: str, *subjects: str) -> Finding:
    return Finding((about,), cause, Severity.FAULT, message, advice, subjects)


def information(about: str, cause: Cause, message: str, advice: str, *subjects: str) -> Finding:
    return Finding((about,), cause, Severity.INFORMATION, message, advice, subjects)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Merges findings with the same cause and texts, with all their subjects; worst first."""
    same: dict[tuple[Severity, Cause, str, str], list[Finding]] = {}
    for one in findings:
        same.setdefault((one.severity, one.cause, one.message, one.advice), []).append(one)
    joined = [Finding(_joined(ones, "about"), *key_of(ones[0]), _joined(ones, "subjects")) for ones in same.values()]
    return sorted(joined, key=lambda one: (one.severity, list(Cause).index(one.cause), one.about))


def key_of(one: Finding) -> tuple[Cause, Severity, str, str]:
    return one.cause, one.severity, one.message, one.advice


def _joined(findings: Iterable[Finding], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for one in findings for value in getattr(one, field)))
