"""Scheduled pods: images, download of weights, start and end of the engine. The first fault found explains the pod."""

from __future__ import annotations

from collections.abc import Iterator

from planning.startup import PROBE_PERIOD, SAFETY
from tools.doctor import endings, images
from tools.doctor.findings import Cause, Finding, fault, information
from tools.doctor.objects import Container, Object, condition, containers, is_true, name, seconds_between, seconds_since, status
from tools.doctor.snapshot import Case, Replicas

_NOT_CREATED = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError", "PostStartHookError")
_NO_SANDBOX = ("FailedCreatePodSandBox", "FailedMount", "FailedAttachVolume", "FailedMapVolume")
_KILLED = 137
# Not slow below these: the kubelet sets up the pod, the download connects.
_LEAST_IMAGE_SECONDS = 120
_LEAST_DOWNLOAD_SECONDS = 60


def container_findings(case: Case, replicas: Replicas) -> Iterator[Finding]:
    for pod in replicas.pods:
        if pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp"):
            found = _explained(_Replica(case, replicas, pod))
            if found:
                yield found


class _Replica:
    """One pod of a model, with its planned start-up times and its events."""

    def __init__(self, case: Case, replicas: Replicas, pod: Object) -> None:
        self.snapshot, self.replicas, self.pod = case.snapshot, replicas, pod
        self.startup = replicas.model.startup
        self.events = case.snapshot.events_about(pod)

    def fault(self, cause: Cause, message: str, advice: str) -> Finding:
        return fault(self.replicas.about, cause, message, advice, name(self.pod))

    def information(self, cause: Cause, message: str, advice: str) -> Finding:
        return information(self.replicas.about, cause, message, advice, name(self.pod))

    def seconds_since(self, time: str | None) -> float:
        return seconds_since(time, self.snapshot.taken_at)


def _explained(replica: _Replica) -> Finding | None:
    if status(replica.pod).get("phase") == "Failed":
        return _ended_by_its_node(replica)
    for container in containers(replica.pod):
        if found := _of_container(replica, container):
            return found
    return None if is_true(replica.pod, "Ready") else _not_started(replica)


def _ended_by_its_node(replica: _Replica) -> Finding:
    """A pod in phase Failed, replaced since: evicted, stopped with its spot node, or rejected by the kubelet."""
    now = status(replica.pod)
    message = f"a replica was ended by its node: {now.get('reason', 'Failed')}: {now.get('message', '').rstrip('. ')}"
    advice = (
        "nothing for a spot node; if it recurs elsewhere, raise resources.memoryGiB or weights.storageGiB, or see the node's device plugin"
    )
    return replica.information(Cause.EVICTED, message, advice)


def _of_container(replica: _Replica, container: Container) -> Finding | None:
    reason = container.waiting.get("reason")
    if reason in images.REASONS:
        return replica.fault(Cause.IMAGE_REFUSED, *images.refusal(container, replica.events))
    if reason in _NOT_CREATED:
        message = f"container {container.name} cannot be created: {container.waiting.get('message', reason)}"
        advice = "a missing Secret: `pulumi up`; a message of the NVIDIA runtime: see the GPU Operator's toolkit"
        return replica.fault(Cause.CONTAINER_NOT_CREATED, message, advice)
    if container.failed and not _is_old_news(container):
        return _ended(replica, container)
    if container.running and container.init:
        return _download_running(replica, container)
    if container.running and not container.ready:
        return _server_running(replica, container)
    if container.failed:
        return _restarted(replica, container)
    return None


def _is_old_news(container: Container) -> bool:
    """Whether the failure is over: the container runs since, or was an init container that has succeeded."""
    return container.ready or container.status.get("started", False)


def _ended(replica: _Replica, container: Container) -> Finding:
    end, text = container.ended, replica.snapshot.last_words(container)
    if end.get("reason") == "OOMKilled":
        return _out_of_memory(replica, container)
    known = endings.download_ending(text) if container.init else endings.engine_ending(text)
    if known:
        return replica.fault(known.cause, known.message, known.advice)
    if not container.init and _used_up_its_budget(replica, container):
        return _startup_exceeded(replica)
    if end["exitCode"] == _KILLED:
        return _out_of_memory(replica, container)
    said = endings.last_lines(text) or "it said nothing"
    what = "the download of the weights" if container.init else "the engine"
    message = f"{what} ends with exit code {end['exitCode']} again and again: {said}"
    advice = f"see `kubectl logs --previous -c {container.name}` of the pod"
    return replica.fault(Cause.CRASH_LOOP, message, advice)


def _out_of_memory(replica: _Replica, container: Container) -> Finding:
    limits = next(iter(_limits(replica.pod, container)), {})
    message = f"container {container.name} was killed (exit 137): it needs more memory than its limit of {limits.get('memory', 'none')}"
    if container.init:
        return replica.fault(Cause.OUT_OF_MEMORY, message, "keep the weights in a bucket (weights.uri), which needs no download")
    return replica.fault(Cause.OUT_OF_MEMORY, message, "raise the model's resources.memoryGiB, or move it to a machine with more memory")


def _limits(pod: Object, container: Container) -> Iterator[Object]:
    for one in pod["spec"].get("initContainers" if container.init else "containers") or ():
        if one["name"] == container.name:
            yield (one.get("resources") or {}).get("limits") or {}


def _used_up_its_budget(replica: _Replica, container: Container) -> bool:
    """Whether the startupProbe killed the container: an event says so for an hour; after that, its running time shows it."""
    if any("failed startup probe" in event.get("message", "") for event in replica.events):
        return True
    budget = replica.startup.budget
    lived = seconds_between(container.ended.get("startedAt"), container.ended.get("finishedAt"))
    return budget - PROBE_PERIOD <= lived <= budget + replica.replicas.tier.drain.grace_period + 2 * PROBE_PERIOD


def _startup_exceeded(replica: _Replica) -> Finding:
    budget = replica.startup.budget
    message = f"the engine was not ready within its start-up budget of {budget} s and is restarted each time"
    advice = "see what its log waits for; if it only needs longer, set the model's startupBudgetSeconds"
    return replica.fault(Cause.STARTUP_EXCEEDED, message, advice)


def _download_running(replica: _Replica, container: Container) -> Finding:
    limit = max(_LEAST_DOWNLOAD_SECONDS, SAFETY * replica.startup.download)
    if replica.seconds_since(container.running.get("startedAt")) > limit:
        message = f"the download of the weights takes longer than {limit / 60:.0f} min, at least twice the time planned for it"
        advice = "check egress of the nodes, plan with weights.mibPerSecond, or keep the weights in a bucket (weights.uri)"
        return replica.fault(Cause.WEIGHTS_SLOW, message, advice)
    return _starting(replica)


def _server_running(replica: _Replica, container: Container) -> Finding:
    if container.status.get("started"):
        message = "a replica that was ready no longer answers /health in time"
        advice = "see its log and GPU; its liveness probe restarts it if it stays so, and the other replicas serve meanwhile"
        return replica.fault(Cause.READINESS_LOST, message, advice)
    if replica.seconds_since(container.running.get("startedAt")) > replica.startup.budget + 2 * PROBE_PERIOD:
        return _startup_exceeded(replica)
    return _starting(replica)


def _starting(replica: _Replica) -> Finding:
    message = f"a replica is starting, planned to take about {replica.startup.expected / 60:.0f} min on a new node"
    return replica.information(Cause.STARTING, message, "wait")


def _restarted(replica: _Replica, container: Container) -> Finding:
    end = container.ended
    why = "out of memory" if end.get("reason") == "OOMKilled" else f"exit code {end['exitCode']}"
    message = f"a replica serves now, but ended before ({why})"
    return replica.information(Cause.CRASH_LOOP, message, "see `kubectl logs --previous` if it recurs")


def _not_started(replica: _Replica) -> Finding | None:
    """A scheduled pod whose containers are still being created: volumes, sandbox, image."""
    if any(container.running or container.ended for container in containers(replica.pod)):
        return None  # the node is not ready, which is a finding about the node
    held_up = [event for event in replica.events if event.get("reason") in _NO_SANDBOX]
    since = replica.seconds_since(condition(replica.pod, "PodScheduled").get("lastTransitionTime"))
    if held_up and since > _LEAST_IMAGE_SECONDS:
        message = f"its pod cannot be set up on the node: {held_up[-1].get('message', '')}"
        return replica.fault(Cause.VOLUME_NOT_READY, message, "see the claim, its StorageClass and the node's network plugin")
    limit = max(_LEAST_IMAGE_SECONDS, SAFETY * replica.startup.image)
    if since > limit:
        message = f"its image has not arrived on the node within {limit / 60:.0f} min, at least twice the time planned for it"
        advice = "turn image streaming on (imageStreaming), or mirror the images near the nodes (platform.imageMirror)"
        return replica.fault(Cause.IMAGE_SLOW, message, advice)
    return _starting(replica)
