"""docs/adopt.md: an object that exists is taken over."""

from __future__ import annotations

import pytest

from tests.engine.engine import Stack, type_of
from tests.engine.environment import Environment
from tests.program.conftest import configuration

UPSERT = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
FOREIGN = {"acme.example/team": "platform"}


@pytest.fixture
def stack(own_environment: Environment) -> Stack:
    return own_environment.stack("local", configuration("local"))


def test_a_namespace_that_exists_is_taken_over_and_keeps_labels_of_its_own(own_environment, stack):
    own_environment.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateway", "labels": FOREIGN}}, "kubectl")
    refused = stack.up()
    assert refused.failures == ["gateway-namespace"]
    assert "already exists" in refused.output

    adopting = Stack(stack.program, stack.name, {**stack.variables, **UPSERT})
    assert "gateway-namespace" in adopting.up().succeeded().of("create")
    (namespace,) = [one for one in own_environment.cluster.list("Namespace") if one["metadata"]["name"] == "gateway"]
    assert FOREIGN.items() <= namespace["metadata"]["labels"].items()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    # The variable is an option of the provider, which has it no more.
    assert {type_of(urn) for _, urn in stack.preview().changes} == {"pulumi:providers:kubernetes"}
