"""The Jobs between a candidate and its clients. Pure.

smoke: every replica answers well. seen: every gateway pod knows the colour. gate: Prometheus says that it does well, before it gets more
than a canary's requests. And behind the routes, seen again: every gateway pod has them, before a colour that has none is deleted.

Pulumi waits for them, and the gateway's routes depend on them. A Job's name has a fingerprint of what it judges, so that it runs again
exactly when that has changed. They run in the model's namespace on the candidate's nodes, which have its image, and request nothing there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi_kubernetes.batch.v1 import JobSpecArgsDict
from pulumi_kubernetes.core.v1 import ContainerArgsDict, PodSpecArgsDict

from components.gateway import pod as gateway
from components.gateway.envoy.clusters import cluster_name
from components.naming import API_PORT, CHECK_LABELS, GATEWAY_NAMESPACE, MANAGED, PROMETHEUS_URL, literal, model_host
from components.observability.judgement import queries
from components.serving.pod import POD_SECURITY_CONTEXT, SECURITY_CONTEXT, Tier
from config.rollout import Candidate
from planning.plan import ModelPlan

# A failed Job is replaced by the next update, though nothing has changed: the reason may lie outside the stack.
RETRIED = {"pulumi.com/replaceUnready": "true"}
# From the program's own time limit to the Job's, which gives no reason.
_MARGIN_SECONDS = 60
# From a Job's creation until its program runs: the image is on the node.
_START_SECONDS = 240
_MEMORY = "512Mi"
# The kubelet's period and the age of its cache, 60 to 90 s, with a margin.
_GATEWAY_SECONDS = 300


def smoke_argument(candidate: Candidate, plan: ModelPlan) -> dict[str, Any]:
    test = candidate.smoke_test
    return {
        "host": model_host(plan.name, plan.replicas_name),
        "port": API_PORT,
        "names": [*plan.served_names],
        "first_token_seconds": test.first_token_seconds,
        "golden_prompts": [one.model_dump() for one in test.golden_prompts],
        "time_limit_seconds": test.time_limit_seconds,
    }


def seen_argument(plan: ModelPlan) -> dict[str, Any]:
    """That the gateway sees a healthy replica of the colour."""
    name = re.escape(cluster_name(plan.name, plan.colour))
    line = rf'^envoy_cluster_membership_healthy{{[^}}]*envoy_cluster_name="{name}"[^}}]*}} [1-9]'
    return _of_gateway(line, f"a healthy replica of {cluster_name(plan.name, plan.colour)}")


def routes_argument(version: str) -> dict[str, Any]:
    """That the gateway has these routes."""
    return _of_gateway(f'envoy_virtual_cluster="{version}"', f"routes {version}")


def _of_gateway(line: str, what: str) -> dict[str, Any]:
    host = f"{gateway.REPLICAS_SERVICE}.{GATEWAY_NAMESPACE}.svc.cluster.local"
    limit = {"time_limit_seconds": _GATEWAY_SECONDS}
    return {"host": host, "port": gateway.OPERATIONS_PORT, "line": line, "what": what, **limit}


def gate_argument(candidate: Candidate, plan: ModelPlan) -> dict[str, Any]:
    gate = candidate.gate
    return {
        "prometheus": PROMETHEUS_URL,
        "queries": queries(plan, gate.window_minutes),
        "min_requests": gate.min_requests,
        "max_error_ratio": gate.max_error_ratio,
        "max_ttft_ratio": gate.max_ttft_ratio,
        "time_limit_seconds": gate.time_limit_seconds,
        "weight": candidate.weight,
    }


def job_spec(name: str, argument: Mapping[str, Any], tier: Tier, image: str) -> JobSpecArgsDict:
    """`name`: of the program beside this file."""
    container: ContainerArgsDict = {
        "name": name,
        "image": image,
        "command": ["python3", "-c", literal(program(name)), literal(json.dumps(argument))],
        # The model's replicas take the whole node: with requests of its own it would wait for another.
        "resources": {"requests": {"cpu": "0", "memory": "0"}, "limits": {"memory": _MEMORY}},
        "security_context": SECURITY_CONTEXT,
        "termination_message_policy": "FallbackToLogsOnError",
    }
    pod: PodSpecArgsDict = {
        "restart_policy": "Never",
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": POD_SECURITY_CONTEXT,
        "node_selector": tier.group.node_selector,
        "tolerations": [
            {"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect} for taint in tier.group.taints
        ],
        "containers": [container],
    }
    return {
        "backoff_limit": 0,
        "active_deadline_seconds": argument["time_limit_seconds"] + _MARGIN_SECONDS,
        "template": {"metadata": {"labels": CHECK_LABELS | MANAGED}, "spec": pod},
    }


def time_limit(spec: JobSpecArgsDict) -> int:
    """Seconds for which Pulumi waits: the Job's own limit and the start of its pod."""
    return int(str(spec.get("active_deadline_seconds"))) + _START_SECONDS


def fingerprint(*what: object) -> str:
    """Of whatever a Job judges, its own specification included."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:10]


def program(name: str) -> str:
    """The text of a program, which the Job has as an argument."""
    return Path(__file__).with_name(f"{name}.py").read_text()
