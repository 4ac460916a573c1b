"""Faults of pods as a kubelet reports them, and the doctor's expected finding for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from planning.startup import StartupPlan
from tools.doctor.findings import Cause

Object = dict[str, Any]
IMAGE = "docker.io/vllm/vllm-openai:v0.33.0"
_HOUR = 3600


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def waiting(reason: str, message: str = "") -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def running(seconds: float, *, started: bool = False, ready: bool = False) -> Object:
    return {"state": {"running": {"startedAt": ago(seconds)}}, "started": started, "ready": ready}


def ended(exit_code: int, said: str = "", *, reason: str = "Error", lived: float = 30) -> Object:
    """A `terminated` state that ended a minute ago, after `lived` seconds."""
    times = {"startedAt": ago(60 + lived), "finishedAt": ago(60)}
    return {"terminated": {"exitCode": exit_code, "reason": reason, "message": said, **times}}


def crashing(exit_code: int, said: str = "", **how: Any) -> Object:
    back_off = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container")
    return {**back_off, "lastState": ended(exit_code, said, **how), "restartCount": 4}


def pod_status(download: Object, server: Object | None = None, scheduled: float = _HOUR) -> Object:
    """The status of a model's pod that is not ready. Without `server`, its download has not ended."""
    server = server or waiting("PodInitializing")
    initialized = str("PodInitializing" not in str(server))
    conditions = {"PodScheduled": "True", "Initialized": initialized, "ContainersReady": "False", "Ready": "False"}
    return {
        "phase": "Running" if initialized == "True" else "Pending",
        "conditions": [{"type": kind, "status": value, "lastTransitionTime": ago(scheduled)} for kind, value in conditions.items()],
        "initContainerStatuses": [_container("download", download)],
        "containerStatuses": [_container("vllm", server)],
    }


def _container(name: str, state: Object) -> Object:
    return {"name": name, "image": IMAGE, "imageID": "", "ready": False, "restartCount": 0, **state}


DONE: Object = {"state": {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": ago(90), "finishedAt": ago(60)}}, "ready": True}


@dataclass(frozen=True)
class Fault:
    cause: Cause
    says: str
    status: Callable[[StartupPlan], Object]


def _download(cause: Cause, says: str, state: Object) -> Fault:
    return Fault(cause, says, lambda _: pod_status(state))


def _server(cause: Cause, says: str, state: Object) -> Fault:
    return Fault(cause, says, lambda _: pod_status(DONE, state))


def _pull(says: str, error: str) -> Fault:
    return _download(Cause.IMAGE_REFUSED, says, waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {error}'))


_KV_CACHE = (
    "ValueError: To serve at least one request with the model's max seq len (16384), (2.25 GiB KV cache is needed, which is larger than "
    "the available KV cache memory (1.77 GiB). Based on the available memory, the estimated maximum model length is 12768."
)

FAULTS = {
    "image: not found": _pull("no such image", "rpc error: code = NotFound desc = failed to resolve reference: not found"),
    "image: 401": _pull("401", "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized"),
    "image: 403": _pull("403", "failed to fetch anonymous token: unexpected status: 403 Forbidden"),
    "image: 429": _pull("429", "toomanyrequests: You have reached your pull rate limit"),
    "image: no network": _pull("no answer", "dial tcp: lookup docker.io: no such host"),
    "image: slow": Fault(
        Cause.IMAGE_SLOW, "not arrived", lambda plan: pod_status(waiting("PodInitializing"), scheduled=2 * plan.image + 150)
    ),
    "download: 401": _download(
        Cause.WEIGHTS_REFUSED, "401", crashing(1, "Client error '401 Unauthorized' for url 'https://huggingface.co'")
    ),
    "download: 403": _download(Cause.WEIGHTS_REFUSED, "403", crashing(1, "403 Client Error. ... you are not in the authorized list.")),
    "download: 404": _download(Cause.WEIGHTS_REFUSED, "404", crashing(1, "RepositoryNotFoundError: 404 Client Error.")),
    "download: revision": _download(Cause.WEIGHTS_REFUSED, "no such revision", crashing(1, "Revision Not Found for url: 404 Client Error")),
    "download: 429": _download(Cause.WEIGHTS_REFUSED, "429", crashing(1, "HfHubHTTPError: 429 Client Error: Too Many Requests")),
    "download: no network": _download(Cause.WEIGHTS_REFUSED, "cannot be reached", crashing(1, "[Errno -2] Name or service not known")),
    "download: disk": _download(Cause.OUT_OF_DISK, "is full", crashing(1, "OSError: [Errno 28] No space left on device")),
    "download: memory": _download(Cause.OUT_OF_MEMORY, "download was killed", crashing(137, reason="OOMKilled")),
    "download: slow": Fault(Cause.WEIGHTS_SLOW, "takes longer", lambda plan: pod_status(running(2 * plan.download + 90))),
    "download: other": _download(Cause.CRASH_LOOP, "download of the weights ends .* strange", crashing(2, "something strange")),
    "host memory": _server(Cause.OUT_OF_MEMORY, r"exit 137.*limit of \d+Mi", crashing(137, reason="OOMKilled")),
    "host memory, seen as a kill": _server(Cause.OUT_OF_MEMORY, "exit 137", crashing(137)),
    "CUDA memory": _server(Cause.CUDA_OUT_OF_MEMORY, "CUDA out of memory", crashing(1, "torch.OutOfMemoryError: CUDA out of memory.")),
    "KV cache": _server(Cause.CUDA_OUT_OF_MEMORY, "KV cache", crashing(1, _KV_CACHE)),
    "GPU in use": _server(
        Cause.CUDA_OUT_OF_MEMORY,
        "something else",
        crashing(
            1, "ValueError: Free memory on device cuda:0 (3.1/22.0 GiB) on startup is less than desired GPU memory utilization (0.92)"
        ),
    ),
    "driver too old": _server(
        Cause.GPU_UNUSABLE, "too old", crashing(1, "The NVIDIA driver on your system is too old (found version 12040)")
    ),
    "no GPU in the container": _server(Cause.GPU_UNUSABLE, "sees no GPU", crashing(1, "RuntimeError: No CUDA GPUs are available")),
    "bucket": _server(Cause.WEIGHTS_REFUSED, "bucket", crashing(1, "does not have storage.objects.get access to the bucket")),
    "crash": _server(
        Cause.CRASH_LOOP,
        "exit code 1 .*: Traceback / RuntimeError: no idea",
        crashing(1, "Traceback\n\nRuntimeError: no idea\n"),
    ),
    "secret missing": _server(
        Cause.CONTAINER_NOT_CREATED, 'secret "x" not found', waiting("CreateContainerConfigError", 'secret "x" not found')
    ),
    "start-up budget": Fault(Cause.STARTUP_EXCEEDED, "budget", lambda plan: pod_status(DONE, crashing(0, lived=plan.budget + 5))),
    "start-up budget, still running": Fault(
        Cause.STARTUP_EXCEEDED, "budget", lambda plan: pod_status(DONE, running(plan.budget + 60, started=False))
    ),
    "readiness lost": _server(Cause.READINESS_LOST, "no longer answers", running(_HOUR, started=True)),
}
