"""`cluster.security`: hardening of a GKE cluster beyond what is always on. Each costs something, so none is on unless asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config import places
from config.errors import Problem
from config.names import PROJECT_ID
from config.section import Form, Section, distinct

ControlPlaneLog = Literal["APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"]

_KEY_PART = "[A-Za-z0-9_-]{1,63}"
_KEY = rf"projects/{PROJECT_ID}/locations/(?P<location>[a-z0-9-]+)/keyRings/{_KEY_PART}/cryptoKeys/{_KEY_PART}"
KmsKey = Annotated[
    str,
    Form(
        _KEY.replace("?P<location>", ""),
        "a key of Cloud KMS",
        "write projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>, without a version",
    ),
]
# GKE takes a group of this name only: cloud.google.com/kubernetes-engine/docs/how-to/google-groups-rbac
_GROUP = r"gke-security-groups@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"


class Security(Section):
    """Hardening of a GKE cluster that is a choice."""

    secrets_kms_key: KmsKey | None = Field(
        default=None, description="Cloud KMS key, of the cluster's region, that encrypts Kubernetes Secrets in etcd. Default: Google's."
    )
    disk_kms_key: KmsKey | None = Field(
        default=None,
        description="Cloud KMS key that encrypts the nodes' boot disks. Default: Google's. A change replaces the node pools.",
    )
    binary_authorization: Literal["DISABLED", "PROJECT_SINGLETON_POLICY_ENFORCE"] = Field(
        default="DISABLED", description="Run only the images that the project's Binary Authorization policy admits."
    )
    authenticator_group: (
        Annotated[str, Form(_GROUP, "the group that GKE asks about members", "name it gke-security-groups@<domain>")] | None
    ) = Field(default=None, description="Google group whose groups RBAC can name.")
    control_plane_logs: Annotated[list[ControlPlaneLog], AfterValidator(distinct)] = Field(
        default=[], description="Parts of the control plane whose logs go to Cloud Logging, which charges for them."
    )
    network_policy_logging: Literal["NONE", "DENIED", "ALL"] = Field(
        default="NONE", description="Connections that NetworkPolicies decide on and Cloud Logging keeps."
    )


def security_problems(security: Security, region: str | None) -> Iterator[Problem]:
    """Keys in places where GKE cannot use them. Disks also take the keys of a multi-region, or of `global`."""
    for key, value in (("secretsKmsKey", security.secrets_kms_key), ("diskKmsKey", security.disk_kms_key)):
        match = re.fullmatch(_KEY, value or "")
        if match is None or region is None or match["location"] == region:
            continue
        if key == "secretsKmsKey" or match["location"] in places.regions():
            message = f"is a key in {match['location']}, and the cluster is in {region}"
            yield Problem(f"cluster.security.{key}", message, f"use a key of a key ring in {region}")
