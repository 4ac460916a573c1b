"""All resources of one model, in their own namespace.

Creates the namespace and what both colours share: ServiceAccount, Secrets, NetworkPolicies, quota and rules; colours.py creates the
replicas of each. A candidate must pass the Jobs of checks/ before the gateway's weights change. The pure modules beside this one build
the content of these objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgsDict
from pulumi_kubernetes.core.v1 import Namespace, ResourceQuota, ResourceQuotaSpecArgsDict, Secret, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.cluster.workload_identity import BucketReader, BucketReaderArgs
from components.naming import API_PORT, FLOOR, MANAGED, model_host, model_labels, model_namespace, shortened
from components.serving import rollout, weights
from components.serving.checks import jobs
from components.serving.colours import Colour, ColourResources
from components.serving.isolation import check_policies, network_policies
from config.cluster import Cluster
from config.rollout import Candidate
from planning.burst_budget import most_gpus

# A Job's name is a label of its pods: 63 characters, of which the fingerprint takes eleven, and pods' names end in six more.
_JOB_NAME_LENGTH = 46


@dataclass(frozen=True)
class ModelStackArgs:
    live: Colour
    candidate: Colour | None
    cluster: Cluster
    hugging_face_token: pulumi.Output[str] | None
    """For models that are downloaded from Hugging Face."""
    bucket_credentials: tuple[pulumi.Output[str], pulumi.Output[str]] | None
    """Access key id and secret access key, for weights at s3:// addresses."""
    scrape_interval_seconds: int | None
    """None: no Prometheus, so no PodMonitor."""
    rules: Mapping[str, Any]
    """`spec` of the PrometheusRule of the model and its candidate."""
    has_gateway: bool
    monitoring: pulumi.Resource | None
    """The release that installs the CRDs of PodMonitor and PrometheusRule."""
    needed: Sequence[pulumi.Resource]
    """`depends_on` of the Deployments: node pools, GPU Operator and PriorityClasses, so that their time limits start when pods can run."""
    workload_identity: tuple[str, pulumi.Input[str]] | None
    """Google Cloud project id and number, for weights in a bucket."""

    @property
    def colours(self) -> list[Colour]:
        return [self.live, *([self.candidate] if self.candidate else [])]


class ModelStack(pulumi.ComponentResource):
    """One model: its namespace and all resources in it."""

    namespace: str
    url: str
    """Address of the live replicas inside the cluster."""
    passed: list[pulumi.Resource]
    """What must have succeeded before the gateway's routes change: the Jobs that look at each colour."""

    def __init__(self, name: str, args: ModelStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:serving:ModelStack", name, None, opts)
        self._name, self._args = name, args
        self.namespace = model_namespace(name)
        self.url = f"http://{model_host(name, args.live.name)}:{API_PORT}"
        self._child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", metadata=_namespace_metadata(self.namespace), opts=self._child)
        self._within = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        needed = [*self._isolation(), *self._identity(), *self._weights(), *args.needed, *self._quota()]
        self.passed = self._live(args.live, needed) + (self._candidate(args.candidate, needed) if args.candidate else [])
        self._monitoring()
        self.register_outputs({"namespace": self.namespace, "url": self.url})

    def _live(self, colour: Colour, needed: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The live replicas. Under blue-green they may be those of a colour that comes back, which the gateway must see first."""
        after = ColourResources(colour, with_token=self._token is not None, within=self._within).create(needed)
        if colour.model.rollout.strategy == "rolling" or not self._args.has_gateway:
            return []
        return self._judge(colour, {"seen": jobs.seen_argument(colour.plan)}, after)

    def _candidate(self, colour: Colour, needed: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The candidate's replicas, and the Jobs that they must pass."""
        after = ColourResources(colour, with_token=self._token is not None, within=self._within).create(needed)
        asked = self._args.live.model.rollout.candidate or Candidate()
        arguments = {"smoke": jobs.smoke_argument(asked, colour.plan)}
        if self._args.has_gateway:
            arguments["seen"] = jobs.seen_argument(colour.plan)
        if asked.weight > asked.gate.canary_weight and self._args.scrape_interval_seconds is not None:
            arguments["gate"] = jobs.gate_argument(asked, colour.plan)
        return self._judge(colour, arguments, after)

    def _judge(self, colour: Colour, arguments: Mapping[str, Mapping[str, Any]], after: list[pulumi.Resource]) -> list[pulumi.Resource]:
        """One Job after the other, on nodes of the floor. Nothing runs for sure of a colour without one."""
        floor = next((tier for tier in rollout.tiers(colour.model, colour.plan) if tier.name == FLOOR), None)
        if floor is None:
            return after
        judged = jobs.fingerprint(colour.template(floor, with_token=self._token is not None))
        for what, argument in arguments.items():
            after = [self._job(f"{colour.name}-{what}", jobs.job_spec(what, argument, floor, colour.image), judged, after)]
        return after

    def await_routes(self, version: str, routes: pulumi.Resource) -> None:
        """Waits until every gateway pod has these routes. Pulumi deletes a colour only after that, as it deletes last of all."""
        live = self._args.live
        tier = rollout.tiers(live.model, live.plan)[0]
        spec = jobs.job_spec("seen", jobs.routes_argument(version), tier, live.image)
        self._job(f"{self._name}-routed", spec, version, [routes])

    def _job(self, name: str, spec: JobSpecArgsDict, judged: str, after: Sequence[pulumi.Resource]) -> Job:
        """`judged`: fingerprint of what it looks at, so that it runs again when that has changed."""
        unique = shortened(name, _JOB_NAME_LENGTH) + f"-{jobs.fingerprint(judged, spec)}"
        limit = f"{jobs.time_limit(spec)}s"
        return Job(
            name,
            metadata=self._metadata(unique, jobs.RETRIED),
            spec=spec,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*after], custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit)
            ),
        )

    def _metadata(self, name: str, annotations: dict[str, str] | None = None) -> ObjectMetaArgsDict:
        metadata: ObjectMetaArgsDict = {"name": name, "namespace": self.namespace, "labels": model_labels(self._name) | MANAGED}
        if annotations:
            metadata["annotations"] = annotations
        return metadata

    def _quota(self) -> list[pulumi.Resource]:
        """Whatever scales the model, and by whatever mistake: more GPUs its namespace does not get."""
        plans = [colour.plan for colour in self._args.colours]
        most = sum(most_gpus(plan.floor, plan.burst, plan.shape.gpus, stand_ins=plan.has_stand_ins) for plan in plans)
        if not most:
            return []
        spec: ResourceQuotaSpecArgsDict = {"hard": {"requests.nvidia.com/gpu": str(most)}}
        return [ResourceQuota(f"{self._name}-gpus", metadata=self._metadata("gpus"), spec=spec, opts=self._within)]

    def _isolation(self) -> list[pulumi.Resource]:
        """NetworkPolicies, created before the first pod."""
        live = self._args.live
        specs = network_policies(self._args.cluster, live.model.weights, live.plan.tracing)
        if live.model.rollout.strategy == "blue-green":
            specs |= check_policies()
        return [
            NetworkPolicy(f"{self._name}-{policy}", metadata=self._metadata(policy), spec=spec, opts=self._within)
            for policy, spec in specs.items()
        ]

    def _identity(self) -> list[pulumi.Resource]:
        """The pods' ServiceAccount, and its permission to read the bucket of the weights."""
        account = ServiceAccount(
            f"{self._name}-account", metadata=self._metadata(self._name), automount_service_account_token=False, opts=self._within
        )
        source, identity = self._args.live.model.weights, self._args.workload_identity
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

    @property
    def _token(self) -> pulumi.Output[str] | None:
        return self._args.hugging_face_token if self._args.live.plan.weights.downloaded else None

    def _monitoring(self) -> None:
        if self._args.scrape_interval_seconds is None:
            return
        after = pulumi.ResourceOptions(depends_on=[self._args.monitoring] if self._args.monitoring else [])
        for colour in self._args.colours:
            resources = ColourResources(colour, with_token=self._token is not None, within=self._within)
            resources.monitor(self._args.scrape_interval_seconds, after)
        CustomResource(
            f"{self._name}-rules",
            api_version="monitoring.coreos.com/v1",
            kind="PrometheusRule",
            metadata=self._metadata(self._name),
            spec=self._args.rules,
            opts=pulumi.ResourceOptions.merge(self._within, after),
        )


def _namespace_metadata(name: str) -> ObjectMetaArgsDict:
    """Labels for Pod Security admission to enforce the level `restricted`."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"name": name, "labels": {**MANAGED, **levels}}
