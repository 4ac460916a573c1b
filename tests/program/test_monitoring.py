"""What is scraped, by whom, and what the rules may expect of it; who is told, and that no key of theirs shows."""

from __future__ import annotations

import json

import pytest

from components.naming import MODEL_LABEL, TIER_LABEL
from components.observability.metrics import SCRAPED, Source
from components.platform.gpu_operator import gpu_operator_values
from components.platform.monitoring import monitoring_values
from planning.plan import make_plan
from tests.stacks import settings, stack
from tools.preview import offline
from tools.preview.manifests import manifests

SECRETS = ("slackWebhookUrl", "pagerDutyRoutingKey", "alertWebhookToken")
TOLD = {
    "platform.monitoring.alerting": {
        "slack": {"channel": "#llm"},
        "pagerDuty": {},
        "webhook": {"url": "https://alerts.acme.example/hook"},
        "runbooksUrl": "https://git.acme.example/llm/blob/main/docs/runbooks",
    }
} | {f"secrets.{name}": {"secure": f"v1:{name}"} for name in SECRETS}


def objects(recording, kind):
    return [one for one in manifests(recording) if one["kind"] == kind]


def test_a_models_monitor_gives_every_series_the_labels_that_rules_ask_for(program):
    spec = next(one["spec"] for one in objects(program("dev"), "PodMonitor") if one["metadata"]["namespace"] == "model-qwen3-8b")
    (endpoint,) = spec["podMetricsEndpoints"]
    copied = {one["targetLabel"]: one["sourceLabels"] for one in endpoint["relabelings"]}
    assert copied == {
        "model": ["__meta_kubernetes_pod_label_vllm_platform_model"],
        "tier": ["__meta_kubernetes_pod_label_vllm_platform_tier"],
    }
    pod = next(one for one in objects(program("dev"), "Deployment") if one["metadata"]["name"] == "qwen3-8b-floor")["spec"]["template"]
    assert {MODEL_LABEL, TIER_LABEL} <= pod["metadata"]["labels"].keys()
    assert all({"model", "tier"} <= metric.labels for metric in SCRAPED if metric.source is Source.VLLM)


@pytest.mark.parametrize("name", ["dev", "local", "prod"])
def test_every_model_has_rules_of_its_own_and_all_share_the_others(program, name):
    rules = {one["metadata"]["namespace"]: one["spec"] for one in objects(program(name), "PrometheusRule")}
    models = {one["metadata"]["namespace"] for one in objects(program(name), "PodMonitor")} - {"gateway"}
    assert rules.keys() == models | {"monitoring"}


@pytest.mark.parametrize("shape", ["gke-default", "driver-installer"])
def test_gpus_have_exactly_one_exporter(shape):
    """A second one on a node, such as GKE's own, takes the GPUs' profiling counters from the first."""
    found = offline.run(stack({"cluster.gpuStack": shape}), "test")
    (cluster,) = [one for one in found.resources if one.type == "gcp:container/cluster:Cluster"]
    assert "DCGM" not in json.dumps(cluster.inputs["monitoringConfig"])
    assert gpu_operator_values(settings({"cluster.gpuStack": shape}))["dcgmExporter"].get("enabled", True), "the chart's default"
    running = [one for one in found.resources if one.inputs.get("kind") in ("DaemonSet", "Deployment") or one.type.endswith(":Release")]
    assert [one.name for one in running if "dcgm" in json.dumps(one.inputs).lower()] == ["gpu-operator"]


def test_kube_state_metrics_tells_what_nodes_and_pods_are_selected_by():
    changes = {
        "cluster": {"provider": "existing", "name": "own"},
        "gcp:project": None,
        "gcp:region": None,
        "nodePools.l4": {
            "hardware": {"vcpus": 12, "memoryGiB": 48, "gpus": 1, "accelerator": "nvidia-l4"},
            "onDemand": {"min": 1, "max": 4, "nodeSelector": {"acme.example/rack": "r1"}},
        },
        "models.qwen3-8b.scaling": {"floor": 1, "ceiling": 1},
    }
    own = settings(changes)
    allowed = monitoring_values(own, make_plan(own), own_admin=False)["kube-state-metrics"]["metricLabelsAllowlist"]
    nodes, pods = allowed
    assert "acme.example/rack" in nodes
    assert {MODEL_LABEL, TIER_LABEL} <= set(pods.removeprefix("pods=[").removesuffix("]").split(","))


def test_receivers_keys_are_in_a_secret_and_nowhere_else():
    found = offline.run(stack(TOLD), "test")
    values = [offline.placeholder(name) for name in SECRETS]
    (kept,) = [one for one in found.resources if one.name == "alert-receivers"]
    assert kept.inputs["stringData"] == dict(zip(SECRETS, values, strict=True))
    assert "stringData" in {path.partition(".")[0] for path in kept.secrets}
    others = json.dumps([one.inputs for one in found.resources if one is not kept])
    assert not any(value in others for value in values)
    (release,) = [one for one in found.resources if one.name == "kube-prometheus-stack"]
    assert release.inputs["values"]["alertmanager"]["alertmanagerSpec"]["secrets"] == ["alert-receivers"]


def test_an_alert_links_its_page_where_the_stack_says_that_pages_are():
    found = offline.run(stack(TOLD), "test")
    pages = {
        rule["annotations"]["runbook_url"]
        for one in objects(found, "PrometheusRule")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert "https://git.acme.example/llm/blob/main/docs/runbooks/ModelDown.md" in pages
    assert all(page.startswith("https://git.acme.example/") for page in pages)
