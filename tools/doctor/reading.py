"""Reads a `Snapshot` from a live cluster, and changes nothing.

Needs permission to list nodes, namespaces, pods, Deployments, DaemonSets, PodDisruptionBudgets and events; reads logs and an APIService if
permitted.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from components.naming import GATEWAY_NAMESPACE, MANAGED, MODEL_LABEL
from components.platform.gpu_operator import NAMESPACE as OPERATOR
from config.cluster import Cluster, ExistingCluster
from tools.doctor.autoscaler import EXTERNAL_METRICS
from tools.doctor.objects import Container, Object, containers, labels, name, namespace
from tools.doctor.platform import SYSTEM
from tools.doctor.snapshot import Snapshot

_PAGE = 500
_TIMEOUT_SECONDS = 20
_LOG_TIMEOUT_SECONDS = 5
_LOG_LINES = 400
_LOG_BYTES = 200_000
_PLATFORM = (OPERATOR, SYSTEM, GATEWAY_NAMESPACE)


class ClusterError(Exception):
    """The cluster cannot be read; the message says why and what to do."""


def connect(cluster: Cluster, context: str | None) -> tuple[client.ApiClient, str]:
    """A client, and the context that it uses: the given one, the stack's, or the kubeconfig's current one.

    Raises:
        ClusterError: there is no such kubeconfig or context.
    """
    existing = isinstance(cluster, ExistingCluster)
    path = cluster.kubeconfig if existing else None
    context = context or (cluster.context if existing else None)
    try:
        contexts, current = config.list_kube_config_contexts(path)
        chosen = context or current["name"]
        if chosen not in [one["name"] for one in contexts]:
            raise ClusterError(f"the kubeconfig has no context '{chosen}'; {_how_to_connect(cluster)}")
        return config.new_client_from_config(path, context=chosen), chosen
    except (config.ConfigException, OSError) as error:
        raise ClusterError(f"the cluster cannot be reached: {error}; {_how_to_connect(cluster)}") from None


def _how_to_connect(cluster: Cluster) -> str:
    if isinstance(cluster, ExistingCluster):
        return "set cluster.kubeconfig and cluster.context, or KUBECONFIG and CONTEXT=<context>"
    return "run `$(pulumi stack output kubeconfigCommand)`, or name another: CONTEXT=<context>"


def read_snapshot(api: client.ApiClient) -> Snapshot:
    """The cluster as it is now.

    Raises:
        ClusterError: the API server does not answer, or denies access.
    """
    try:
        return _read(api)
    except ApiException as error:
        raise ClusterError(_refusal(error)) from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise ClusterError(f"the cluster does not answer: {error}; check that it is up and admits this machine") from None


def _refusal(error: ApiException) -> str:
    if error.status == 401:
        return "the cluster rejects the credentials (401); log in again, on GKE: `gcloud auth login`"
    if error.status == 403:
        said = json.loads(error.body or "{}").get("message", "")
        return f"the cluster denies access (403): {said}; ask for the ClusterRole `view` on the whole cluster and permission to list nodes"
    return f"the cluster answers {error.status} {error.reason}; try again, or see its control plane"


def _read(api: client.ApiClient) -> Snapshot:
    core, apps, policy = client.CoreV1Api(api), client.AppsV1Api(api), client.PolicyV1Api(api)
    models = tuple(_list(core.list_pod_for_all_namespaces, label_selector=MODEL_LABEL))
    platform = [pod for space in _PLATFORM for pod in _list(core.list_namespaced_pod, space)]
    return Snapshot(
        taken_at=datetime.now(UTC),
        namespaces=frozenset(map(name, _list(core.list_namespace))),
        nodes=tuple(_list(core.list_node)),
        pods=(*models, *platform),
        deployments=tuple(_of_interest(_list(apps.list_deployment_for_all_namespaces))),
        daemon_sets=tuple(_of_interest(_list(apps.list_daemon_set_for_all_namespaces))),
        external_metrics=_external_metrics(api),
        disruption_budgets=tuple(_list(policy.list_pod_disruption_budget_for_all_namespaces)),
        events=tuple(
            event for kind in ("type=Warning", "reason=Killing") for event in _list(core.list_event_for_all_namespaces, field_selector=kind)
        ),
        logs=dict(_logs(core, models)),
    )


def _external_metrics(api: client.ApiClient) -> Object | None:
    """None where there is none, or it may not be read: the ClusterRole `view` does not have it."""
    try:
        return json.loads(_answer(client.ApiregistrationV1Api(api).read_api_service, EXTERNAL_METRICS, _request_timeout=_TIMEOUT_SECONDS))
    except ApiException as error:
        if error.status in (403, 404):
            return None
        raise


def _of_interest(workloads: Iterable[Object]) -> Iterator[Object]:
    managed = set(MANAGED.items())
    return (one for one in workloads if namespace(one) in _PLATFORM or managed <= set(labels(one).items()))


def _list(call: Callable[..., Any], *arguments: str, **options: Any) -> Iterator[Object]:
    """All items, read page by page, with the API's own keys."""
    token: str | None = None
    while True:
        more = {"_continue": token} if token else {}
        page = json.loads(_answer(call, *arguments, limit=_PAGE, _request_timeout=_TIMEOUT_SECONDS, **more, **options))
        yield from page.get("items") or ()
        token = page["metadata"].get("continue")
        if not token:
            return


def _answer(call: Callable[..., Any], *arguments: str, **options: Any) -> bytes:
    """The API's raw response, because the client's classes would drop unknown fields."""
    return call(*arguments, _preload_content=False, **options).data


def _logs(core: client.CoreV1Api, pods: Iterable[Object]) -> Iterator[tuple[tuple[str, str, str], str]]:
    """The end of the log of each failed container. A log that cannot be read is left out: the pod's status has its last lines."""
    for pod in pods:
        for container in containers(pod):
            if container.failed:
                with contextlib.suppress(ApiException, urllib3.exceptions.HTTPError):
                    yield (namespace(pod), name(pod), container.name), _log(core, container)


def _log(core: client.CoreV1Api, container: Container) -> str:
    answer = _answer(
        core.read_namespaced_pod_log,
        name(container.pod),
        namespace(container.pod),
        container=container.name,
        previous=container.ended_before,
        tail_lines=_LOG_LINES,
        limit_bytes=_LOG_BYTES,
        _request_timeout=_LOG_TIMEOUT_SECONDS,
    )
    return answer.decode(errors="replace")
