"""Stack outputs: how to reach the cluster and each model, and a summary of the plan."""

from __future__ import annotations

import pulumi

from components.serving.model_stack import ModelStack
from components.stack import Stack
from planning.plan import Plan


def export_outputs(stack: Stack) -> None:
    plan, gateway, monitoring = stack.plan, stack.gateway, stack.platform.monitoring
    pulumi.export("kubeconfigCommand", stack.cluster.kubeconfig_command)
    pulumi.export("models", {name: _model(plan, name, model) for name, model in stack.models.items()})
    if gateway is not None:
        pulumi.export("gateway", {"url": gateway.url, "publicUrl": gateway.public_url})
    if monitoring is not None:
        pulumi.export("grafana", monitoring.grafana)
    cost = plan.cost.total
    pulumi.export("usdPerMonth", {"floor": round(cost.floor), "expected": round(cost.expected), "ceiling": round(cost.ceiling)})


def _model(plan: Plan, name: str, stack: ModelStack) -> dict[str, object]:
    model = plan.models[name]
    return {
        "namespace": stack.namespace,
        "url": stack.url,
        "servedNames": list(model.served_names),
        "portForward": f"kubectl -n {stack.namespace} port-forward service/{model.replicas_name} 8000",
        "pool": model.pool.name,
        "replicas": {"floor": model.floor, "ceiling": model.floor + model.burst},
        "maxModelLen": model.memory.max_model_len,
        "concurrentSequences": round(model.memory.concurrent_sequences, 1),
        "usdPerMonth": round(model.cost.monthly.expected),
    }
