"""One colour of a model: its Deployments, their scalers and budgets, the Service in front of them, its chat template and its volume.

A model has one colour, and two while a candidate stands beside the live one. What both share (namespace, ServiceAccount, Secrets,
NetworkPolicies, quota, rules) is in model_stack.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, PersistentVolumeClaim, PodTemplateSpecArgsDict, Service
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.naming import API_PORT, FLOOR, MANAGED, MODEL_LABEL, TIER_LABEL, discovered, model_labels, model_namespace
from components.serving import chat_template, rollout, weights, weights_job
from components.serving.in_place import refuse_changed_pods
from components.serving.pod import Tier, pod_template
from components.serving.scaling import scaled_object_spec
from config.models import Model
from planning.plan import ModelPlan


@dataclass(frozen=True)
class Colour:
    """A model, or the candidate that may replace it."""

    model: Model
    plan: ModelPlan
    image: str
    autoscaler: pulumi.Resource | None
    """The release that installs the CRD of ScaledObject. None: the burst is scaled by hand."""
    frozen: bool = False
    """Its pods must not change: they have clients' requests, and a candidate is the way to change them."""

    @property
    def name(self) -> str:
        return self.plan.replicas_name

    def template(self, tier: Tier, *, with_token: bool) -> PodTemplateSpecArgsDict:
        return pod_template(self.model, self.plan, tier, self.image, with_token=with_token)


class ColourResources:
    """Registers the resources of a colour as children of the model's component, whose `within` has the namespace."""

    def __init__(self, colour: Colour, *, with_token: bool, within: pulumi.ResourceOptions) -> None:
        self._colour, self._with_token, self._within = colour, with_token, within

    def create(self, needed: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """`needed`: what must be there before the first pod. Returns the floor's Deployment and the Service: with them it answers."""
        colour = self._colour
        before = [*needed, *self._filled_claim(needed), *self._chat_template()]
        floor = None
        for tier in reversed(rollout.tiers(colour.model, colour.plan)):  # what the API server refuses of the burst never reaches the floor
            deployment = self._tier(tier, before)
            before = [*before, deployment]
            floor = deployment if tier.name == FLOOR else floor
        return [*([floor] if floor else []), self._service()]

    def monitor(self, scrape_interval_seconds: int, after: pulumi.ResourceOptions) -> None:
        """The PodMonitor. Series of a candidate have a model's name of their own, so that rules see each by itself."""
        colour = self._colour
        endpoint = {
            "port": "http",
            "path": "/metrics",
            "interval": f"{scrape_interval_seconds}s",
            "relabelings": [self._model_label(), _copied_label(TIER_LABEL, "tier")],
        }
        CustomResource(
            f"{colour.name}-monitor",
            api_version="monitoring.coreos.com/v1",
            kind="PodMonitor",
            metadata=self._metadata(colour.name),
            spec={"selector": {"matchLabels": model_labels(colour.plan.name, colour.name)}, "podMetricsEndpoints": [endpoint]},
            opts=pulumi.ResourceOptions.merge(self._within, after),
        )

    def _model_label(self) -> dict[str, Any]:
        if self._colour.plan.is_candidate:
            return {"targetLabel": "model", "replacement": self._colour.plan.key}
        return _copied_label(MODEL_LABEL, "model")

    def _metadata(self, name: str, annotations: dict[str, str] | None = None) -> ObjectMetaArgsDict:
        labels = model_labels(self._colour.plan.name, self._colour.name) | MANAGED
        metadata: ObjectMetaArgsDict = {"name": name, "namespace": model_namespace(self._colour.plan.name), "labels": labels}
        if annotations:
            metadata["annotations"] = annotations
        return metadata

    def _filled_claim(self, needed: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The PersistentVolumeClaim of a shared download, filled before a replica mounts it. Both have new names for new content: Pulumi
        makes the new ones, moves the replicas, and then deletes the old ones."""
        model, plan, image = self._colour.model, self._colour.plan, self._colour.image
        name = weights.claim_name(model, plan)
        if name is None:
            return []
        metadata = self._metadata(name, rollout.SKIP_AWAIT)  # WaitForFirstConsumer: bound only once a pod uses it
        claim = PersistentVolumeClaim(name, metadata=metadata, spec=weights.claim_spec(model, plan), opts=self._within)
        tier = rollout.tiers(model, plan)[0]
        timeout = f"{plan.startup.fill_timeout}s"
        job = Job(
            name,
            metadata=self._metadata(name, weights_job.REPLACED_IF_FAILED),
            spec=weights_job.job_spec(model, plan, tier, image, with_token=self._with_token),
            opts=pulumi.ResourceOptions(
                parent=self._within.parent,
                depends_on=[*needed, claim],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        return [claim, job]

    def _chat_template(self) -> list[pulumi.Resource]:
        template = self._colour.model.engine.chat_template
        if template is None:
            return []
        metadata = self._metadata(chat_template.config_map_name(template, self._colour.plan.colour))
        data = {chat_template.KEY: template}
        return [ConfigMap(f"{self._colour.name}-chat-template", metadata=metadata, data=data, immutable=True, opts=self._within)]

    def _tier(self, tier: Tier, needed: Sequence[pulumi.Resource]) -> Deployment:
        colour, plan = self._colour, self._colour.plan
        timeout, name = f"{plan.startup.update_timeout}s", f"{colour.name}-{tier.name}"
        deployment = Deployment(
            name,
            metadata=self._metadata(name, None if tier.name == FLOOR else rollout.SKIP_AWAIT),
            spec=rollout.deployment_spec(plan, tier, colour.template(tier, with_token=self._with_token)),
            opts=pulumi.ResourceOptions(
                parent=self._within.parent,
                depends_on=[*needed],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
                hooks=refuse_changed_pods(plan, name) if colour.frozen else None,
            ),
        )
        if tier.name != FLOOR and colour.autoscaler is not None:
            CustomResource(
                f"{name}-scaler",
                api_version="keda.sh/v1alpha1",
                kind="ScaledObject",
                metadata=self._metadata(name),
                spec=scaled_object_spec(colour.model, plan, tier.name),
                opts=pulumi.ResourceOptions.merge(self._within, pulumi.ResourceOptions(depends_on=[colour.autoscaler])),
            )
        PodDisruptionBudget(name, metadata=self._metadata(name), spec=rollout.disruption_budget_spec(plan, tier), opts=self._within)
        return deployment

    def _service(self) -> Service:
        """A headless Service, because Envoy itself balances over the replicas. Not awaited: the floor's Deployment is."""
        return Service(
            f"{self._colour.name}-service",
            metadata=self._metadata(self._colour.name, rollout.SKIP_AWAIT),
            spec={
                "cluster_ip": "None",
                "selector": model_labels(self._colour.plan.name, self._colour.name),
                "ports": [{"name": "http", "port": API_PORT, "target_port": "http"}],
            },
            opts=self._within,
        )


def _copied_label(label: str, target: str) -> dict[str, Any]:
    """A relabelling that gives every series of a pod the value of the pod's label."""
    return {"sourceLabels": [f"__meta_kubernetes_pod_label_{discovered(label)}"], "targetLabel": target}
