"""The values that this program gives the charts, held against the charts themselves: `make test-charts CHARTS=<folder>`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from components.platform.gpu_operator import gpu_operator_values
from components.platform.isolation import gpu_operator_policies, monitoring_policies
from components.platform.monitoring import grafana_access, monitoring_values
from planning.plan import make_plan
from tests.charts.archives import CHARTS, archive, default_values, definitions, rendered, repeated, unknown_keys
from tests.definitions import structural
from tests.stacks import settings
from tests.unit.wrong_models import EXISTING

FOLDER = Path(os.environ.get("CHARTS", "none"))
HELM = shutil.which("helm")
pytestmark = pytest.mark.skipif(not os.environ.get("CHARTS"), reason="CHARTS names no folder of charts")
needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not on PATH")

STACKS = {
    "GKE": {},
    "GKE, driver installer": {"cluster.gpuStack": "driver-installer"},
    "GKE, mirror": {"platform.imageMirror": "registry.acme.example/mirror"},
    "GKE, scraped often": {"platform.monitoring": {"scrapeIntervalSeconds": 5}},
    "GKE, without monitoring": {"platform.monitoring": {"enabled": False}},
    "existing": EXISTING,
    "existing, control plane scraped": EXISTING | {"platform.monitoring": {"scrapeControlPlane": True}},
}
stacks = pytest.mark.parametrize("changes", STACKS.values(), ids=STACKS)


def values_of(chart, changes):
    given = settings(changes)
    if chart == "gpu-operator":
        return gpu_operator_values(given)
    return monitoring_values(given, make_plan(given), own_admin=True)


def objects(chart, changes, kind=None):
    namespace = "monitoring" if chart == "kube-prometheus-stack" else chart
    found = rendered(str(HELM), archive(FOLDER, chart), values_of(chart, changes), namespace)
    return [one for one in found if kind in (None, one["kind"])]


@pytest.mark.parametrize("chart", CHARTS)
@stacks
def test_every_key_that_is_set_exists(chart, changes):
    assert [*unknown_keys(values_of(chart, changes), default_values(archive(FOLDER, chart)))] == []


def test_a_misspelt_key_would_be_found():
    known = default_values(archive(FOLDER, "kube-prometheus-stack"))
    assert [*unknown_keys({"prometheus": {"prometheusSpecs": {}}, "grafana": {"persistance": {}}}, known)] == [
        "prometheus.prometheusSpecs",
        "grafana.persistance",
    ]


@pytest.mark.parametrize("chart", CHARTS)
def test_values_that_never_differ_from_the_charts_own_are_left_out(chart):
    """On every kind of stack: what repeats the chart on one kind may differ from it on another."""
    known = default_values(archive(FOLDER, chart))
    assert set.intersection(*(set(repeated(values_of(chart, changes), known)) for changes in STACKS.values())) == set()


@needs_helm
@stacks
def test_prometheus_takes_the_monitors_and_rules_of_every_namespace(changes):
    (prometheus,) = objects("kube-prometheus-stack", changes, "Prometheus")
    for kind in ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig"):
        assert prometheus["spec"][f"{kind}Selector"] == prometheus["spec"][f"{kind}NamespaceSelector"] == {}, kind


@needs_helm
@stacks
def test_what_the_operator_is_told_is_valid_by_its_own_definition(changes):
    for chart, kinds in (("kube-prometheus-stack", ("Prometheus", "Alertmanager")), ("gpu-operator", ("ClusterPolicy",))):
        known = definitions(archive(FOLDER, chart))
        for kind in kinds:
            schema = known[kind]["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]["properties"]["spec"]
            (one,) = objects(chart, changes, kind)
            jsonschema.validate(one["spec"], structural(schema))


@needs_helm
@pytest.mark.parametrize(("changes", "scraped"), [({}, False), (EXISTING, False), (STACKS["existing, control plane scraped"], True)])
def test_nothing_out_of_reach_is_scraped_or_alerted_on(changes, scraped):
    found = objects("kube-prometheus-stack", changes)
    services = {one["metadata"]["name"] for one in found if one["kind"] == "Service"}
    rules = [
        rule.get("alert") for one in found if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"] for rule in group["rules"]
    ]
    unreachable = {"kps-kube-etcd", "kps-kube-scheduler", "kps-kube-controller-manager", "kps-kube-proxy"}
    alerts = {"etcdInsufficientMembers", "KubeSchedulerDown", "KubeControllerManagerDown", "KubeProxyDown"}
    assert services & unreachable == (unreachable if scraped else set())
    assert alerts & {*rules} == (alerts if scraped else set())


@needs_helm
def test_the_chart_upgrades_its_definitions_before_its_operator():
    jobs = {one["metadata"]["name"]: one for one in objects("kube-prometheus-stack", {}, "Job")}
    (upgrade,) = [one for one in jobs.values() if "--server-side" in str(one["spec"])]
    assert "pre-upgrade" in upgrade["metadata"]["annotations"]["helm.sh/hook"]


@needs_helm
def test_policies_select_the_pods_that_they_are_for():
    """Prometheus' and Alertmanager's pods are the operator's work: it names them so."""
    found = objects("kube-prometheus-stack", {}, "Deployment")
    policies: dict[str, Any] = {**monitoring_policies(settings())}
    webhook = policies["allow-webhook"]["pod_selector"]["match_labels"]
    served = [one for one in found if webhook.items() <= one["spec"]["template"]["metadata"]["labels"].items()]
    assert [port["containerPort"] for one in served for port in one["spec"]["template"]["spec"]["containers"][0]["ports"]] == [10250]
    assert gpu_operator_policies(settings().cluster).keys() == {"default-deny", "allow-dns", "allow-api-server", "allow-scraping"}


@needs_helm
def test_grafana_is_where_the_stack_says():
    services = {one["metadata"]["name"] for one in objects("kube-prometheus-stack", {}, "Service")}
    assert grafana_access(own_admin=True)["portForward"].split("service/")[1].split()[0] in services


@needs_helm
@pytest.mark.parametrize("chart", CHARTS)
def test_with_a_mirror_every_image_comes_from_it(chart):
    """But those of Helm's tests and of parts that are off."""
    changes = STACKS["GKE, mirror"]
    workloads = [one for one in objects(chart, changes) if one["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job")]
    specs = [one["spec"]["template"]["spec"] for one in workloads]
    images = [container["image"] for spec in specs for container in [*spec.get("initContainers", []), *spec["containers"]]]
    assert images
    assert [image for image in images if not image.startswith("registry.acme.example/mirror/")] == []


@needs_helm
def test_every_container_that_grows_has_requests():
    found = objects("kube-prometheus-stack", {})
    (prometheus,) = [one for one in found if one["kind"] == "Prometheus"]
    (alertmanager,) = [one for one in found if one["kind"] == "Alertmanager"]
    assert prometheus["spec"]["resources"]["requests"]
    assert alertmanager["spec"]["resources"]["requests"]
    for name in ("kube-prometheus-stack-grafana", "kube-prometheus-stack-kube-state-metrics", "kps-operator"):
        (one,) = [one for one in found if one["metadata"]["name"] == name and one["kind"] in ("Deployment", "StatefulSet")]
        assert any(container.get("resources", {}).get("requests") for container in one["spec"]["template"]["spec"]["containers"]), name
