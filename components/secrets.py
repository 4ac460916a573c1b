"""Values of the stack's secrets, as secret Outputs. Nothing else in the program sees one."""

from __future__ import annotations

import pulumi

from config.secrets import SecretName
from config.settings import PROJECT, Settings


def secret(settings: Settings, name: SecretName) -> pulumi.Output[str]:
    """The value of `secrets.<name>`: decrypted by Pulumi, or read from Google Secret Manager at deployment."""
    value = pulumi.Config(PROJECT).require_secret_object("secrets").apply(lambda secrets: secrets[name])
    if settings.secrets.source == "pulumi":
        return value
    from pulumi_gcp import secretmanager

    version = secretmanager.get_secret_version_output(secret=value, project=settings.gcp_project)
    return pulumi.Output.secret(version.secret_data)
