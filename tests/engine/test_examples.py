"""The second program of examples/, on Pulumi's engine and a cluster that exists."""

from __future__ import annotations

import os

from components.naming import TIER_LABEL
from config.parsing import parse
from tests.cluster.cluster import is_ready
from tests.engine.engine import ROOT, Program, Stack, type_of
from tests.engine.environment import Environment
from tests.program.test_examples import FOLDER, stack_file

# What the platform team has: the nodes that the program describes, and nodes for all else.
CLUSTER = {
    "vllm-platform:cluster": {"provider": "existing", "name": "lab"},
    "vllm-platform:nodePools": {
        "l4": {
            "hardware": {"vcpus": 16, "memoryGiB": 64, "accelerator": "nvidia-l4", "gpus": 1},
            "onDemand": {"min": 4, "max": 4, "nodeSelector": {"acme.example/pool": "l4"}},
        },
        "system": {
            "hardware": {"vcpus": 8, "memoryGiB": 32},
            "onDemand": {"min": 2, "max": 2, "nodeSelector": {"acme.example/pool": "system"}},
        },
    },
}


def second_program(environment: Environment) -> Stack:
    """With this project on PYTHONPATH, as a submodule would be."""
    program = Program(environment.program.folder.with_name("second"), FOLDER, ("__main__.py", "Pulumi.yaml"))
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    stack = Stack(program, "lab", {**environment.existing_cluster(parse(CLUSTER)), "PYTHONPATH": path})
    config = stack_file()
    del config["vllm-platform:cluster"]["context"]
    stack.configure(config)
    return stack


def test_the_second_program_from_its_preview_to_a_clean_cluster(own_environment):
    cluster, stack = own_environment.cluster, second_program(own_environment)
    previewed, created = stack.preview().succeeded(), stack.up().succeeded()
    assert previewed.urns() == created.urns()

    (facts,) = [
        one for one in cluster.list("ConfigMap") if one["metadata"]["namespace"] == "assistants" and "OPENAI_BASE_URL" in one["data"]
    ]
    assert facts["data"]["gpt-oss-20b.max-model-len"] == "16384"
    assert [is_ready(pod) for pod in cluster.pods(**{TIER_LABEL: "floor"})] == [True] * 4
    assert stack.preview().changes == []

    stack.destroy().succeeded()
    assert [one["urn"] for one in stack.resources() if type_of(one["urn"]) != "pulumi:pulumi:Stack"] == []
