"""The stack's own Cloud KMS keys: leave for Google's service agents to use them.

Owns the grants, not the keys: a key that goes with the stack would take every disk and Secret with it.
"""

from __future__ import annotations

import pulumi
from pulumi_gcp import kms

from config.security import Security

_ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


def key_grants(security: Security, project_number: pulumi.Input[str], opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """GKE encrypts Secrets, Compute Engine disks; each as the service agent that the project's API has made."""
    users = {
        "secrets-key": (security.secrets_kms_key, "container-engine-robot"),
        "disk-key": (security.disk_kms_key, "compute-system"),
    }
    return [
        kms.CryptoKeyIAMMember(
            name,
            crypto_key_id=key,
            role=_ROLE,
            member=pulumi.Output.concat("serviceAccount:service-", project_number, f"@{agent}.iam.gserviceaccount.com"),
            opts=opts,
        )
        for name, (key, agent) in users.items()
        if key
    ]
