"""Rules about what runs in the cluster: pods, images, namespaces, replicas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .rule import Options, Resource, Rule

_PODS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
# Tags that are moved to newer images.
_MOVING = {"", "latest", "nightly", "main", "master", "stable", "edge", "dev"}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RESTRICTED = "pod-security.kubernetes.io/enforce"
_TIER = "vllm-platform/tier"
_GPU = "nvidia.com/gpu"
# The Secret with the clients' keys, which Envoy's pods mount.
_API_KEYS = "gateway-api-keys"


def _kind(one: Resource) -> str:
    return one.type.rpartition(":")[2] if one.type.startswith("kubernetes:") else ""


def _template(one: Resource) -> Mapping[str, Any] | None:
    """The pod's template of what makes pods, or the pod itself."""
    kind = _kind(one)
    if kind == "Pod":
        return one.properties
    path = "spec.jobTemplate.spec.template" if kind == "CronJob" else "spec.template" if kind in _PODS else None
    return one.at(path) if path else None


def _containers(one: Resource) -> Iterator[Mapping[str, Any]]:
    spec = (_template(one) or {}).get("spec") or {}
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _pinned_images(one: Resource, _: Options) -> Iterator[str]:
    for container in _containers(one):
        name, digest, _hash = container["image"].partition("@sha256:")
        tag = name.rpartition("/")[2].partition(":")[2]
        if not digest and tag in _MOVING:
            yield f"container {container['name']} runs {container['image']}, which is another image tomorrow"
    if _kind(one) == "Release" and not one.at("version"):
        yield "the chart has no version"


def _pinned_revisions(one: Resource, _: Options) -> Iterator[str]:
    for container in _containers(one):
        command = [*(container.get("command") or ()), *(container.get("args") or ())]
        if command[:2] != ["hf", "download"]:
            continue
        revision = next((text.partition("=")[2] for text in command if text.startswith("--revision=")), "")
        if not _COMMIT.fullmatch(revision):
            yield f"container {container['name']} downloads {command[2]} at {revision or 'the newest revision'}, which can change"


def _restricted_pods(one: Resource, options: Options) -> Iterator[str]:
    if _kind(one) == "Namespace":
        labels = one.at("metadata.labels") or {}
        if one.at("metadata.name") not in options["privileged"] and labels.get(_RESTRICTED) != "restricted":
            yield f"the label {_RESTRICTED} is not restricted"
        return
    spec = (_template(one) or {}).get("spec")
    if spec is None or one.namespace in options["privileged"]:
        return
    shared = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    yield from (f"{key} is set" for key in shared)
    yield from (f"volume {volume['name']} is a folder of the node" for volume in spec.get("volumes") or () if "hostPath" in volume)
    pod = spec.get("securityContext") or {}
    for container in _containers(one):
        own = container.get("securityContext") or {}
        yield from (f"container {container['name']} {what}" for what in _unrestricted(pod, own))


def _unrestricted(pod: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "may run as root"
    if "ALL" not in ((own.get("capabilities") or {}).get("drop") or ()):
        yield "keeps capabilities"


def _requests_and_limits(one: Resource, _: Options) -> Iterator[str]:
    for container in _containers(one):
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        missing = [f"requests.{name}" for name in ("cpu", "memory") if name not in requests and name not in limits]
        missing += [] if "memory" in limits else ["limits.memory"]
        missing += ["limits.nvidia.com/gpu"] if _GPU in requests and _GPU not in limits else []
        yield from (f"container {container['name']} has no {name}" for name in missing)


def _network_policies(resources: Sequence[Resource], _: Options) -> Iterator[tuple[Resource, str]]:
    denied = {
        one.namespace
        for one in resources
        if _kind(one) == "NetworkPolicy"
        and not one.at("spec.podSelector")
        and set(one.at("spec.policyTypes") or ()) == {"Ingress", "Egress"}
        and not one.at("spec.ingress")
        and not one.at("spec.egress")
    }
    for one in resources:
        if _kind(one) == "Namespace" and one.at("metadata.name") not in denied:
            yield one, f"no NetworkPolicy of the namespace {one.at('metadata.name')} denies what no other one allows"


def _disruption_budgets(resources: Sequence[Resource], _: Options) -> Iterator[tuple[Resource, str]]:
    budgets = [one for one in resources if _kind(one) == "PodDisruptionBudget"]
    for one in resources:
        if _kind(one) not in ("Deployment", "StatefulSet"):
            continue
        labels = ((_template(one) or {}).get("metadata") or {}).get("labels") or {}
        if not any(budget.namespace == one.namespace and _selects(budget, labels) for budget in budgets):
            yield one, "no PodDisruptionBudget selects its pods: a node's drain may evict all of them at once"


def _selects(budget: Resource, labels: Mapping[str, str]) -> bool:
    wanted = budget.at("spec.selector.matchLabels") or {}
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def _floor_of_two(one: Resource, options: Options) -> Iterator[str]:
    labels = ((_template(one) or {}).get("metadata") or {}).get("labels") or {}
    replicas = one.at("spec.replicas")
    if labels.get(_TIER) == "floor" and replicas is not None and replicas < options["replicas"]:
        yield f"its floor is {replicas:g}, below {options['replicas']:g}: a lost node takes the model away until another is ready"


def _public_endpoints(resources: Sequence[Resource], _: Options) -> Iterator[tuple[Resource, str]]:
    with_keys = {one.namespace for one in resources if _API_KEYS in _mounted_secrets(one)}
    for one in resources:
        kind = _kind(one)
        public = kind in ("Ingress", "Gateway") or (kind == "Service" and one.at("spec.type") == "LoadBalancer")
        if not public:
            continue
        if not _is_encrypted(kind, one):
            yield one, "it takes connections without TLS"
        if one.namespace not in with_keys:
            yield one, "what stands behind it asks for no API key"


def _mounted_secrets(one: Resource) -> set[str]:
    volumes = ((_template(one) or {}).get("spec") or {}).get("volumes") or ()
    sources = [source for volume in volumes for source in (volume.get("projected") or {}).get("sources") or ()]
    return {source["secret"]["name"] for source in sources if "secret" in source}


def _is_encrypted(kind: str, one: Resource) -> bool:
    if kind == "Gateway":
        return all(listener.get("protocol") in ("HTTPS", "TLS") for listener in one.at("spec.listeners") or ())
    if kind == "Ingress":
        annotations = one.at("metadata.annotations") or {}
        return bool(one.at("spec.tls")) or "networking.gke.io/managed-certificates" in annotations
    return all(port.get("port") == 443 for port in one.at("spec.ports") or ())


RULES = (
    Rule(
        "public-endpoint",
        "Whoever finds an open endpoint uses its GPUs, and reads along where it has no TLS.",
        "give gateway.tls and gateway.clients, or set gateway.exposure: cluster-ip",
        together=_public_endpoints,
    ),
    Rule("pinned-images", "A restart must run what was reviewed.", "name a version, or a digest", _pinned_images),
    Rule(
        "pinned-revisions",
        "A model's owner can replace its weights, and the code in its repository.",
        "set revision to the commit, 40 hexadecimal digits",
        _pinned_revisions,
    ),
    Rule(
        "restricted-pods",
        "A pod that can become root on its node has the keys of every other pod there.",
        "keep to the Pod Security Standard `restricted`",
        _restricted_pods,
        options={"privileged": ["gpu-operator", "monitoring"]},
    ),
    Rule(
        "network-policy", "A pod that is taken over must reach nothing.", "add a NetworkPolicy that denies all", together=_network_policies
    ),
    Rule("disruption-budget", "Upgrades of nodes must not take a model away.", "add a PodDisruptionBudget", together=_disruption_budgets),
    Rule(
        "requests-and-limits",
        "A pod without requests is put where there is no room, and one without a memory limit takes its neighbours' memory.",
        "set the container's requests and its memory limit",
        _requests_and_limits,
    ),
    Rule(
        "floor-of-two",
        "With one replica, a lost node is an outage of minutes.",
        "raise scaling.floor, or except the model with a reason",
        _floor_of_two,
        level="advisory",
        options={"replicas": 2},
    ),
)
