"""What protects the platform: controls that are on or off, read from what Pulumi is asked for, and what each policy found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from config.settings import Settings
from policy.rules import RULES, Level, Resource, Violation
from policy.rules.google import CLUSTER, NODE_POOL
from tools.preview.offline import Recording
from tools.preview.report.words import counted, listed

_NAMESPACE, _NETWORK_POLICY = "kubernetes:core/v1:Namespace", "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_ENFORCED = "pod-security.kubernetes.io/enforce"
_ANYWHERE = "0.0.0.0/0"
_TLS = {"gke-gateway": "Google's load balancer terminates it", "ingress": "the ingress controller terminates it"}


@dataclass(frozen=True)
class Control:
    name: str
    state: Literal["on", "partly", "off"]
    detail: str

    @property
    def colour(self) -> str:
        return {"on": "good", "partly": "warn", "off": "quiet"}[self.state]


@dataclass(frozen=True)
class Judgement:
    """What a policy says of the stack. `colour`: a class of the style sheet."""

    rule: str
    reason: str
    level: Level
    result: str
    colour: Literal["good", "warn", "bad", "quiet"]


def controls(settings: Settings, recording: Recording) -> list[Control]:
    resources = [Resource(one.type, one.name, one.inputs) for one in recording.resources]
    return [*_of_requests(settings), *_of_pods(settings, resources), *_of_google(settings, resources)]


def _on(name: str, on: object, when_on: str, when_off: str) -> Control:
    return Control(name, "on" if on else "off", when_on if on else when_off)


def _of_requests(settings: Settings) -> Iterator[Control]:
    gateway = settings.gateway
    if gateway is None:
        return
    keys = gateway.authentication == "api-key"
    yield _on("Keys of clients", keys, f"{counted(len(gateway.clients), 'client')}", "whoever reaches the gateway may call")
    if gateway.tls or (gateway.exposure in _TLS and not gateway.insecure):
        yield Control("TLS to the gateway", "on", "Envoy terminates it" if gateway.tls else _TLS[gateway.exposure])
    else:
        inside = gateway.exposure == "cluster-ip"
        yield Control(
            "TLS to the gateway", "off", "requests stay inside the cluster" if inside else "requests and keys leave the cluster in clear"
        )


def _of_pods(settings: Settings, resources: Sequence[Resource]) -> Iterator[Control]:
    namespaces = [one for one in resources if one.type == _NAMESPACE]
    policies = [one for one in resources if one.type == _NETWORK_POLICY]
    denied = {
        one.namespace for one in policies if not one.at("spec.podSelector") and not one.at("spec.ingress") and not one.at("spec.egress")
    }
    yield _of_all("NetworkPolicies", namespaces, denied, "deny what none of them allows", f"{counted(len(policies), 'policy', 'policies')}")
    restricted = {_named(one) for one in namespaces if (one.at("metadata.labels") or {}).get(_ENFORCED) == "restricted"}
    yield _of_all("Restricted pods", namespaces, restricted, "admit restricted pods alone", "Pod Security admission")
    open_to_all = {one.namespace for one in policies if _reaches_anywhere(one)}
    models = {f"model-{name}": name for name in settings.models}
    reaching = [models[one] for one in models if one in open_to_all]
    state = "on" if not reaching else "off" if len(reaching) == len(models) else "partly"
    detail = f"port 443 of public addresses is open to {listed(reaching)}" if reaching else "none reaches a public address"
    yield Control("Model servers without internet", state, detail)
    trusting = [name for name, model in settings.deployed.items() if model.engine.trust_remote_code]
    yield _on("No code from models' repositories", not trusting, "trustRemoteCode is off for every model", f"{listed(trusting)} run it")


def _of_all(name: str, namespaces: Sequence[Resource], good: set[str], what: str, by: str) -> Control:
    rest = [one for one in map(_named, namespaces) if one not in good]
    if not rest:
        return Control(name, "on", f"{by}: all {len(namespaces)} namespaces {what}")
    return Control(name, "partly" if len(rest) < len(namespaces) else "off", f"{by}: not in {listed(rest)}")


def _named(one: Resource) -> str:
    return one.at("metadata.name") or one.name


def _reaches_anywhere(one: Resource) -> bool:
    rules = one.at("spec.egress") or ()
    return any(peer.get("ipBlock", {}).get("cidr") == _ANYWHERE for rule in rules for peer in rule.get("to") or ())


def _of_google(settings: Settings, resources: Sequence[Resource]) -> Iterator[Control]:
    """Nothing where the cluster exists already: its nodes and its control plane are not the stack's."""
    cluster = next((one for one in resources if one.type == CLUSTER), None)
    if cluster is None or settings.cluster.provider != "gke":
        return
    pools = [one for one in resources if one.type == NODE_POOL]
    private = all(one.at("networkConfig.enablePrivateNodes") is True for one in pools)
    yield _on("Private nodes", private, "no node has a public address", "nodes have public addresses")
    shielded = all(one.at("nodeConfig.shieldedInstanceConfig.enableSecureBoot") is True for one in pools)
    yield _on("Shielded nodes", shielded, "secure boot and integrity monitoring", "nodes boot what they find")
    identity = cluster.at("workloadIdentityConfig.workloadPool")
    yield _on("Workload Identity", identity, "pods cannot take their node's account", "pods have their node's account")
    yield _on(
        "Deletion protection", cluster.at("deletionProtection"), "the cluster refuses to be deleted", "an update can delete the cluster"
    )
    outside = cluster.at("controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic")
    yield _on(
        "Control plane inside the VPC only", not outside, "externalDnsEndpoint is false", "its DNS endpoint asks IAM, from everywhere"
    )
    secrets = cluster.at("databaseEncryption.state") == "ENCRYPTED"
    yield _on("A key of yours for Secrets", secrets, "in etcd, by Cloud KMS", "in etcd by Google's key")
    disks = settings.cluster.security.disk_kms_key
    yield _on("A key of yours for disks", disks, "boot disks, by Cloud KMS", "boot disks by Google's key")
    admitted = cluster.at("binaryAuthorization.evaluationMode") != "DISABLED"
    yield _on("Binary Authorization", admitted, "the project's policy admits images", "images are not asked about")
    logs = settings.cluster.security.control_plane_logs
    yield _on("Logs of the control plane", logs, listed(logs), "not kept")
    logged = settings.cluster.security.network_policy_logging
    yield _on("Logs of NetworkPolicies", logged != "NONE", logged.lower(), "not kept")


def judgements(levels: Mapping[str, Level], violations: Sequence[Violation]) -> list[Judgement]:
    """Every rule of the policy pack, with its level for this stack."""
    return [_judgement(rule.id, rule.reason, levels[rule.id], [one for one in violations if one.rule == rule.id]) for rule in RULES]


def _judgement(rule: str, reason: str, level: Level, found: Sequence[Violation]) -> Judgement:
    if level == "disabled":
        return Judgement(rule, reason, level, "not asked", "quiet")
    if not found:
        return Judgement(rule, reason, level, "kept", "good")
    named = listed(one.resource for one in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    return Judgement(rule, reason, level, f"violated by {named}", "bad" if level == "mandatory" else "warn")
