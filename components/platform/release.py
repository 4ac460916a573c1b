"""Helm releases: the chart's source, its namespace, and the settings of all releases.

Charts are pinned in `config/catalog/releases.yaml`. Each gets a namespace that this program owns, with the Pod Security level that
its pods need, and a fixed release name, because other charts and Services refer to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.naming import MANAGED
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
    opts: pulumi.ResourceOptions,
) -> Release:
    """Installs a chart of the catalogue. `timeout_seconds` must cover the pull of its images."""
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
        opts=opts,
    )


def own_namespace(name: str, *, pod_security: PodSecurity, opts: pulumi.ResourceOptions) -> Namespace:
    labels = {**MANAGED, "pod-security.kubernetes.io/enforce": pod_security}
    return Namespace(name, metadata={"name": name, "labels": labels}, opts=opts)


def merged(values: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Merges chart values as Helm does: mappings are merged, other values replaced."""
    result = dict(values)
    for key, value in extra.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
