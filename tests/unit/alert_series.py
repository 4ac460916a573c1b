"""Series as exporters would send them, in promtool's notation, for the stack that the alerts are tried on.

`1x30`: 1 at the start and 30 steps more; `0+6x30`: growing by 6 a step; `_x5`: no sample; a blank goes on where the one before ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.stacks import REVISION

MODEL, NAMESPACE = "qwen3-8b", "model-qwen3-8b"
EVER = "x1000"
LONG_AGO = f"-1000000{EVER}"
STACK: dict[str, Any] = {
    "models.qwen3-8b.scaling": {"floor": 2, "ceiling": 3},
    "models.qwen3-8b.slo": {"ttftSeconds": 2.5},
    # It goes first where the hourly budget is short.
    "models.first": {
        "source": "Qwen/Qwen3-0.6B",
        "revision": REVISION,
        "nodePool": "l4",
        "engine": {"maxModelLen": 2048},
        "scaling": {"floor": 0, "ceiling": 1, "priority": 200},
    },
    "gateway": {
        "authentication": "api-key",
        "exposure": "load-balancer",
        "tls": {"secretName": "llm"},
        "clients": {"team-a": {"monthlyTokens": 1_000_000}},
    },
    "secrets.clientKeys": {"team-a": {"secure": "v1:x"}},
    "budget": {
        "monthlyUsd": 10_000,
        "hourlyUsd": 270,
        "onExceed": "warn",
        "prices": {"g2-standard-12": {"onDemandUsdPerHour": 100, "spotUsdPerHour": 40}, "e2-standard-4": {"onDemandUsdPerHour": 0}},
    },
}
Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """An alert that fires on the fault at one time, and no more at a later; and what it must not be mistaken for."""

    fault: Series
    near_miss: Series
    """Replaces what is of the same name in `fault`."""
    fires: str
    resolved: str
    labels: dict[str, str] = field(default_factory=dict)
    """Of the alert that fires, among others."""
    step: str = "1m"


def replica(pod: str = "a", *, tier: str = "floor", ready: str = f"1{EVER}", up: str = f"1{EVER}", start: str = LONG_AGO) -> Series:
    """Of a model's pod on a node of the pool."""
    who = f'namespace="{NAMESPACE}",pod="{pod}",uid="{pod}"'
    return {
        f'kube_pod_labels{{{who},label_vllm_platform_model="{MODEL}",label_vllm_platform_tier="{tier}"}}': f"1{EVER}",
        f'kube_pod_status_phase{{{who},phase="Running"}}': f"1{EVER}",
        f'kube_pod_info{{{who},node="n1"}}': f"1{EVER}",
        f"kube_pod_start_time{{{who}}}": start,
        f'kube_pod_status_ready{{{who},condition="true"}}': ready,
        f'up{{namespace="{NAMESPACE}",pod="{pod}",model="{MODEL}",tier="{tier}"}}': up,
    }


def node(name: str = "n1", capacity: str = "on-demand", values: str = f"1{EVER}", *, pool: str = "l4") -> Series:
    labels = f'label_vllm_platform_node_pool="{pool}",label_vllm_platform_capacity="{capacity}"' if pool else ""
    return {f'kube_node_labels{{node="{name}"{"," if labels else ""}{labels}}}': values, f'kube_node_info{{node="{name}"}}': values}


SYSTEM_NODE = node("s1", pool="")
OLD = {f'kube_namespace_created{{namespace="{NAMESPACE}"}}': LONG_AGO}


def engine(metric: str, values: str, *, pod: str = "a", **labels: str) -> Series:
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    series = f'namespace="{NAMESPACE}",pod="{pod}",model="{MODEL}",model_name="{MODEL}",engine="0"{more}'
    return {f"{metric}{{{series}}}": values}


def requests(status: str, values: str, *, client: str = "team-a") -> Series:
    """As the gateway counts them."""
    return {f'envoy_gateway_requests_total{{namespace="gateway",pod="g",client="{client}",model="{MODEL}",status="{status}"}}': values}


def envoy(metric: str, values: str, *, pod: str = "g", **labels: str) -> Series:
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    return {f'envoy_{metric}{{namespace="gateway",pod="{pod}"{more}}}': values}


def gpu(metric: str, values: str) -> Series:
    labels = f'gpu="0",UUID="GPU-1",modelName="NVIDIA L4",Hostname="n1",namespace="{NAMESPACE}",pod="a"'
    return {f"DCGM_FI_DEV_{metric}{{{labels}}}": values}


def container(metric: str, values: str, **labels: str) -> Series:
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    return {f'kube_pod_container_status_{metric}{{namespace="{NAMESPACE}",pod="a",uid="a",container="vllm"{more}}}': values}


def deployment(spec: str, available: str) -> Series:
    labels = f'namespace="{NAMESPACE}",deployment="{MODEL}-burst"'
    return {f"kube_deployment_spec_replicas{{{labels}}}": spec, f"kube_deployment_status_replicas_available{{{labels}}}": available}
