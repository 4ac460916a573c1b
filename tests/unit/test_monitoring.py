"""Monitoring: its resources follow from the stack, its chart gets what differs from its defaults, its namespace is closed."""

from __future__ import annotations

import pytest

from components.platform.isolation import gpu_operator_policies, monitoring_policies
from components.platform.monitoring import grafana_access, monitoring_values
from planning.monitoring import plan_monitoring
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_models import EXISTING

CONTROL_PLANE = {"kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy"}


def planned(changes=None):
    return make_plan(settings(changes)).monitoring


def values(changes=None, *, own_admin=False):
    return monitoring_values(settings(changes), make_plan(settings(changes)), own_admin=own_admin)


def switched_off(given):
    return {key for key, value in given.items() if value == {"enabled": False}}


def test_a_million_series_get_the_memory_that_mimirs_ingesters_are_given():
    """2.5 GB for 300,000 series, so 7.8 GiB for a million, beside what Prometheus needs without any."""
    few, many = planned(), planned({"cluster.systemPool.machineType": "e2-standard-8", "nodePools.l4.onDemand": {"min": 1, "max": 104}})
    per_series = (many.prometheus.memory_mib - few.prometheus.memory_mib) / (many.series - few.series)
    assert per_series * 1e6 / 1024 == pytest.approx(7.76, rel=0.01)
    assert many.series - few.series == 100 * (4000 + 12 * 8 + 40), "a g2-standard-12 has 12 CPUs and one GPU"


def test_each_replica_brings_the_series_that_a_server_was_seen_to_export():
    """584 samples in the /metrics of vLLM 0.33.0 with one model."""
    assert planned({"models.qwen3-8b.scaling.ceiling": 4}).series - planned().series == pytest.approx(584, rel=0.05)


def test_the_disk_is_prometheus_own_formula():
    """Seconds of retention, times samples a second, times 1 to 2 bytes."""
    plan = planned({"platform.monitoring": {"retentionDays": 10, "scrapeIntervalSeconds": 30}, "platform.autoscaler.enabled": False})
    least = 10 * 86_400 * plan.series / 30 / 1024**3
    assert least <= plan.storage_gib <= 2 * least


def test_a_volume_that_is_full_before_the_retention_is_over_is_a_warning():
    warned = make_plan(settings({"platform.monitoring": {"retentionDays": 90, "storageGiB": 10}})).warnings
    (warning,) = [one for one in warned if one.path == "platform.monitoring.storageGiB"]
    assert "90 days" in warning.message
    enough = int(warning.fix.removeprefix("raise it to ").partition(",")[0])
    again = make_plan(settings({"platform.monitoring": {"retentionDays": 90, "storageGiB": enough}})).warnings
    assert not [one for one in again if one.path == "platform.monitoring.storageGiB"]


def test_a_prometheus_that_no_system_node_holds_is_a_warning_and_asks_for_no_more_than_a_node():
    changes = {"nodePools.l4.onDemand": {"min": 1, "max": 500}, "platform.gpuOperator": {"podQuota": 100_000}}
    plan = make_plan(settings(changes))
    assert [one for one in plan.warnings if one.path == "cluster.systemPool.machineType" and "Prometheus" in one.message]
    assert plan.monitoring.prometheus.memory_mib < 16 * 1024, "the whole memory of an e2-standard-4"


def test_every_part_of_the_chart_that_grows_has_requests_and_a_limit_of_memory():
    given = values()
    parts = (
        given["prometheus"]["prometheusSpec"],
        given["alertmanager"]["alertmanagerSpec"],
        given["prometheusOperator"],
        given["grafana"],
        given["kube-state-metrics"],
    )
    for part in parts:
        resources = part["resources"]
        assert resources["requests"].keys() == {"cpu", "memory"}
        assert resources["limits"].keys() == {"memory"}
        assert int(resources["limits"]["memory"].removesuffix("Mi")) >= 2 * int(resources["requests"]["memory"].removesuffix("Mi"))
    assert plan_monitoring(settings(), make_plan(settings()).pools) == planned()


@pytest.mark.parametrize(
    ("changes", "off"),
    [
        ({}, CONTROL_PLANE | {"coreDns"}),
        (EXISTING, CONTROL_PLANE),
        (EXISTING | {"platform.monitoring": {"scrapeControlPlane": True}}, set()),
    ],
    ids=["GKE", "existing", "existing, and it can be reached"],
)
def test_only_what_can_be_reached_is_scraped_and_alerted_on(changes, off):
    assert switched_off(values(changes)) == off
    assert values(changes)["defaultRules"].keys() == {"disabled"}, "the chart drops the groups of what is off"


def test_a_new_version_of_the_chart_upgrades_its_definitions():
    job = values()["crds"]["upgradeJob"]
    assert job["enabled"] is True
    assert job["image"]["busybox"]["tag"] != "latest", "the chart's own default"


def test_the_job_that_upgrades_definitions_comes_from_the_mirror_too():
    images = values({"platform.imageMirror": "registry.acme.example/mirror"})["crds"]["upgradeJob"]["image"]
    assert {name: image["registry"] for name, image in images.items()} == {
        "busybox": "registry.acme.example/mirror",
        "kubectl": "registry.acme.example/mirror",
    }


@pytest.mark.parametrize(("own", "secret"), [(True, "grafana-admin"), (False, "kube-prometheus-stack-grafana")])
def test_grafanas_password_is_told_by_where_it_is_never_by_what_it_is(own, secret):
    access = grafana_access(own_admin=own)
    assert access["portForward"] == "kubectl -n monitoring port-forward service/kube-prometheus-stack-grafana 3000:80"
    assert f"get secret {secret} -o jsonpath='{{.data.admin-password}}'" in access["password"]


@pytest.mark.parametrize("changes", [{}, EXISTING], ids=["GKE", "existing"])
def test_both_namespaces_deny_what_they_do_not_allow(changes):
    given = settings(changes)
    for policies in (monitoring_policies(given), gpu_operator_policies(given.cluster)):
        assert policies["default-deny"] == {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]}


def ways_in(policies):
    return [(name, rule) for name, policy in policies.items() for rule in policy.get("ingress", [])]


def test_only_the_api_servers_webhook_is_open_to_the_rest_of_the_cluster():
    ways = ways_in(monitoring_policies(settings()))
    assert [(name, rule) for name, rule in ways if "from_" not in rule] == [
        ("allow-webhook", {"ports": [{"port": 10250, "protocol": "TCP"}]})
    ]
    within, autoscaler = [rule["from_"] for name, rule in ways if name != "allow-webhook"]
    assert within == [{"pod_selector": {}}]
    assert [peer["pod_selector"] for peer in autoscaler] == [{"match_labels": {"app.kubernetes.io/name": "keda-operator"}}]


def test_only_prometheus_reaches_the_gpu_operators_pods():
    (way,) = ways_in(gpu_operator_policies(settings().cluster))
    assert [peer["pod_selector"] for peer in way[1]["from_"]] == [{"match_labels": {"app.kubernetes.io/name": "prometheus"}}]


def ways_out(policies, label=None):
    """Egress rules of the pods with this label, or of all pods."""
    return [
        rule
        for policy in policies.values()
        for rule in policy.get("egress", [])
        if policy["pod_selector"] == ({"match_labels": label} if label else {})
    ]


def test_on_gke_grafana_has_no_way_out_of_the_vpc():
    """Every pod's rules: pods of the namespace, DNS, and the API server at private addresses."""
    for rule in ways_out(monitoring_policies(settings())):
        assert rule.get("to"), "a port alone would be open to the internet"
        assert all(peer.get("ip_block", {}).get("cidr") != "0.0.0.0/0" for peer in rule["to"])


@pytest.mark.parametrize(("scraped", "ports"), [(False, [9100, 10250]), (True, [9100, 10250, 2381, 10249, 10257, 10259])])
def test_prometheus_reaches_every_pod_and_on_nodes_what_it_scrapes(scraped, ports):
    given = settings(EXISTING | {"platform.monitoring": {"scrapeControlPlane": scraped}})
    pods, nodes = ways_out(monitoring_policies(given), {"app.kubernetes.io/name": "prometheus"})
    assert pods == {"to": [{"namespace_selector": {}}]}
    assert [one["port"] for one in nodes["ports"]] == ports


def test_alertmanager_reaches_its_receivers():
    _, receivers = ways_out(monitoring_policies(settings()), {"app.kubernetes.io/name": "alertmanager"})
    assert [one["port"] for one in receivers["ports"]] == [443, 587]


def test_the_driver_container_downloads_packages_only_where_it_is_used():
    assert "allow-driver" not in gpu_operator_policies(settings().cluster)
    assert "allow-driver" in gpu_operator_policies(settings(EXISTING).cluster)
