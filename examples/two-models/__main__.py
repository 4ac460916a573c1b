"""Two models on the platform team's cluster, for the applications of one team, with settings that are written in Python."""

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace

from components.naming import CLIENT_NAMESPACE_LABEL
from components.stack import Stack, create_stack
from config.errors import StackError
from config.stack_config import load_settings
from planning.plan import make_plan

MODELS = {
    "qwen3-8b": {"source": "Qwen/Qwen3-8B", "revision": "b968826d9c46dd6066d109eabc6255188de91218"},
    "gpt-oss-20b": {"source": "openai/gpt-oss-20b", "revision": "6cee5e81ee83917806bbde320786a8fb61efebee"},
}


def settings_of_the_team(replicas: int) -> dict:
    """What all stacks of this team share, in the sections of a stack file."""
    own = {"nodePool": "l4", "engine": {"maxModelLen": 8192}, "scaling": {"floor": replicas, "ceiling": replicas}}
    # The platform team's nodes; GPU Operator and monitoring are theirs as well.
    nodes = {
        "hardware": {"vcpus": 16, "memoryGiB": 64, "accelerator": "nvidia-l4", "gpus": 1},
        "onDemand": {"max": 4, "nodeSelector": {"acme.example/pool": "l4"}},
    }
    return {
        "cluster": {"provider": "existing", "name": "lab"},
        "nodePools": {"l4": nodes},
        "platform": {"gpuOperator": {"enabled": False}, "monitoring": {"enabled": False}},
        "models": {name: model | own for name, model in MODELS.items()},
        "gateway": {"authentication": "none"},
    }


def main() -> None:
    settings = load_settings(settings_of_the_team(pulumi.Config().require_int("replicas")))
    plan = make_plan(settings)
    stack = create_stack(settings, plan)
    if stack.gateway is not None:
        contexts = {f"{name}.max-model-len": str(model.memory.max_model_len) for name, model in plan.models.items()}
        tell_applications(stack, {"OPENAI_BASE_URL": stack.gateway.url, **contexts})


def tell_applications(stack: Stack, facts: dict[str, str]) -> None:
    """The namespace of the team's applications, which may call the gateway, and a ConfigMap with what they must know."""
    inside = pulumi.ResourceOptions(provider=stack.cluster.provider, depends_on=[stack.gateway] if stack.gateway else [])
    namespace = Namespace("applications", metadata={"name": "assistants", "labels": {CLIENT_NAMESPACE_LABEL: "true"}}, opts=inside)
    ConfigMap("models", metadata={"name": "models", "namespace": namespace.metadata.name}, data=facts, opts=inside)
    pulumi.export("gateway", facts["OPENAI_BASE_URL"])


try:
    main()
except StackError as error:
    raise pulumi.RunError(str(error)) from None
