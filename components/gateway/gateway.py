"""One OpenAI-compatible address in front of all models: Envoy, in a namespace of its own.

Creates the namespace, the Secrets of Envoy's configuration and keys, its Deployment and autoscaler, and its exposure. The model servers
are in `serving`; the pure functions in `envoy/` write Envoy's configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler, HPAScalingRulesArgsDict, ResourceMetricSourceArgsDict
from pulumi_kubernetes.core.v1 import Namespace, Secret, Service, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import Ingress, NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.gateway import exposure, pod
from components.gateway.backends import backends
from components.gateway.envoy import api_keys, routes
from components.gateway.envoy.bootstrap import bootstrap, watched_files
from components.gateway.envoy.routes import ModelRoute
from components.gateway.isolation import network_policies
from components.gateway.pod import LABELS, NAME
from components.gateway.rate_limits import RateLimits, RateLimitsArgs
from components.images import image_reference
from components.naming import GATEWAY_NAMESPACE, MANAGED
from components.secrets import client_keys
from config import catalog
from config.cluster import Cluster
from config.errors import Problem, StackError
from config.settings import Settings
from planning.gateway import GatewayPlan
from planning.plan import Plan

SECRET_BYTES = 1024**2
CPU_UTILIZATION_PERCENT = 70
_TIMEOUT = "15m"


@dataclass(frozen=True)
class GatewayArgs:
    plan: GatewayPlan
    routes: Sequence[ModelRoute]
    cluster: Cluster
    image: str
    client_keys: pulumi.Output[dict[str, str]] | None
    """API keys by client. None: without authentication."""
    scrape_interval_seconds: int | None
    """None: no Prometheus, so no PodMonitor."""
    monitoring: pulumi.Resource | None
    """The release that installs the PodMonitor CRD."""
    passed: Sequence[pulumi.Resource]
    """What must have succeeded before the routes change: the Jobs that candidates must pass."""
    checked: bool
    """Whether there are blue-green models, whose Jobs ask the gateway's pods."""


class Gateway(pulumi.ComponentResource):
    """The gateway and its exposure."""

    url: str
    """URL for pods of the cluster."""
    public_url: pulumi.Output[str] | None
    """URL for callers outside the cluster. None: not exposed."""
    routes: Secret
    routes_version: str

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:gateway:Gateway", name, None, opts)
        self._args, self._settings = args, args.plan.settings
        self._child = pulumi.ResourceOptions(parent=self)
        namespace = Namespace("gateway-namespace", metadata=_namespace_metadata(), opts=self._child)
        self._within = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        policies = self._isolation()
        account = ServiceAccount("gateway-account", metadata=_metadata(NAME), automount_service_account_token=False, opts=self._within)
        deployment = self._deployment([account, *policies, *self._configuration(), self._replicas_service()])
        self._availability(deployment)
        service = self._service(deployment)
        self._exposure(service)
        self._monitoring()
        self.url = exposure.internal_url(self._settings)
        self.public_url = self._public_url(service)
        self.register_outputs({"url": self.url, "public_url": self.public_url})

    def _isolation(self) -> list[pulumi.Resource]:
        return [
            NetworkPolicy(f"gateway-{policy}", metadata=_metadata(policy), spec=spec, opts=self._within)
            for policy, spec in network_policies(
                self._args.cluster, self._settings, self._args.plan.tracing, checked=self._args.checked
            ).items()
        ]

    def _configuration(self) -> list[pulumi.Resource]:
        plan, keys, process = self._args.plan, self._args.client_keys, pod.process(self._args.plan)
        self._bootstrap = _compact(bootstrap(plan, process))
        watched = watched_files(plan, self._args.routes, process.tls_folder)
        files = {file: _compact(content) for file, content in watched.items()}
        for content in files.values():
            _check_size(content, len(plan.models))
        contents: dict[str, pulumi.Input[str]] = {pod.BOOTSTRAP_FILE: self._bootstrap, **files}
        if keys is not None:
            contents[api_keys.FILE] = keys.apply(_api_keys)
        passed = pulumi.ResourceOptions.merge(self._within, pulumi.ResourceOptions(depends_on=[*self._args.passed]))
        options = {routes.FILE: passed}
        secrets = {
            file: Secret(name, metadata=_metadata(name), string_data={file: contents[file]}, opts=options.get(file, self._within))
            for file, name in ((file, pod.secret_name(file)) for file in pod.files(plan))
        }
        self.routes, self.routes_version = secrets[routes.FILE], routes.version(watched[routes.FILE])
        return [*secrets.values()]

    def _deployment(self, needed: Sequence[pulumi.Resource]) -> Deployment:
        """`replicas` is left to the HorizontalPodAutoscaler."""
        checksum = hashlib.sha256(self._bootstrap.encode()).hexdigest()[:16]
        return Deployment(
            NAME,
            metadata=_metadata(NAME),
            spec={
                "selector": {"match_labels": LABELS},
                "revision_history_limit": 5,
                "strategy": {"type": "RollingUpdate", "rolling_update": {"max_surge": 1, "max_unavailable": 0}},
                "template": pod.pod_template(self._args.plan, self._args.image, checksum=checksum),
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*needed], custom_timeouts=pulumi.CustomTimeouts(create=_TIMEOUT, update=_TIMEOUT)
            ),
        )

    def _replicas_service(self) -> Service:
        """A headless Service of all gateway pods, which divide the clients' rates by their number. Not awaited: pods are created later."""
        return Service(
            pod.REPLICAS_SERVICE,
            metadata=_metadata(pod.REPLICAS_SERVICE, {"pulumi.com/skipAwait": "true"}),
            spec={"cluster_ip": "None", "selector": LABELS, "ports": [{"name": "api", "port": pod.API_PORT, "target_port": "api"}]},
            opts=self._within,
        )

    def _availability(self, deployment: Deployment) -> None:
        replicas = self._settings.replicas
        PodDisruptionBudget(
            "gateway-budget",
            metadata=_metadata(NAME),
            spec={"max_unavailable": 1, "unhealthy_pod_eviction_policy": "AlwaysAllow", "selector": {"match_labels": LABELS}},
            opts=self._within,
        )
        cpu: ResourceMetricSourceArgsDict = {
            "name": "cpu",
            "target": {"type": "Utilization", "average_utilization": CPU_UTILIZATION_PERCENT},
        }
        one_by_one: HPAScalingRulesArgsDict = {
            "stabilization_window_seconds": 300,
            "policies": [{"type": "Pods", "value": 1, "period_seconds": 60}],
        }
        HorizontalPodAutoscaler(
            "gateway-autoscaler",
            metadata=_metadata(NAME),
            spec={
                "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": NAME},
                "min_replicas": replicas.min,
                "max_replicas": replicas.max,
                "metrics": [{"type": "Resource", "resource": cpu}],
                "behavior": {"scale_down": one_by_one},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )

    def _service(self, deployment: Deployment) -> Service:
        return Service(
            "gateway-service",
            metadata=_metadata(NAME, exposure.service_annotations(self._args.cluster, self._settings)),
            spec=exposure.service_spec(self._settings),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )

    def _exposure(self, service: Service) -> None:
        after = pulumi.ResourceOptions(parent=self, depends_on=[service])
        for one in exposure.custom_objects(self._settings):
            CustomResource(
                f"gateway-{one.kind.lower()}",
                api_version=one.api_version,
                kind=one.kind,
                metadata=_metadata(NAME, one.annotations),
                spec=one.spec,
                opts=after,
            )
        spec = exposure.ingress_spec(self._settings)
        if spec is not None and self._settings.ingress is not None:
            Ingress("gateway-ingress", metadata=_metadata(NAME, self._settings.ingress.annotations), spec=spec, opts=after)

    def _monitoring(self) -> None:
        if self._args.scrape_interval_seconds is None:
            return
        endpoint = {
            "port": "operations",
            "path": "/stats/prometheus",
            "interval": f"{self._args.scrape_interval_seconds}s",
            "params": {"usedonly": [""]},
        }
        after = [self._args.monitoring] if self._args.monitoring else []
        CustomResource(
            "gateway-monitor",
            api_version="monitoring.coreos.com/v1",
            kind="PodMonitor",
            metadata=_metadata(NAME),
            spec={"selector": {"matchLabels": LABELS}, "podMetricsEndpoints": [endpoint]},
            opts=pulumi.ResourceOptions.merge(self._within, pulumi.ResourceOptions(depends_on=after)),
        )

    def _public_url(self, service: Service) -> pulumi.Output[str] | None:
        if url := exposure.public_url(self._settings):
            return pulumi.Output.from_input(url)
        if self._settings.exposure != "load-balancer":
            return None
        scheme = "https" if self._settings.tls else "http"
        address = service.status.load_balancer.ingress[0].apply(lambda ingress: ingress.ip or ingress.hostname)
        return pulumi.Output.format("{}://{}/v1", scheme, address)


def create_gateway(
    settings: Settings,
    plan: Plan,
    monitoring: pulumi.Resource | None,
    passed: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> Gateway | None:
    """The gateway of the stack; None without `gateway`. `passed`: what must have succeeded before the routes change."""
    if plan.gateway is None:
        return None
    args = GatewayArgs(
        plan=plan.gateway,
        routes=[ModelRoute(model, backends(model)) for model in plan.gateway.models.values()],
        cluster=settings.cluster,
        image=image_reference(settings, catalog.image("envoy").reference),
        client_keys=client_keys(settings) if plan.gateway.settings.authentication == "api-key" else None,
        scrape_interval_seconds=settings.platform.monitoring.scrape_interval_seconds if monitoring else None,
        monitoring=monitoring,
        passed=passed,
        checked=any(model.rollout.strategy == "blue-green" for model in settings.models.values()),
    )
    if plan.gateway.budgets:
        _rate_limits(settings, plan.gateway, opts)
    return Gateway(NAME, args, opts=opts)


def _rate_limits(settings: Settings, plan: GatewayPlan, opts: pulumi.ResourceOptions) -> None:
    """Beside the gateway, which serves without it: a Redis that does not start must not hold back a key that is withdrawn."""
    images = {name: image_reference(settings, catalog.image(name).reference) for name in ("ratelimit", "redis")}
    RateLimits("rate-limits", RateLimitsArgs(plan, settings.cluster, images["ratelimit"], images["redis"]), opts=opts)


def _api_keys(keys: Mapping[str, str]) -> str:
    try:
        return _compact(api_keys.api_keys(keys))
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None


def _check_size(content: str, models: int) -> None:
    if len(content) > SECRET_BYTES:
        message = f"{models} models make a configuration of {len(content)} bytes for the gateway, and a Secret holds {SECRET_BYTES}"
        raise StackError([Problem("models", message, "spread them over several stacks, each with a gateway of its own")])


def _metadata(name: str, annotations: dict[str, str] | None = None) -> ObjectMetaArgsDict:
    metadata: ObjectMetaArgsDict = {"name": name, "namespace": GATEWAY_NAMESPACE, "labels": LABELS | MANAGED}
    if annotations:
        metadata["annotations"] = annotations
    return metadata


def _namespace_metadata() -> ObjectMetaArgsDict:
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"name": GATEWAY_NAMESPACE, "labels": {**MANAGED, **levels}}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
