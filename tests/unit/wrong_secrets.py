"""Wrong stacks in which a secret stands where everybody reads it. None of what is said about them may repeat it."""

from tests.unit.wrong_gateways import BALANCER, CLIENT, KEY
from tests.unit.wrong_models import MODEL

# Of the formats that issuers publish; none was ever valid. In parts, so that scanners of this repository stay quiet.
TOKENS = {
    "Hugging Face": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567",
    "OpenAI": "sk-" + "proj-abcdefghijklmnopqrstuvwxyz0123456789",
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub": "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "Slack": "xoxb-" + "123456789012-abcdefghijklmnop",
    "Google": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "JSON Web Token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl",
    "private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
}
TOKEN = TOKENS["Hugging Face"]
HEX_KEY = "0123456789abcdef0123456789abcdef0123456789abcdef"  # as `openssl rand -hex 24` makes it
MANAGER = CLIENT | {"secrets.source": "secret-manager", "secrets.clientKeys": {"team-a": "llm-team-a"}}
CLEAR = ("stands in the clear", "pulumi config set --secret")
PASTED = ("looks like a token or password", "go under `secrets`")

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "a channel of Slack without its webhook": (
        {"platform.monitoring.alerting": {"slack": {"channel": "#llm-alerts"}}},
        "platform.monitoring.alerting.slack",
        "it needs secrets.slackWebhookUrl",
        "pulumi config set --secret --path 'secrets.slackWebhookUrl'",
    ),
    "a service of PagerDuty without its key": (
        {"platform.monitoring.alerting": {"pagerDuty": {}}},
        "platform.monitoring.alerting.pagerDuty",
        "it needs secrets.pagerDutyRoutingKey",
        "pulumi config set --secret",
    ),
    "a webhook's token without the webhook": (
        {"secrets.alertWebhookToken": {"secure": "v1:x"}},
        "secrets.alertWebhookToken",
        "nothing uses it",
        "give platform.monitoring.alerting.webhook",
    ),
    "a webhook's token in its address": (
        {"platform.monitoring.alerting": {"webhook": {"url": "https://alerts.acme.example/hook?token=tulips"}}},
        "platform.monitoring.alerting.webhook.url",
        "no address, or one with a user or a query",
        "secrets.alertWebhookToken",
    ),
    "token in the clear": ({"secrets.huggingFaceToken": TOKEN}, "secrets.huggingFaceToken", *CLEAR),
    "password in the clear": ({"secrets.grafanaAdminPassword": "correct horse"}, "secrets.grafanaAdminPassword", *CLEAR),
    "password of digits in the clear": ({"secrets.grafanaAdminPassword": 20261128}, "secrets.grafanaAdminPassword", *CLEAR),
    "key in the clear": (CLIENT | {"secrets.clientKeys": {"team-a": HEX_KEY}}, "secrets.clientKeys.team-a", *CLEAR),
    "one encrypted, one in the clear": (
        CLIENT | {"gateway.clients.team-b": {}, "secrets.clientKeys": {"team-a": KEY, "team-b": HEX_KEY}},
        "secrets.clientKeys.team-b",
        *CLEAR,
    ),
    "token written by hand where the encrypted one belongs": (
        {"secrets.huggingFaceToken": {"secure": TOKEN}},
        "secrets.huggingFaceToken",
        *CLEAR,
    ),
    "list where a secret belongs": ({"secrets.huggingFaceToken": [TOKEN]}, "secrets.huggingFaceToken", "[secret]", "give text"),
    "mapping where a secret belongs": ({"secrets.huggingFaceToken": {"value": TOKEN}}, "secrets.huggingFaceToken", "[secret]", "give text"),
    "encrypted list": ({"secrets.huggingFaceToken": {"secure": [TOKEN]}}, "secrets.huggingFaceToken", "[secret]", "give text"),
    "keys without their clients": (CLIENT | {"secrets.clientKeys": [HEX_KEY]}, "secrets.clientKeys", "[secret]", "mapping"),
    "token as the source": ({"secrets.source": TOKEN}, "secrets.source", "[not shown]", "'pulumi' or 'secret-manager'"),
    "password as the source": ({"secrets.source": "correct horse"}, "secrets.source", "[not shown]", "'pulumi'"),
    "list as the source": ({"secrets.source": [TOKEN]}, "secrets.source", "[not shown]", "'pulumi'"),
    "token under an unknown key": ({"secrets.wandbKey": TOKEN}, "secrets.[not shown]", "unknown key", "huggingFaceToken"),
    "token under a misspelt key": ({"secrets.hugingFaceToken": TOKEN}, "secrets.hugingFaceToken", "unknown key", "huggingFaceToken"),
    "token as a key": ({"secrets": {TOKEN: "huggingFaceToken"}}, "secrets.[not shown]", "unknown key", "huggingFaceToken"),
    "key as a client": (
        CLIENT | {"secrets.clientKeys": {HEX_KEY: "team-a"}},
        "secrets.clientKeys.[not shown]",
        "not a Kubernetes name",
        "lower-case",
    ),
    "secrets as text": ({"secrets": TOKEN}, "secrets", "[secret]", "mapping"),
    "secrets as a list": ({"secrets": [TOKEN]}, "secrets", "[secret]", "mapping"),
    "token as an id": (MANAGER | {"secrets.huggingFaceToken": TOKEN}, "secrets.huggingFaceToken", "looks like the secret itself", "its id"),
    "key as an id": (MANAGER | {"secrets.clientKeys": {"team-a": HEX_KEY}}, "secrets.clientKeys.team-a", "secret itself", "its id"),
    "id that cannot be": (MANAGER | {"secrets.huggingFaceToken": "hugging face"}, "secrets.huggingFaceToken", "cannot be the id", "255"),
    "id that is too long": (MANAGER | {"secrets.huggingFaceToken": "ab-" * 86}, "secrets.huggingFaceToken", "cannot be the id", "255"),
    "id with its project": (
        MANAGER | {"secrets.huggingFaceToken": "projects/acme/secrets/hugging-face"},
        "secrets.huggingFaceToken",
        "cannot be the id",
        "the id alone",
    ),
    "id that is encrypted": (MANAGER | {"secrets.huggingFaceToken": KEY}, "secrets.huggingFaceToken", "cannot be the id", "not encrypted"),
    "one id for two clients": (
        MANAGER | {"gateway.clients.team-b": {}, "secrets.clientKeys": {"team-a": "llm-key", "team-b": "llm-key"}},
        "secrets.clientKeys",
        "clients team-a, team-b have the same secret",
        "a key of its own",
    ),
    "encrypted setting": ({f"{MODEL}.source": KEY}, f"{MODEL}.source", "is encrypted", "without --secret"),
    "token as a model's source": ({f"{MODEL}.source": TOKEN}, f"{MODEL}.source", *PASTED),
    "token in an argument": ({f"{MODEL}.engine.extraArgs": [f"--hf-token={TOKEN}"]}, f"{MODEL}.engine.extraArgs[0]", *PASTED),
    "token as a client": (CLIENT | {f"gateway.clients.{TOKEN}": {}}, "gateway.clients", *PASTED),
    "password in a mirror's address": (
        {"platform.chartMirror": "https://robot:correct-horse@charts.acme.example"},
        "platform.chartMirror",
        *PASTED,
    ),
    "token as the project": ({"gcp:project": TOKEN}, "gcp:project", *PASTED),
} | {
    f"{issuer}'s in an annotation": (
        BALANCER | {"gateway.insecure": True, "gateway.loadBalancer": {"annotations": {"acme.example/key": f"Bearer {token}"}}},
        "gateway.loadBalancer.annotations.acme.example/key",
        *PASTED,
    )
    for issuer, token in TOKENS.items()
}
SECRET = (*TOKENS.values(), HEX_KEY, "correct horse", "correct-horse", "20261128")
