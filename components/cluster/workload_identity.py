"""Google Cloud permissions for pods, by Workload Identity Federation: IAM names the Kubernetes service account itself.

No Google service account, no key and no annotation are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import storage


def principal(project: str, project_number: pulumi.Input[str], namespace: str, service_account: str) -> pulumi.Output[str]:
    """The IAM member for a Kubernetes service account of any cluster in `project`."""
    pool = pulumi.Output.concat("projects/", project_number, f"/locations/global/workloadIdentityPools/{project}.svc.id.goog")
    return pulumi.Output.concat("principal://iam.googleapis.com/", pool, f"/subject/ns/{namespace}/sa/{service_account}")


@dataclass(frozen=True)
class BucketReaderArgs:
    bucket: str
    project: str
    project_number: pulumi.Input[str]
    namespace: str
    service_account: str


class BucketReader(pulumi.ComponentResource):
    """Lets the pods of one service account read the objects of a bucket."""

    grant: storage.BucketIAMMember

    def __init__(self, name: str, args: BucketReaderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:cluster:BucketReader", name, None, opts)
        self.grant = storage.BucketIAMMember(
            name,
            bucket=args.bucket,
            role="roles/storage.objectViewer",
            member=principal(args.project, args.project_number, args.namespace, args.service_account),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"member": self.grant.member})
