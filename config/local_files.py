"""What a stack needs on the machine that deploys it: the kubeconfig of an existing cluster, and a folder of charts.

Only `pulumi preview` and `pulumi up` refuse a stack for it; `make preview` of a pull request runs where neither is, and says so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from config import catalog
from config.cluster import ExistingCluster
from config.errors import Problem, suggestion
from config.settings import Settings

# client-go's rest.InClusterConfig: what a pod that deploys has instead of a kubeconfig.
_IN_A_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_PATH, _CONTEXT, _CHARTS = "cluster.kubeconfig", "cluster.context", "platform.chartMirror"


def local_file_problems(settings: Settings, environment: Mapping[str, str] = os.environ) -> list[Problem]:
    """What `pulumi up` would miss on this machine."""
    found = list(_missing_charts(settings))
    if isinstance(settings.cluster, ExistingCluster):
        found += _kubeconfig_problems(settings.cluster, environment)
    return found


def _missing_charts(settings: Settings) -> Iterator[Problem]:
    mirror = settings.platform.chart_mirror
    if mirror is None or "://" in mirror:
        return
    folder = Path(mirror)
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "there is no such folder"
        yield Problem(_CHARTS, f"'{mirror}': {reason}", "give the folder that holds the charts' archives, from the project's folder")
        return
    for name in _charts(settings):
        chart = catalog.chart(name)
        archive = catalog.archive(name)
        if not (folder / archive).is_file():
            others = sorted(path.name for path in folder.glob(f"{name}-*.tgz"))
            instead = f" (it has {', '.join(others)})" if others else ""
            fix = f"helm pull {name} --repo {chart.repository} --version {chart.version} --destination {mirror}"
            yield Problem(_CHARTS, f"'{mirror}' has no {archive}{instead}", fix)
        elif chart.digest and chart.digest != (found := f"sha256:{hashlib.sha256((folder / archive).read_bytes()).hexdigest()}"):
            message = f"{archive} of '{mirror}' has {found}, and {chart.digest} is pinned"
            yield Problem(_CHARTS, message, f"get the published one: helm pull {name} --repo {chart.repository} --version {chart.version}")


def _charts(settings: Settings) -> Iterator[str]:
    machines = catalog.machine_types()
    if settings.platform.gpu_operator.enabled and any(
        pool.hardware.accelerator if pool.hardware else pool.machine_type in machines and machines[pool.machine_type].gpus
        for pool in settings.node_pools.values()
    ):
        yield "gpu-operator"
    if settings.platform.monitoring.enabled:
        yield "kube-prometheus-stack"
        if settings.platform.autoscaler.enabled and any(
            model.scaling.ceiling > model.scaling.floor for model in settings.deployed.values()
        ):
            yield "keda"
    if settings.platform.metrics_server:
        yield "metrics-server"


def _kubeconfig_problems(cluster: ExistingCluster, environment: Mapping[str, str]) -> Iterator[Problem]:
    """In the order in which Pulumi's Kubernetes provider looks: the setting, $KUBECONFIG, ~/.kube/config, the pod's own account."""
    named = cluster.kubeconfig or environment.get("KUBECONFIG")
    source = f"'{cluster.kubeconfig}'" if cluster.kubeconfig else "$KUBECONFIG" if named else "~/.kube/config"
    file = Path(named or "~/.kube/config").expanduser()
    if not cluster.kubeconfig and named and _is_content(named):
        text = named
    elif not cluster.kubeconfig and named and os.pathsep in named and not file.exists():
        message = f"$KUBECONFIG names {len(named.split(os.pathsep))} files, and Pulumi's Kubernetes provider reads one"
        yield Problem(_PATH, message, "merge them: kubectl config view --flatten > <file>, and give that file here")
        return
    elif not named and not file.exists() and _IN_A_POD.exists() and "KUBERNETES_SERVICE_HOST" in environment:
        return
    else:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            yield Problem(_PATH, f"{source} cannot be read: {reason}", "give the kubeconfig of the cluster, such as ~/.kube/lab")
            return
    try:
        content = yaml.load(text, catalog.Loader)  # noqa: S506 - CSafeLoader is the safe loader in C
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict) or not _by_name(content, "contexts"):
        yield Problem(_PATH, f"{source} is no kubeconfig: it has no contexts", "give the kubeconfig of the cluster, such as ~/.kube/lab")
        return
    # The provider hands a named file's text on, so that paths in it count from where Pulumi runs; client-go reads its default file itself.
    yield from _context_problems(cluster, content, source, Path() if named else file.parent)


def _is_content(named: str) -> bool:
    """Whether $KUBECONFIG holds a kubeconfig's text, which the provider takes as well."""
    return named.lstrip().startswith("{") or "\n" in named.strip()


def _context_problems(cluster: ExistingCluster, content: dict[str, Any], source: str, folder: Path) -> Iterator[Problem]:
    contexts = _by_name(content, "contexts")
    chosen = cluster.context or content.get("current-context")
    known = "one of: " + ", ".join(sorted(contexts))
    if not chosen:
        yield Problem(_CONTEXT, f"not given, and no context is current in {source}", known)
        return
    if chosen not in contexts:
        what = f"'{chosen}'" if cluster.context else f"the current one, '{chosen}',"
        yield Problem(_CONTEXT, f"{what} is no context of {source}", suggestion(str(chosen), contexts, otherwise=known))
        return
    context = contexts[chosen].get("context") or {}
    for key in ("cluster", "user"):
        entry = _by_name(content, f"{key}s").get(context.get(key))
        if entry is None:
            if key == "cluster" or context.get(key):
                message = f"context '{chosen}' is of {key} '{context.get(key)}', which {source} does not have"
                yield Problem(_CONTEXT, message, f"mend the file, or choose another context: {known}")
            continue
        yield from _missing_files(entry.get(key) or {}, f"{key} '{context[key]}' of {source}", folder)


def _missing_files(entry: dict[str, Any], what: str, folder: Path) -> Iterator[Problem]:
    for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        path = entry.get(key)
        # Where the data itself stands beside it, client-go does not read the file.
        if path and not entry.get(f"{key}-data") and not (folder / str(path)).is_file():
            yield Problem(_PATH, f"{key} of {what} is '{path}', and there is no such file", "write its whole path, or embed it: "
                          "kubectl config view --flatten --minify")  # fmt: skip
    command = (entry.get("exec") or {}).get("command")
    if command and shutil.which(str(command)) is None:
        yield Problem(_PATH, f"{what} gets its token from '{command}', which this machine does not have", "install it and put it on PATH")


def _by_name(content: dict[str, Any], key: str) -> dict[Any, dict[str, Any]]:
    entries = content.get(key)
    listed = entries if isinstance(entries, list) else []
    return {entry["name"]: entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("name"), str)}
