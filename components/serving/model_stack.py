"""All resources of one model, in their own namespace.

Creates the namespace, ServiceAccount, NetworkPolicies, volumes and the floor and burst Deployments behind one headless Service. The pure
modules beside this one build the content of these objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    Namespace,
    PersistentVolumeClaim,
    ResourceQuota,
    ResourceQuotaSpecArgsDict,
    Secret,
    Service,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.cluster.workload_identity import BucketReader, BucketReaderArgs
from components.naming import API_PORT, FLOOR, MANAGED, MODEL_LABEL, TIER_LABEL, discovered, model_host, model_labels, model_namespace
from components.serving import chat_template, rollout, weights, weights_job
from components.serving.isolation import network_policies
from components.serving.pod import Tier, pod_template
from components.serving.scaling import scaled_object_spec
from config.cluster import Cluster
from config.models import Model
from planning.burst_budget import most_gpus
from planning.plan import ModelPlan


@dataclass(frozen=True)
class ModelStackArgs:
    model: Model
    plan: ModelPlan
    cluster: Cluster
    image: str
    hugging_face_token: pulumi.Output[str] | None
    """For models that are downloaded from Hugging Face."""
    bucket_credentials: tuple[pulumi.Output[str], pulumi.Output[str]] | None
    """Access key id and secret access key, for weights at s3:// addresses."""
    scrape_interval_seconds: int | None
    """None: no Prometheus, so no PodMonitor."""
    rules: Mapping[str, Any]
    """`spec` of the model's PrometheusRule."""
    autoscaler: pulumi.Resource | None
    """The release that installs the CRD of ScaledObject. None: the burst is scaled by hand."""
    monitoring: pulumi.Resource | None
    """The release that installs the CRDs of PodMonitor and PrometheusRule."""
    needed: Sequence[pulumi.Resource]
    """`depends_on` of the Deployments: node pools, GPU Operator and PriorityClasses, so that their time limits start when pods can run."""
    workload_identity: tuple[str, pulumi.Input[str]] | None
    """Google Cloud project id and number, for weights in a bucket."""


class ModelStack(pulumi.ComponentResource):
    """One model: its namespace and all resources in it."""

    namespace: str
    url: str
    """Address of the replicas inside the cluster."""

    def __init__(self, name: str, args: ModelStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:serving:ModelStack", name, None, opts)
        self._name, self._args = name, args
        self.namespace = model_namespace(name)
        self.url = f"http://{model_host(name)}:{API_PORT}"
        self._child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", metadata=_namespace_metadata(self.namespace), opts=self._child)
        self._within = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        needed = [*self._isolation(), *self._identity(), *self._weights(), *self._chat_template(), *args.needed]
        needed += [*self._quota(), *self._filled_claim(needed)]
        for tier in reversed(rollout.tiers(args.model, args.plan)):  # what the API server refuses of the burst never reaches the floor
            needed = [*needed, self._tier(tier, needed)]
        self._service()
        self._monitoring()
        self.register_outputs({"namespace": self.namespace, "url": self.url})

    def _metadata(self, name: str, annotations: dict[str, str] | None = None) -> ObjectMetaArgsDict:
        metadata: ObjectMetaArgsDict = {"name": name, "namespace": self.namespace, "labels": model_labels(self._name) | MANAGED}
        if annotations:
            metadata["annotations"] = annotations
        return metadata

    def _quota(self) -> list[pulumi.Resource]:
        """Whatever scales the model, and by whatever mistake: more GPUs its namespace does not get."""
        plan = self._args.plan
        if not plan.shape.gpus:
            return []
        most = most_gpus(plan.floor, plan.burst, plan.shape.gpus, stand_ins=plan.has_stand_ins)
        spec: ResourceQuotaSpecArgsDict = {"hard": {"requests.nvidia.com/gpu": str(most)}}
        return [ResourceQuota(f"{self._name}-gpus", metadata=self._metadata("gpus"), spec=spec, opts=self._within)]

    def _isolation(self) -> list[pulumi.Resource]:
        """NetworkPolicies, created before the first pod."""
        specs = network_policies(self._args.cluster, self._args.model.weights, self._args.plan.tracing)
        return [
            NetworkPolicy(f"{self._name}-{policy}", metadata=self._metadata(policy), spec=spec, opts=self._within)
            for policy, spec in specs.items()
        ]

    def _identity(self) -> list[pulumi.Resource]:
        """The pods' ServiceAccount, and its permission to read the bucket of the weights."""
        account = ServiceAccount(
            f"{self._name}-account", metadata=self._metadata(self._name), automount_service_account_token=False, opts=self._within
        )
        source, identity = self._args.model.weights, self._args.workload_identity
        if source.source != "google-cloud-storage" or source.bucket is None or identity is None:
            return [account]
        project, number = identity
        reader = BucketReaderArgs(source.bucket, project, number, namespace=self.namespace, service_account=self._name)
        return [account, BucketReader(f"{self._name}-weights", reader, opts=self._child)]

    def _weights(self) -> list[pulumi.Resource]:
        """Secrets for the source of the weights."""
        found: list[pulumi.Resource] = []
        token = self._token
        if token is not None:
            found.append(
                Secret(
                    f"{self._name}-hugging-face",
                    metadata=self._metadata(weights.TOKEN_SECRET),
                    string_data={weights.TOKEN_KEY: token},
                    opts=self._within,
                )
            )
        if keys := self._args.bucket_credentials:
            data = {weights.ACCESS_KEY_ID: keys[0], weights.SECRET_ACCESS_KEY: keys[1]}
            metadata = self._metadata(weights.BUCKET_SECRET)
            found.append(Secret(f"{self._name}-bucket", metadata=metadata, string_data=data, opts=self._within))
        return found

    def _filled_claim(self, needed: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The PersistentVolumeClaim of a shared download, filled before a replica mounts it. Both have new names for new content: Pulumi
        makes the new ones, moves the replicas, and then deletes the old ones."""
        model, plan = self._args.model, self._args.plan
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
            spec=weights_job.job_spec(model, plan, tier, self._args.image, with_token=self._token is not None),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*needed, claim], custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout)
            ),
        )
        return [claim, job]

    def _chat_template(self) -> list[pulumi.Resource]:
        template = self._args.model.engine.chat_template
        if template is None:
            return []
        metadata = self._metadata(chat_template.config_map_name(template))
        return [
            ConfigMap(
                f"{self._name}-chat-template", metadata=metadata, data={chat_template.KEY: template}, immutable=True, opts=self._within
            )
        ]

    @property
    def _token(self) -> pulumi.Output[str] | None:
        return self._args.hugging_face_token if self._args.plan.weights.downloaded else None

    def _tier(self, tier: Tier, needed: Sequence[pulumi.Resource]) -> Deployment:
        plan, timeout = self._args.plan, f"{self._args.plan.startup.update_timeout}s"
        template = pod_template(self._args.model, plan, tier, self._args.image, with_token=self._token is not None)
        name = f"{self._name}-{tier.name}"
        deployment = Deployment(
            name,
            metadata=self._metadata(name, None if tier.name == FLOOR else rollout.SKIP_AWAIT),
            spec=rollout.deployment_spec(plan, tier, template),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*needed], custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout)
            ),
        )
        if tier.name != FLOOR and self._args.autoscaler is not None:
            CustomResource(
                f"{name}-scaler",
                api_version="keda.sh/v1alpha1",
                kind="ScaledObject",
                metadata=self._metadata(name),
                spec=scaled_object_spec(self._args.model, plan, tier.name),
                opts=pulumi.ResourceOptions.merge(self._within, pulumi.ResourceOptions(depends_on=[self._args.autoscaler])),
            )
        PodDisruptionBudget(name, metadata=self._metadata(name), spec=rollout.disruption_budget_spec(plan, tier), opts=self._within)
        return deployment

    def _service(self) -> None:
        """A headless Service, because Envoy itself balances over the replicas. Not awaited: the floor's Deployment is."""
        Service(
            f"{self._name}-service",
            metadata=self._metadata(self._name, rollout.SKIP_AWAIT),
            spec={
                "cluster_ip": "None",
                "selector": model_labels(self._name),
                "ports": [{"name": "http", "port": API_PORT, "target_port": "http"}],
            },
            opts=self._within,
        )

    def _monitoring(self) -> None:
        if self._args.scrape_interval_seconds is None:
            return
        endpoint = {
            "port": "http",
            "path": "/metrics",
            "interval": f"{self._args.scrape_interval_seconds}s",
            "relabelings": [_copied_label(label, target) for label, target in ((MODEL_LABEL, "model"), (TIER_LABEL, "tier"))],
        }
        monitor = {"selector": {"matchLabels": model_labels(self._name)}, "podMetricsEndpoints": [endpoint]}
        after = pulumi.ResourceOptions(depends_on=[self._args.monitoring] if self._args.monitoring else [])
        for kind, spec in (("PodMonitor", monitor), ("PrometheusRule", self._args.rules)):
            CustomResource(
                f"{self._name}-{'monitor' if kind == 'PodMonitor' else 'rules'}",
                api_version="monitoring.coreos.com/v1",
                kind=kind,
                metadata=self._metadata(self._name),
                spec=spec,
                opts=pulumi.ResourceOptions.merge(self._within, after),
            )


def _copied_label(label: str, target: str) -> dict[str, Any]:
    """A relabelling that gives every series of a pod the value of the pod's label."""
    return {"sourceLabels": [f"__meta_kubernetes_pod_label_{discovered(label)}"], "targetLabel": target}


def _namespace_metadata(name: str) -> ObjectMetaArgsDict:
    """Labels for Pod Security admission to enforce the level `restricted`."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"name": name, "labels": {**MANAGED, **levels}}
