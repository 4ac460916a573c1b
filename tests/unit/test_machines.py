"""Allocatable CPU and memory of a node, compared with measured nodes."""

from pathlib import Path

import pytest
import yaml

from planning.machines import DAEMONSET_CPU, DAEMONSET_MEMORY_GIB, allocatable_cpu, allocatable_memory_gib

MEASURED = yaml.safe_load((Path(__file__).parent.parent / "data" / "gke_nodes.yaml").read_text())
KI_PER_GIB = 2**20


@pytest.mark.parametrize("node", MEASURED["nodes"], ids=lambda node: f"{node['memoryGiB']} GiB")
def test_a_pod_is_never_promised_more_than_a_measured_node_has(node):
    memory = allocatable_memory_gib(node["memoryGiB"])
    measured = node["allocatableKi"] / KI_PER_GIB
    assert measured - 0.1 < memory <= measured
    assert allocatable_cpu(node["vcpus"]) * 1000 == pytest.approx(node["allocatableMilliCpu"], abs=1)


def test_the_room_of_a_nodes_own_pods_covers_those_that_were_seen():
    seen = MEASURED["daemons"].values()
    assert sum(one["milliCpu"] for one in seen) <= DAEMONSET_CPU * 1000
    assert sum(one["memoryMi"] for one in seen) <= DAEMONSET_MEMORY_GIB * 1024
