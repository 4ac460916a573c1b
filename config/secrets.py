"""`secrets`: which secrets the stack has and where they live. Never their values: those stay Pulumi secret Outputs.

`masked` goes over the section before anything else reads it. What follows sees marks: that a value is given, or what is wrong with it.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal, TypeGuard, get_args

from pydantic import AfterValidator, Field, WithJsonSchema

from config.errors import rule
from config.section import Name, Section
from config.tokens import TOKEN, has_token, looks_random

SecretSource = Literal["pulumi", "secret-manager"]
SecretName = Literal[
    "huggingFaceToken",
    "grafanaAdminPassword",
    "s3AccessKeyId",
    "s3SecretAccessKey",
    "slackWebhookUrl",
    "pagerDutyRoutingKey",
    "alertWebhookToken",
]
_KEYS = ("source", "clientKeys", *get_args(SecretName))

GIVEN = "[secret]"
_IN_THE_CLEAR = "[in the clear]"
_TOKEN_AS_ID = "[a token as an id]"
_NO_ID = "[no id]"
_SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")  # docs: Secret Manager, CreateSecretRequest.secretId
_REPLACE = "revoke it and encrypt another: pulumi config set --secret --path 'secrets.<key>' <value>"
_WRONG = {
    _IN_THE_CLEAR: ("stands in the clear in the stack's file, where everybody who sees the repository reads it", _REPLACE),
    _TOKEN_AS_ID: ("looks like the secret itself, not like its id in Secret Manager", "revoke it, store another there, and give its id"),
    _NO_ID: (
        "cannot be the id of a secret in Secret Manager",
        "give the id alone, not encrypted: at most 255 letters, digits, - and _; or set source to pulumi and encrypt the value",
    ),
    "": ("nothing is given", "remove the key, or give the secret"),
}


def _checked(mark: str) -> str:
    if mark in _WRONG:
        raise rule(*_WRONG[mark])
    return mark


# A mark, or an id in Secret Manager.
Secret = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "minLength": 1})]


def _ids_are_distinct(ids: dict[str, str]) -> dict[str, str]:
    named = [name for name in ids.values() if name != GIVEN]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        clients = ", ".join(client for client, name in ids.items() if name == twice[0])
        raise rule(f"clients {clients} have the same secret, so nobody can tell them apart", "give each client a key of its own")
    return ids


class Secrets(Section):
    """Each secret is a `secure:` value (source `pulumi`), or the id of a secret in Google Secret Manager (source `secret-manager`)."""

    source: SecretSource = Field(default="pulumi", description="Where the values are kept.")
    hugging_face_token: Secret | None = Field(default=None, description="Token that may read the gated models.")
    client_keys: Annotated[dict[Name, Secret], AfterValidator(_ids_are_distinct)] = Field(
        default={},
        description="API keys by client of the gateway. Several keys of one client, separated by a space or line break, are all valid: "
        "that is how a key is rotated.",
    )
    grafana_admin_password: Secret | None = Field(default=None, description="Default: the chart makes one up and keeps it in a Secret.")
    s3_access_key_id: Secret | None = Field(default=None, description="Access key of the buckets that weights are streamed from by s3://.")
    s3_secret_access_key: Secret | None = Field(default=None, description="Its secret.")
    slack_webhook_url: Secret | None = Field(default=None, description="Slack's incoming webhook that alerts are sent to.")
    pager_duty_routing_key: Secret | None = Field(default=None, description="Integration key (Events API v2) of the service in PagerDuty.")
    alert_webhook_token: Secret | None = Field(default=None, description="Bearer token of the webhook that alerts are sent to.")

    def has(self, name: SecretName) -> bool:
        field = next(field for field, info in type(self).model_fields.items() if info.alias == name)
        return getattr(self, field) is not None


def is_encrypted(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a stack file says that Pulumi has encrypted it."""
    return isinstance(value, dict) and set(value) == {"secure"}


def masked(secrets: Any) -> Any:
    """The section with marks in place of values, whatever shape they have. Ids in Secret Manager stay where they can be ids."""
    if secrets is None:
        return None
    if not isinstance(secrets, dict):
        return GIVEN
    source = secrets.get("source", "pulumi")
    source = source if source is None or source in get_args(SecretSource) else TOKEN
    entries = {_shown(key): _entry(key, value, source) for key, value in secrets.items() if key != "source"}
    return entries | ({"source": source} if "source" in secrets else {})


def _entry(key: Any, value: Any, source: str | None) -> Any:
    if key != "clientKeys":
        return _mark(value, source)
    if isinstance(value, dict) and not is_encrypted(value):
        return {_client(client): _mark(entry, source) for client, entry in value.items()}
    return value if value is None or value == "" else GIVEN  # no mapping, so no id either


def _shown(key: Any) -> str:
    """A key that is none may be a secret that slipped to the left of the colon; what is near to a known one is a typo."""
    return str(key) if key in _KEYS or difflib.get_close_matches(str(key), _KEYS, cutoff=0.6) else TOKEN


def _client(name: Any) -> str:
    return TOKEN if looks_random(str(name)) else str(name)


def _mark(value: Any, source: str | None) -> Any:
    """Nothing stays nothing, and what cannot be a secret stays wrong."""
    if value is None or value == "":
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if is_encrypted(value):
        if source == "secret-manager":
            return _NO_ID
        text = value["secure"]
        return [GIVEN] if not isinstance(text, str) or not text else _IN_THE_CLEAR if has_token(text) else GIVEN
    if not isinstance(value, str):
        return [GIVEN]
    if source == "secret-manager":
        return _TOKEN_AS_ID if looks_random(value) else value if _SECRET_ID.fullmatch(value) else _NO_ID
    return _IN_THE_CLEAR if source == "pulumi" else GIVEN
