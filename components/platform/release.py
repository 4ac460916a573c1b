"""Helm releases: the chart's source, its namespace, and the settings of all releases.

Charts are pinned in `config/catalog/releases.yaml`. Each gets a namespace that this program owns, with the Pod Security level that
its pods need, and a fixed release name, because other charts and Services refer to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release
from pulumi_kubernetes.networking.v1 import NetworkPolicySpecArgsDict

from components.naming import MANAGED
from components.platform.isolation import create_policies
from config import catalog

PodSecurity = Literal["restricted", "baseline", "privileged"]
RELEASES_KEPT = 5


@dataclass(frozen=True)
class ChartSource:
    """Helm's arguments for a chart: its name in a repository, an `oci://` address, or the path of an archive."""

    chart: str
    version: str | None
    repository: str | None


def chart_source(name: str, mirror: str | None) -> ChartSource:
    """Source of a chart of the catalogue. A mirror is an OCI registry, an HTTP repository, or a folder of archives as
    `helm pull` names them; an archive's version is in its file name."""
    chart = catalog.chart(name)
    repository = mirror or chart.repository
    if repository.startswith("oci://"):
        return ChartSource(f"{repository.rstrip('/')}/{name}", chart.version, None)
    if repository.startswith(("https://", "http://")):
        return ChartSource(name, chart.version, repository)
    return ChartSource(f"{repository.rstrip('/')}/{catalog.archive(name)}", None, None)


def helm_release(
    chart: str,
    *,
    namespace: str,
    values: Mapping[str, Any],
    mirror: str | None,
    timeout_seconds: int,
    parent: pulumi.Resource,
    anchor: pulumi.Resource | None,
    needed: Sequence[pulumi.Resource],
) -> Release:
    """Installs a chart of the catalogue, after what it needs. `timeout_seconds` must cover the pull of its images. `anchor`: the cluster,
    with which it is gone."""
    source = chart_source(chart, mirror)
    return Release(
        chart,
        name=chart,
        namespace=namespace,
        create_namespace=False,
        chart=source.chart,
        version=source.version,
        repository_opts={"repo": source.repository} if source.repository else None,
        values=values,
        timeout=timeout_seconds,
        cleanup_on_fail=True,
        max_history=RELEASES_KEPT,
        opts=pulumi.ResourceOptions(parent=parent, deleted_with=anchor, depends_on=needed),
    )


def own_namespace(
    name: str,
    *,
    pod_security: PodSecurity,
    policies: Mapping[str, NetworkPolicySpecArgsDict],
    parent: pulumi.Resource,
    anchor: pulumi.Resource | None,
    has_disks: bool = False,
) -> list[pulumi.Resource]:
    """A namespace, first, and its NetworkPolicies: what a release in it needs. `has_disks`: it is deleted before the cluster, because its
    disks would remain."""
    labels = {**MANAGED, "pod-security.kubernetes.io/enforce": pod_security}
    here = pulumi.ResourceOptions(parent=parent, deleted_with=None if has_disks else anchor)
    namespace = Namespace(name, metadata={"name": name, "labels": labels}, opts=here)
    inside = pulumi.ResourceOptions(parent=parent, deleted_with=anchor, depends_on=[namespace])
    return [namespace, *create_policies(name, policies, inside)]


def merged(values: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Merges chart values as Helm does: mappings are merged, other values replaced."""
    result = dict(values)
    for key, value in extra.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
