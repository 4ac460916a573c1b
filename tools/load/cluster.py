"""Makes a load test's Job, follows its log and takes everything away again, whatever happens.

Needs leave to read the model's pods, and in the gateway's namespace to make and delete Jobs and NetworkPolicies and to read pods' logs.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterator
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from components.naming import GATEWAY_NAMESPACE, MODEL_LABEL, model_namespace
from tools.load.job import CONTAINER, Manifest

_POLL_SECONDS = 2
_START_SECONDS = 900  # a node that comes for it, and the image's download
_SILENCE_SECONDS = 1800
_END_POLLS = 15
_TIMEOUT_SECONDS = 20


class Unfinished(Exception):  # noqa: N818 - reads as what happened
    """The test gave no result; the message says why."""


def ready_replicas(api: client.ApiClient, model: str) -> int:
    """How many serve now.

    Raises:
        Unfinished: none, or the cluster does not tell.
    """
    try:
        pods = _pods(client.CoreV1Api(api), model_namespace(model), f"{MODEL_LABEL}={model}")
    except ApiException as error:
        raise Unfinished(_refusal(error)) from None
    ready = sum({"Ready": "True"}.items() <= _conditions(pod).items() for pod in pods)
    if not ready:
        raise Unfinished(f"no replica of '{model}' is ready; `make doctor` says why")
    return ready


def _pods(core: client.CoreV1Api, namespace: str, selector: str) -> list[Manifest]:
    """As the API spells them."""
    answer: Any = core.list_namespaced_pod(namespace, label_selector=selector, _preload_content=False, _request_timeout=_TIMEOUT_SECONDS)
    return json.loads(answer.data)["items"]


def _conditions(pod: Manifest) -> dict[str, str]:
    return {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}


def _states(pod: Manifest, state: str) -> list[Manifest]:
    """Of its containers that are `waiting` or `terminated`."""
    return [found for one in pod["status"].get("containerStatuses", []) if (found := one["state"].get(state))]


@contextlib.contextmanager
def created(api: client.ApiClient, job: Any, policies: list[Manifest]) -> Generator[str]:
    """The Job's name while it is there.

    Raises:
        Unfinished: one is there already, of another who tests the same model.
    """
    batch, network = client.BatchV1Api(api), client.NetworkingV1Api(api)
    name = job["metadata"]["name"]
    try:
        made: Any = batch.create_namespaced_job(GATEWAY_NAMESPACE, job, _request_timeout=_TIMEOUT_SECONDS)
    except ApiException as error:
        if error.status == 409:
            raise Unfinished(f"a load test of this model is there: wait, or kubectl -n {GATEWAY_NAMESPACE} delete job {name}") from None
        raise Unfinished(_refusal(error)) from None
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": made.metadata.uid}
    try:
        for policy in policies:
            owned: Any = policy | {"metadata": policy["metadata"] | {"ownerReferences": [owner]}}
            network.create_namespaced_network_policy(GATEWAY_NAMESPACE, owned, _request_timeout=_TIMEOUT_SECONDS)
        yield name
    except ApiException as error:
        raise Unfinished(_refusal(error)) from None
    finally:
        for policy in policies:  # those of a Job that is gone already, too
            with contextlib.suppress(ApiException):
                network.delete_namespaced_network_policy(policy["metadata"]["name"], GATEWAY_NAMESPACE, _request_timeout=_TIMEOUT_SECONDS)
        with contextlib.suppress(ApiException):  # should this fail, the Job deletes itself an hour after its end
            batch.delete_namespaced_job(name, GATEWAY_NAMESPACE, propagation_policy="Background", _request_timeout=_TIMEOUT_SECONDS)


def follow(api: client.ApiClient, job_name: str) -> Iterator[str]:
    """The lines of the Job's log as they come, to its end.

    Raises:
        Unfinished: the pod did not start, or failed.
    """
    core = client.CoreV1Api(api)
    pod = _started(core, job_name)
    said = core.read_namespaced_pod_log(
        pod, GATEWAY_NAMESPACE, container=CONTAINER, follow=True, _preload_content=False, _request_timeout=_SILENCE_SECONDS
    )
    try:
        yield from (line.decode(errors="replace") for line in _lines(said))
    except urllib3.exceptions.HTTPError as error:
        raise Unfinished(f"its log broke off: {error}") from None
    check_end(core, job_name)


def _started(core: client.CoreV1Api, job_name: str) -> str:
    deadline, why = time.monotonic() + _START_SECONDS, "it has no pod"
    while time.monotonic() < deadline:
        for pod in _pods(core, GATEWAY_NAMESPACE, f"job-name={job_name}"):
            if pod["status"].get("phase", "Pending") != "Pending":
                return pod["metadata"]["name"]
            why = _waiting(pod)
        time.sleep(_POLL_SECONDS)
    raise Unfinished(f"the pod did not start within {_START_SECONDS} s: {why}")


def _waiting(pod: Manifest) -> str:
    said = [f"{one.get('reason')}: {one.get('message', '')}" for one in _states(pod, "waiting")]
    unmet = [one["message"] for one in pod["status"].get("conditions", []) if one["status"] == "False" and one.get("message")]
    return "; ".join([*unmet, *said]) or "pending"


def check_end(core: client.CoreV1Api, job_name: str) -> None:
    """Waits until the Job's pod has ended.

    Raises:
        Unfinished: badly.
    """
    for _ in range(_END_POLLS):
        for pod in _pods(core, GATEWAY_NAMESPACE, f"job-name={job_name}"):
            if pod["status"]["phase"] == "Succeeded":
                return
            if pod["status"]["phase"] == "Failed":
                raise Unfinished(f"the pod failed: {_last_words(pod)}")
        time.sleep(_POLL_SECONDS)
    raise Unfinished("its log ended and the pod did not")


def _last_words(pod: Manifest) -> str:
    ended = "\n".join(one.get("message") or one.get("reason") or "" for one in _states(pod, "terminated"))
    return " / ".join(ended.strip().splitlines()[-3:]) or pod["status"].get("reason") or "no reason given"


def _lines(chunks: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks.stream(2**14):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _refusal(error: ApiException) -> str:
    said = json.loads(error.body or "{}").get("message", error.reason) if error.body else error.reason
    return f"the cluster answers {error.status}: {said}"
