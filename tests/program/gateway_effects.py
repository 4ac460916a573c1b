"""What each setting of the gateway, the budget and the secrets changes."""

from __future__ import annotations

from tests.program.cluster_effects import ALERTING, HOOK, RECEIVERS
from tests.program.effects import Effect
from tests.unit.right_platforms import OPEN, RILB, SMALL
from tests.unit.wrong_gateways import BALANCER, CLIENT, GOOGLE, INGRESS, KEY

RATE = "Secret stringData"
TEAM = "gateway.clients.<name>"
BALANCE, GCLB, CONTROLLER = "gateway.loadBalancer", "gateway.gkeGateway", "gateway.ingress"
POD = "Deployment spec.template.spec.containers"
LIMIT = "ConfigMap data.limits.yaml.descriptors.descriptors.rate_limit.requests_per_unit"
BUDGET = CLIENT | {"gateway.clients": {"team-a": {"monthlyUsd": 100}}}
TOKEN_PRICES = {"gateway.tokenPrices": {"qwen3-8b": {"promptUsdPerMillion": 1.0, "completionUsdPerMillion": 2.0}}}
PRICE = "budget.prices.<name>"
RILB_STACK = GOOGLE | {"gateway.gkeGateway": RILB}
KEYLESS = {"models.qwen3-8b.weights": {"uri": "s3://acme/qwen3", "region": "eu-central-1"}}
IAP = {"gateway.gkeGateway": {"certificateMap": "map", "iap": {"clientId": "id", "clientSecretName": "iap"}}}

EFFECTS = {
    "gateway.exposure": Effect(
        "load-balancer", ("Service spec.type=LoadBalancer", "Service spec.externalTrafficPolicy=Local"), CLIENT,
        {"gateway.insecure": True},
    ),
    "gateway.host": Effect("ai.example.com", ("HTTPRoute spec.hostnames=ai.example.com", "outputs gateway.publicUrl"), GOOGLE),
    "gateway.authentication": Effect("none", (f"-{RATE}.api-keys.json",), CLIENT, {"gateway.clients": {}, "secrets.clientKeys": {}}),
    f"{TEAM}.requestsPerMinute": Effect(60, (f"{RATE}.clients.json",), CLIENT),
    f"{TEAM}.concurrentRequests": Effect(7, (f"{RATE}.clients.json",), CLIENT),
    f"{TEAM}.tokensPerMinute": Effect(
        5000, (f"{LIMIT}=5000", f"{RATE}.clients.json"), CLIENT
    ),
    f"{TEAM}.monthlyTokens": Effect(
        70000, (f"{LIMIT}=70000", "StatefulSet spec.replicas=1"), CLIENT
    ),
    f"{TEAM}.monthlyUsd": Effect(
        250, (f"{LIMIT}=2500000", "Deployment metadata.name=rate-limits",
              "NetworkPolicy metadata.name=allow-rate-limits"), CLIENT
    ),
    "gateway.budgets.whenUnavailable": Effect("deny", (f"{RATE}.bootstrap.json",), BUDGET),
    "gateway.budgets.storageClass": Effect("fast", ("StatefulSet spec.volumeClaimTemplates.spec.storageClassName=fast",), BUDGET),
    "gateway.tokenPrices.<name>.promptUsdPerMillion": Effect(
        8.0, ("plan gateway.models.qwen3-8b.price.prompt=8.0", f"{RATE}.models.json"), BUDGET | TOKEN_PRICES
    ),
    "gateway.tokenPrices.<name>.completionUsdPerMillion": Effect(
        9.0, ("plan gateway.models.qwen3-8b.price.completion=9.0", f"{RATE}.models.json"), BUDGET | TOKEN_PRICES
    ),
    f"{TEAM}.models": Effect(["qwen3-8b"], (RATE,), CLIENT | {"models.other": SMALL}),
    f"{TEAM}.defaultModel": Effect("qwen3-8b", (f"{RATE}.clients.json",), CLIENT),
    "gateway.clientNamespaces": Effect(
        ["team-a"], ("NetworkPolicy spec.ingress.from.namespaceSelector.matchLabels.kubernetes.io/metadata.name=team-a",)
    ),
    "gateway.insecure": Effect(True, ("-refused: gateway.",), BALANCER),
    "gateway.tls.secretName": Effect(
        "llm", ("Deployment spec.template.spec.volumes",), BALANCER, {"gateway.insecure": None}
    ),
    f"{BALANCE}.scope": Effect(
        "external", ("-Service metadata.annotations.networking.gke.io/load-balancer-type=Internal",), OPEN,
        {"gateway.loadBalancer.sourceRanges": ["203.0.113.0/24"]},
    ),
    f"{BALANCE}.sourceRanges": Effect(["10.7.0.0/16"], ("Service spec.loadBalancerSourceRanges=10.7.0.0/16",), OPEN),
    f"{BALANCE}.annotations": Effect({"acme.example/a": "b"}, ("Service metadata.annotations.acme.example/a=b",), OPEN),
    f"{GCLB}.className": Effect(
        "gke-l7-regional-external-managed", ("Gateway spec.gatewayClassName=gke-l7-regional-external-managed",), RILB_STACK
    ),
    f"{GCLB}.certificateMap": Effect("other", ("Gateway metadata.annotations.networking.gke.io/certmap=other",), GOOGLE),
    f"{GCLB}.regionalCertificate": Effect(
        "other", ("Gateway spec.listeners.tls.options.networking.gke.io/cert-manager-certs=other",), RILB_STACK
    ),
    f"{GCLB}.staticAddress": Effect("llm-ip", ("Gateway spec.addresses.value=llm-ip", "Gateway spec.addresses.type=NamedAddress"), GOOGLE),
    f"{GCLB}.securityPolicy": Effect("edge", ("GCPBackendPolicy spec.default.securityPolicy=edge",), GOOGLE),
    f"{GCLB}.proxySubnet": Effect("10.130.0.0/23", ("NetworkPolicy spec.ingress.from.ipBlock.cidr=10.130.0.0/23",), RILB_STACK),
    f"{GCLB}.iap.enabled": Effect(False, ("-GCPBackendPolicy spec.default.iap.enabled=True",), GOOGLE | IAP),
    f"{GCLB}.iap.clientId": Effect("other", ("GCPBackendPolicy spec.default.iap.clientID=other",), GOOGLE | IAP),
    f"{GCLB}.iap.clientSecretName": Effect("other", ("GCPBackendPolicy spec.default.iap.oauth2ClientSecret.name=other",), GOOGLE | IAP),
    f"{CONTROLLER}.className": Effect("haproxy", ("Ingress spec.ingressClassName=haproxy",), INGRESS),
    f"{CONTROLLER}.namespace": Effect(
        "ingress-nginx", ("NetworkPolicy spec.ingress.from.namespaceSelector.matchLabels.kubernetes.io/metadata.name=ingress-nginx",),
        INGRESS
    ),
    f"{CONTROLLER}.tlsSecretName": Effect("other", ("Ingress spec.tls.secretName=other",), INGRESS),
    f"{CONTROLLER}.annotations": Effect({"acme.example/a": "b"}, ("Ingress metadata.annotations.acme.example/a=b",), INGRESS),
    "gateway.replicas.min": Effect(3, ("HorizontalPodAutoscaler spec.minReplicas=3",)),
    "gateway.replicas.max": Effect(9, ("HorizontalPodAutoscaler spec.maxReplicas=9",)),
    "gateway.cpu": Effect(2, (f"{POD}.resources.requests.cpu=2", f"{POD}.args=2"), beside={"gateway.memoryGiB": 4}),
    "gateway.memoryGiB": Effect(2, (f"{POD}.resources.limits.memory=2048Mi", f"{POD}.resources.requests.memory=2048Mi")),
    "gateway.maxBodyMiB": Effect(16, (RATE,)),
    "gateway.countStreamedTokens": Effect(False, (f"-{POD}.args=--enable-force-include-usage",)),
    "gateway.cors.origins": Effect(["https://chat.example.com"], (RATE,)),
    "gateway.timeouts.idleSeconds": Effect(60, (RATE,)),
    "gateway.timeouts.requestSeconds": Effect(600, (RATE,)),
    "gateway.drainSeconds": Effect(120, (f"{POD}.args=120", f"{POD}.lifecycle.preStop.exec.command=120",
                                         "Deployment spec.template.spec.terminationGracePeriodSeconds")),
    "budget.monthlyUsd": Effect(1, ("refused: budget.monthlyUsd",)),
    "budget.hourlyUsd": Effect(
        1.5, ("outputs models.qwen3-8b.replicas.ceiling=1", "plan warnings", "plan bursts.usd_per_hour"), {"budget.onExceed": "warn"}
    ),
    "budget.onExceed": Effect("warn", ("-refused: budget.monthlyUsd", "plan warnings"), {"budget.monthlyUsd": 1}),
    "budget.expectedBurst": Effect(1.0, ("outputs usdPerMonth.expected", "outputs models.qwen3-8b.usdPerMonth")),
    f"{PRICE}.onDemandUsdPerHour": Effect(9.0, ("outputs usdPerMonth.floor", "outputs usdPerMonth.expected")),
    f"{PRICE}.spotUsdPerHour": Effect(9.0, ("outputs usdPerMonth.ceiling", "outputs usdPerMonth.expected")),
    f"{PRICE}.spotRangeUsdPerHour": Effect(
        [1.0, 3.0], ("plan cost.total.expected_range.least", "plan cost.total.expected_range.most"),
        {"budget.prices": {"g2-standard-12": {"spotUsdPerHour": 2.0}}},
    ),
    "secrets.source": Effect(
        "secret-manager", ("Secret stringData.token",), beside={"secrets.huggingFaceToken": "token-id"}
    ),
    "secrets.huggingFaceToken": Effect(
        KEY, ("Secret metadata.name=hugging-face", "Deployment spec.template.spec.initContainers.env.name=HF_TOKEN")
    ),
    "secrets.clientKeys": Effect(
        {"team-a": {"secure": "v1:c:d"}}, ("-refused: secrets.clientKeys.team-a",), CLIENT | {"secrets.clientKeys": {}}
    ),
    "secrets.grafanaAdminPassword": Effect(
        KEY, ("Secret metadata.name=grafana-admin", "Release values.grafana.admin.existingSecret=grafana-admin")
    ),
    "secrets.slackWebhookUrl": Effect(KEY, ("-refused: platform.monitoring.alerting.slack",), {ALERTING: {"slack": {"channel": "#llm"}}}),
    "secrets.pagerDutyRoutingKey": Effect(KEY, ("-refused: platform.monitoring.alerting.pagerDuty",), {ALERTING: {"pagerDuty": {}}}),
    "secrets.alertWebhookToken": Effect(
        KEY, (f"{RECEIVERS}.webhook_configs.http_config.authorization.credentials_file",), {ALERTING: {"webhook": {"url": HOOK}}}
    ),
    "secrets.s3AccessKeyId": Effect(KEY, ("-refused: secrets.s3AccessKeyId",), KEYLESS),
    "secrets.s3SecretAccessKey": Effect(KEY, ("-refused: secrets.s3SecretAccessKey",), KEYLESS),
}  # fmt: skip
