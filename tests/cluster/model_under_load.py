"""A model under load that nobody sends: the metrics page of its engines, of the gateway and of kube-state-metrics, for the replicas that
the cluster has.

Every ready replica does what the plan says that it can; what it cannot do waits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from components.naming import MODEL_LABEL, TIER_LABEL, discovered, model_namespace
from planning import scaling as law
from planning.plan import ModelPlan
from tests.cluster.cluster import Cluster, Objects, is_ready
from tools.demo.metrics.cluster import exporter

BYTES_PER_TOKEN = 5
COLOURS = ("blue", "green")


@dataclass
class ModelUnderLoad:
    """`requests` a second arrive, which a test changes. While it is `silent` nobody answers Prometheus. A second `stands_for` more of them,
    in which more requests begin to wait; rates are as they are. `counts`: it shows a gateway's counters, too."""

    cluster: Cluster
    plan: ModelPlan
    stands_for: float
    counts: bool = True
    requests: float = 0
    silent: bool = False
    arrived: float = 0
    waiting: float = 0
    answered: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Requests, by replica."""
    steps: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    served: float = 0
    """Requests a second of each ready replica."""
    _now: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def replica(self) -> law.Replica:
        target = self.plan.scaling
        assert target
        return law.replica(target, target.prompt_tokens, target.output_tokens)

    def replicas_for(self, replicas: float) -> None:
        """As much load as keeps so many replicas as busy as they may be."""
        self.requests = replicas * self.replica.requests_per_second

    def pods(self) -> Objects:
        return self.cluster.pods(model_namespace(self.plan.name), **{MODEL_LABEL: self.plan.name})

    def page(self) -> str:
        if self.silent:
            raise ConnectionError
        with self._lock:
            pods = self.pods()
            ready = [pod["metadata"]["name"] for pod in pods if is_ready(pod)]
            self._go_on(ready)
            return "\n".join([*(self._gateway() if self.counts else []), *self._engines(ready), *_state(pods)]) + "\n"

    def _go_on(self, ready: Sequence[str]) -> None:
        """A replica makes steps in all the time that is not its requests' own."""
        now = time.monotonic()
        seconds, self._now = now - self._now, now
        span = seconds * self.stands_for
        done = min(self.requests * span + self.waiting, len(ready) * self.replica.requests_per_second * span) / self.stands_for
        self.arrived += self.requests * seconds
        self.waiting += self.requests * span - done * self.stands_for
        self.served = done / seconds / len(ready) if seconds and ready else 0
        each = law.request_seconds(self._target, self._target.prompt_tokens, self._target.output_tokens)
        for name in ready:
            self.answered[name] += done / len(ready)
            self.steps[name] += seconds * (1 - self.served * each) / self._target.step_seconds

    def _gateway(self) -> Iterator[str]:
        for pod in ("g1", "g2"):
            for colour in COLOURS:
                who = f'{{namespace="gateway",pod="{pod}",envoy_cluster_name="{self.plan.name}/{colour}"}}'
                each = self.arrived / 4
                yield f"envoy_cluster_upstream_rq_total{who} {each}"
                yield f"envoy_cluster_upstream_cx_tx_bytes_total{who} {each * self._target.prompt_tokens * BYTES_PER_TOKEN}"

    @property
    def _target(self) -> law.ScalingTarget:
        assert self.plan.scaling
        return self.plan.scaling

    def _engines(self, ready: Sequence[str]) -> Iterator[str]:
        target, can = self._target, self.replica
        running = self.served / can.requests_per_second * can.in_flight
        for name in ready:
            who = f'namespace="{model_namespace(self.plan.name)}",pod="{name}",model="{self.plan.name}",engine="0"'
            each = self.answered[name]
            values = {
                "vllm:prompt_tokens_total": each * target.prompt_tokens,
                "vllm:generation_tokens_total": each * target.output_tokens,
                "vllm:request_prompt_tokens_sum": each * target.prompt_tokens,
                "vllm:request_prompt_tokens_count": each,
                "vllm:request_generation_tokens_sum": each * target.output_tokens,
                "vllm:request_generation_tokens_count": each,
                "vllm:iteration_tokens_total_count": self.steps[name],
                "vllm:num_requests_running": running,
                "vllm:kv_cache_usage_perc": 0.5 * running / can.in_flight,
            }
            for metric, value in values.items():
                yield f"{metric}{{{who}}} {value}"
            yield f'vllm:request_success_total{{{who},finished_reason="stop"}} {each}'
            yield f'vllm:num_requests_waiting_by_reason{{{who},reason="capacity"}} {self.waiting / len(ready)}'


def _state(pods: Objects) -> Iterator[str]:
    """As kube-state-metrics tells it."""
    yield 'kube_node_info{node="system"} 1'
    for pod in pods:
        labels, name = pod["metadata"]["labels"], pod["metadata"]["name"]
        who = f'namespace="{pod["metadata"]["namespace"]}",pod="{name}",uid="{name}"'
        told = ",".join(f'label_{discovered(key)}="{labels[key]}"' for key in (MODEL_LABEL, TIER_LABEL))
        yield f"kube_pod_labels{{{who},{told}}} 1"
        yield f'kube_pod_status_phase{{{who},phase="{pod.get("status", {}).get("phase", "Pending")}"}} 1'
        yield f'kube_pod_status_ready{{{who},condition="true"}} {int(is_ready(pod))}'
        yield f'kube_pod_status_scheduled{{{who},condition="false"}} {int("nodeName" not in pod["spec"])}'


@contextlib.contextmanager
def scraped(model: ModelUnderLoad) -> Generator[int]:
    """Port of its metrics page."""
    with exporter(model.page) as port:
        yield port
