"""KEDA's ScaledObjects: what the traps of KEDA 2.21 and of the HPA would make of them."""

from __future__ import annotations

from typing import Any

import pytest

from components.platform.autoscaler import keda_values
from components.platform.isolation import keda_policies, monitoring_policies
from components.serving.scaling import scaled_object_spec
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_models import MODEL


def spec(scaling: dict[str, Any], tier: str = "burst") -> dict[str, Any]:
    stack = settings({f"{MODEL}.scaling": scaling})
    return scaled_object_spec(stack.models["qwen3-8b"], make_plan(stack).models["qwen3-8b"], tier)


BURST = {"floor": 1, "ceiling": 5}


def test_the_burst_is_scaled_between_nothing_and_what_the_floor_leaves_of_the_ceiling():
    found = spec(BURST)
    assert found["scaleTargetRef"] == {"name": "qwen3-8b-burst"}
    assert (found["minReplicaCount"], found["maxReplicaCount"]) == (0, 4)


def test_a_model_without_a_floor_keeps_one_replica():
    assert spec({"floor": 0, "ceiling": 3})["minReplicaCount"] == 1


def test_a_query_that_fails_takes_no_replica_away():
    """With 0 in `fallback.replicas` KEDA deactivates the target, with ignoreNullValues it reads an empty answer as 0."""
    found = spec(BURST)
    assert found["fallback"] == {"failureThreshold": 3, "replicas": 1, "behavior": "currentReplicasIfHigher"}
    assert found["triggers"][0]["metadata"]["ignoreNullValues"] == "false"


def test_the_count_is_an_average_value_of_one_without_a_tolerance():
    """With Value the HPA would multiply the replicas that there are; with its tolerance of 10 % the 11th would not come."""
    found = spec(BURST)
    wish = found["triggers"][0]
    assert (wish["metricType"], wish["metadata"]["threshold"]) == ("AverageValue", "1")
    behavior = found["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert {rules["tolerance"] for rules in behavior.values()} == {"0"}
    assert [rules["stabilizationWindowSeconds"] for rules in behavior.values()] == [0, 300]


def test_hours_are_replicas_beyond_the_floor():
    hours = {"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "timeZone": "Europe/Berlin", "replicas": 4}
    _, cron = spec(BURST | {"schedule": [hours]})["triggers"]
    assert cron["type"] == "cron"
    assert cron["metadata"] == {"timezone": "Europe/Berlin", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "desiredReplicas": "3"}


def test_stand_ins_follow_their_own_count_and_nothing_else():
    hours = {"start": "0 8 * * *", "end": "0 9 * * *", "replicas": 2}
    found = spec(BURST | {"burst": "spot-preferred", "schedule": [hours], "triggers": {"cpuPercent": 80}}, "burst-on-demand")
    (wish,) = found["triggers"]
    assert wish["metadata"]["query"] == 'max(model:stand_ins:desired{model="qwen3-8b"})'
    assert found["scaleTargetRef"] == {"name": "qwen3-8b-burst-on-demand"}


@pytest.mark.parametrize("tier", ["burst", "burst-on-demand"])
def test_a_query_has_one_element_however_many_series_there_are(tier):
    """KEDA refuses several."""
    assert spec(BURST | {"burst": "spot-preferred"}, tier)["triggers"][0]["metadata"]["query"].startswith("max(")


def test_keda_asks_prometheus_and_prometheus_lets_it():
    to: Any = keda_policies(settings().cluster)["allow-prometheus"]
    at: Any = monitoring_policies(settings())["allow-autoscaler"]
    (out,), (way_in,) = to["egress"], at["ingress"]
    assert out["ports"] == way_in["ports"] == [{"port": 9090, "protocol": "TCP"}]


def test_two_of_each_of_kedas_parts_that_scaling_needs_and_no_eviction_for_a_floor():
    values = keda_values(settings())
    assert {values[part]["replicaCount"] for part in ("operator", "metricsServer")} == {2}
    assert values["priorityClassName"] == "vllm-platform-floor"


def test_kedas_images_come_from_the_mirror():
    values = keda_values(settings({"platform.imageMirror": "registry.acme.example/mirror"}))
    assert values["global"]["image"]["registry"] == "registry.acme.example/mirror"
