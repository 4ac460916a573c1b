"""Series of a model under load as its engines, the gateway and kube-state-metrics send them, every 15 s, in promtool's notation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.unit.alert_series import EVER, MODEL, NAMESPACE, SYSTEM_NODE, Series, engine, node, replica

EVERY = 15
# Bytes of a request for each prompt token, its headers and the JSON around it included.
BYTES_PER_TOKEN = 5


@dataclass(frozen=True)
class Load:
    """Of the whole model, a second; equal over time."""

    requests: float
    prompt: int = 1155
    answer: int = 211
    running: float = 0
    waiting: float = 0
    kv_cache: float = 0.2
    gateways: Sequence[str] = ("g1", "g2")
    colours: Sequence[str] = ("blue", "green")
    pods: Sequence[str] = ("a", "b")

    def series(self) -> Series:
        return self.gateway() | self.engines()

    def gateway(self) -> Series:
        found: Series = {}
        each = self.requests / len(self.gateways) / len(self.colours)
        for pod in self.gateways:
            for colour in self.colours:
                labels = f'namespace="gateway",pod="{pod}",envoy_cluster_name="{MODEL}/{colour}"'
                found[f"envoy_cluster_upstream_rq_total{{{labels}}}"] = counter(each)
                found[f"envoy_cluster_upstream_cx_tx_bytes_total{{{labels}}}"] = counter(each * self.prompt * BYTES_PER_TOKEN)
        return found

    def engines(self) -> Series:
        found: Series = {}
        each = self.requests / len(self.pods)
        rates = {
            "vllm:request_success_total": each,
            "vllm:prompt_tokens_total": each * self.prompt,
            "vllm:generation_tokens_total": each * self.answer,
            "vllm:request_prompt_tokens_sum": each * self.prompt,
            "vllm:request_prompt_tokens_count": each,
            "vllm:request_generation_tokens_sum": each * self.answer,
            "vllm:request_generation_tokens_count": each,
        }
        for pod in self.pods:
            for metric, rate in rates.items():
                labels = {"finished_reason": "stop"} if metric == "vllm:request_success_total" else {}
                found |= engine(metric, counter(rate), pod=pod, **labels)
            for reason, waiting in (("capacity", self.waiting / len(self.pods)), ("deferred", 50)):
                found |= engine("vllm:num_requests_waiting_by_reason", f"{waiting}{EVER}", pod=pod, reason=reason)
            found |= engine("vllm:num_requests_running", f"{self.running / len(self.pods)}{EVER}", pod=pod)
            found |= engine("vllm:kv_cache_usage_perc", f"{self.kv_cache}{EVER}", pod=pod)
        return found


def counter(per_second: float) -> str:
    return f"0+{per_second * EVERY:g}{EVER}"


def without(series: Series, *names: str) -> Series:
    """As if nobody had been scraped who says this."""
    return {one: values for one, values in series.items() if not one.startswith(names)}


def stops(series: Series, steps: int, *names: str) -> Series:
    """Scraped for so many steps and no more."""
    return {one: f"{values.replace(EVER, f'x{steps}')} stale" if one.startswith(names) else values for one, values in series.items()}


def breaks(series: Series, steps: int, pause: int, *names: str) -> Series:
    """Not scraped for a while; counters begin at nothing again."""
    return {
        one: f"{values.replace(EVER, f'x{steps}')} stale _x{pause} {values}" if one.startswith(names) else values
        for one, values in series.items()
    }


def cluster(*ready: str, lost: Sequence[str] = ()) -> Series:
    """Floor replicas, and nodes for them."""
    pods: Series = {}
    for pod in ready:
        pods |= replica(pod)
    for pod in lost:
        pods |= replica(pod, ready=f"1x40 0{EVER}")
    return node() | SYSTEM_NODE | pods


def burst(pod: str, *, scheduled: str, ready: str) -> Series:
    who = f'namespace="{NAMESPACE}",pod="{pod}",uid="{pod}"'
    return replica(pod, tier="burst", ready=ready) | {f'kube_pod_status_scheduled{{{who},condition="false"}}': scheduled}
