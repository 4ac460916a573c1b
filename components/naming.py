"""Names and labels that several components set or select by, and the escaping of text in pod specs."""

from __future__ import annotations

import hashlib

API_PORT = 8000
GATEWAY_NAMESPACE = "gateway"
RATE_LIMITS_NAMESPACE = "rate-limits"
CLIENT_NAMESPACE_LABEL = "vllm-platform/client"
MONITORING_NAMESPACE = "monitoring"
KEDA_NAMESPACE = "keda"
# What Grafana's sidecar looks for in every namespace, and where it puts it.
DASHBOARD_LABEL, DASHBOARD_LABEL_VALUE = "grafana_dashboard", "1"
DASHBOARD_FOLDER_ANNOTATION = "grafana_folder"

MANAGED = {"app.kubernetes.io/managed-by": "pulumi", "app.kubernetes.io/part-of": "vllm-platform"}
MODEL_LABEL = "vllm-platform/model"
TIER_LABEL = "vllm-platform/tier"
# Its value is the name of one colour's replicas: the model's own for blue, and with `-green` behind it for green.
COLOUR_LABEL = "app.kubernetes.io/instance"
# Tiers of a model's replicas, which end the names of their Deployments.
FLOOR, BURST, STAND_IN = "floor", "burst", "burst-on-demand"
# Of all model servers.
SERVERS = {"app.kubernetes.io/name": "vllm"}
# Of the pods that test and measure a candidate.
CHECK_LABELS = {"app.kubernetes.io/name": "rollout-check"}
PRIORITY_CLASSES = {FLOOR: "vllm-platform-floor", BURST: "vllm-platform-burst"}
PROMETHEUS_PORT = 9090
PROMETHEUS_URL = f"http://kps-prometheus.{MONITORING_NAMESPACE}.svc:{PROMETHEUS_PORT}"


def model_namespace(model: str) -> str:
    return f"model-{model}"


def model_host(model: str, replicas: str | None = None) -> str:
    """The DNS name that resolves to the model's ready replicas. `replicas`: name of those of one colour, if it is not the model's own."""
    return f"{replicas or model}.{model_namespace(model)}.svc.cluster.local"


def model_labels(model: str, replicas: str | None = None) -> dict[str, str]:
    """Labels that select all pods of one colour of a model, of both tiers."""
    return {**SERVERS, COLOUR_LABEL: replicas or model, MODEL_LABEL: model}


def discovered(label: str) -> str:
    """How Prometheus and kube-state-metrics spell a Kubernetes label: everything but letters and digits is an underscore."""
    return "".join(one if one.isalnum() and one.isascii() else "_" for one in label)


def google_labels(cluster: str) -> dict[str, str]:
    """Google Cloud resource labels of a cluster's resources, for splitting bills and quota reports."""
    return {"managed-by": "pulumi", "part-of": "vllm-platform", "cluster": cluster}


def literal(text: str) -> str:
    """Escapes $(NAME), which Kubernetes would expand in arguments and in values of variables."""
    return text.replace("$(", "$$(")


def shortened(name: str, limit: int) -> str:
    """`name` if it has at most `limit` characters; else its beginning and a hash of the whole, so that long names stay distinct."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: limit - len(digest) - 1].rstrip('-')}-{digest}"
