"""`secrets`: which secrets the stack has and where they live. Never their values: those stay Pulumi secret Outputs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.section import Name, Section, Text

SecretSource = Literal["pulumi", "secret-manager"]
SecretName = Literal["huggingFaceToken", "grafanaAdminPassword", "s3AccessKeyId", "s3SecretAccessKey"]


class Secrets(Section):
    """Each secret is a `secure:` value (source `pulumi`), or the id of a secret in Google Secret Manager (source `secret-manager`)."""

    source: SecretSource = Field(default="pulumi", description="Where the values are kept.")
    hugging_face_token: Text | None = Field(default=None, description="Token that may read the gated models.")
    client_keys: dict[Name, Text] = Field(
        default={},
        description="API keys by client of the gateway. Several keys of one client, separated by a space or line break, are all valid: "
        "that is how a key is rotated.",
    )
    grafana_admin_password: Text | None = Field(default=None, description="Default: the chart makes one up and keeps it in a Secret.")
    s3_access_key_id: Text | None = Field(default=None, description="Access key of the buckets that weights are streamed from by s3://.")
    s3_secret_access_key: Text | None = Field(default=None, description="Its secret.")

    def has(self, name: SecretName) -> bool:
        field = next(field for field, info in type(self).model_fields.items() if info.alias == name)
        return getattr(self, field) is not None
