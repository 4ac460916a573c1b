"""Values of the stack's secrets, as secret Outputs. No other module reads them."""

from __future__ import annotations

from typing import Any

import pulumi

from config.secrets import SecretName
from config.settings import PROJECT, Settings


def secret(settings: Settings, name: SecretName) -> pulumi.Output[str]:
    """The value of `secrets.<name>`: decrypted by Pulumi, or read from Google Secret Manager at deployment."""
    return _value(settings, _configured().apply(lambda secrets: secrets[name]))


def bucket_credentials(settings: Settings) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """Access key id and secret access key for weights at s3:// addresses."""
    return secret(settings, "s3AccessKeyId"), secret(settings, "s3SecretAccessKey")


def client_keys(settings: Settings) -> pulumi.Output[dict[str, str]]:
    """The values of `secrets.clientKeys`."""
    keys = _configured().apply(lambda secrets: secrets["clientKeys"])
    by_client = {client: _value(settings, keys.apply(lambda keys, client=client: keys[client])) for client in settings.secrets.client_keys}
    return pulumi.Output.all(**by_client)


def _configured() -> pulumi.Output[dict[str, Any]]:
    return pulumi.Config(PROJECT).require_secret_object("secrets")


def _value(settings: Settings, value: pulumi.Output[str]) -> pulumi.Output[str]:
    if settings.secrets.source == "pulumi":
        return value
    from pulumi_gcp import secretmanager

    version = secretmanager.get_secret_version_output(secret=value, project=settings.gcp_project)
    return pulumi.Output.secret(version.secret_data)
