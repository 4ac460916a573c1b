"""`/metrics` of a stand-in: metrics with vLLM's names, types, labels and buckets, updated as in vLLM.

Source: the API and engine metrics of vLLM 0.33 (vllm/v1/metrics/loggers.py) and prometheus-fastapi-instrumentator. What follows
from options that are off by default (speculative decoding, KV transfer) is left out, as there.
"""

from __future__ import annotations

from collections import Counter as Counted
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    Summary,
    generate_latest,
)

if TYPE_CHECKING:
    from tools.demo.model_server.engine import Engine, Sequence

ENGINE = "0"
MAX_LORAS = 1  # vLLM's default
FINISHED_REASONS = ("stop", "length", "abort", "error", "repetition")
_LABELS = ["model_name", "engine"]
_REQUEST_SECONDS = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
_TOKEN_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_FIRST_TOKEN_SECONDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
)  # fmt: skip
_HTTP_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60)
_COUNTERS = (
    "estimated_flops_per_gpu", "estimated_read_bytes_per_gpu", "estimated_write_bytes_per_gpu", "prefix_cache_queries",
    "prefix_cache_hits", "external_prefix_cache_queries", "external_prefix_cache_hits", "mm_cache_queries", "mm_cache_hits",
    "num_preemptions", "prompt_tokens", "prompt_tokens_cached", "generation_tokens",
)  # fmt: skip
_LABELLED_COUNTERS = {
    "prompt_tokens_by_source": ("source", ("local_compute", "local_cache_hit", "external_kv_transfer")),
    "prompt_tokens_cached_by_source": ("source", ("device", "host", "p2p", "disk", "external_unspecified")),
    "request_success": ("finished_reason", FINISHED_REASONS),
}


class Metrics:
    """One server's registry. Gauges are computed from the engine at each scrape, so that requests update counters only."""

    def __init__(self, engine: Engine) -> None:
        settings = engine.settings
        self.registry = CollectorRegistry()
        self._names = (settings.served_model_name[0], ENGINE)
        lengths = _one_two_five(settings.max_model_len)
        buckets = {
            **dict.fromkeys(("request_prompt_tokens", "request_generation_tokens", "request_max_num_generation_tokens"), lengths),
            **dict.fromkeys(("request_params_max_tokens", "request_prefill_kv_computed_tokens"), lengths),
            **dict.fromkeys(("e2e_request_latency_seconds", "request_queue_time_seconds"), _REQUEST_SECONDS),
            **dict.fromkeys(("request_inference_time_seconds", "request_prefill_time_seconds"), _REQUEST_SECONDS),
            "request_decode_time_seconds": _REQUEST_SECONDS,
            **dict.fromkeys(("inter_token_latency_seconds", "request_time_per_output_token_seconds"), _TOKEN_SECONDS),
            "time_to_first_token_seconds": _FIRST_TOKEN_SECONDS,
            "iteration_tokens_total": (1, *(2**power for power in range(3, 15))),
            "request_params_n": (1, 2, 5, 10, 20),
            "request_num_preemptions": (1, 2, 3, 4, 5, 10, 20),
        }
        self._histograms = {name: self._histogram(name, bounds) for name, bounds in buckets.items()}
        self._counters = {name: self._counter(name) for name in _COUNTERS}
        self._labelled = {
            (name, value): counter.labels(*self._names, value)
            for name, (label, values) in _LABELLED_COUNTERS.items()
            for counter in [Counter(f"vllm:{name}", _doc(name), [*_LABELS, label], registry=self.registry)]
            for value in values
        }
        rejections = Counter("vllm:admission_rejections", _doc("admission_rejections"), ["model_name", "reason"], registry=self.registry)
        # Both are exposed from the start; only requests are limited here.
        self._rejections, _ = (rejections.labels(self._names[0], f"max_num_queued_{what}") for what in ("reqs", "tokens"))
        self._in_use: dict[str, Counted[str]] = {"waiting": Counted(), "running": Counted()}
        self._adapters = self._adapter_gauge() if settings.lora_modules else None
        self._gauges(engine)
        self._cache_config(engine)
        self._http()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def rejected(self, requests: int) -> None:
        self._rejections.inc(requests)

    def adapter(self, name: str | None, state: str, change: int) -> None:
        """A request with this adapter begins or ends to be in `state`. vLLM writes a new sample for every set of adapters in use."""
        if name is None or self._adapters is None:
            return
        self._in_use[state][name] += change
        in_use = (",".join(sorted(+self._in_use[which])) for which in ("waiting", "running"))
        self._adapters.labels(str(MAX_LORAS), *in_use).set_to_current_time()

    def first_token(self, sequence: Sequence, seconds: float) -> None:
        self._histograms["time_to_first_token_seconds"].observe(seconds)
        self._histograms["iteration_tokens_total"].observe(sequence.prompt_tokens)
        self._counters["prompt_tokens"].inc(sequence.prompt_tokens)
        self._counters["prefix_cache_queries"].inc(sequence.prompt_tokens)
        self._counters["prefix_cache_hits"].inc(sequence.cached_tokens)
        self._counters["prompt_tokens_cached"].inc(sequence.cached_tokens)
        self._labelled["prompt_tokens_by_source", "local_compute"].inc(sequence.prompt_tokens - sequence.cached_tokens)
        self._labelled["prompt_tokens_by_source", "local_cache_hit"].inc(sequence.cached_tokens)
        self._labelled["prompt_tokens_cached_by_source", "device"].inc(sequence.cached_tokens)

        self._counters["generation_tokens"].inc(sequence.choices)

    def next_token(self, sequence: Sequence, seconds: float) -> None:
        self._counters["generation_tokens"].inc(sequence.choices)
        self._histograms["inter_token_latency_seconds"].observe(seconds)
        self._histograms["iteration_tokens_total"].observe(1)

    def finished(self, sequence: Sequence, now: float) -> None:
        """Every choice is a request of its own to vLLM. Times are seconds of the event loop's clock."""
        generated, started, first = sequence.generated, sequence.started or now, sequence.first_token or now
        values = {
            "e2e_request_latency_seconds": now - sequence.arrived,
            "request_queue_time_seconds": started - sequence.arrived,
            "request_inference_time_seconds": now - started,
            "request_prefill_time_seconds": first - started,
            "request_decode_time_seconds": now - first,
            "request_prompt_tokens": sequence.prompt_tokens / sequence.prompts,
            "request_generation_tokens": generated,
            "request_prefill_kv_computed_tokens": (sequence.prompt_tokens - sequence.cached_tokens) / sequence.prompts,
            "request_num_preemptions": 0,
            "request_params_max_tokens": sequence.max_tokens,
        }
        if generated > 1:
            values["request_time_per_output_token_seconds"] = (now - first) / (generated - 1)
        for _ in range(sequence.choices):
            self._labelled["request_success", sequence.finish_reason].inc()
            for name, value in values.items():
                self._histograms[name].observe(value)
        for _ in range(sequence.prompts):
            self._histograms["request_params_n"].observe(sequence.choices // sequence.prompts)
            self._histograms["request_max_num_generation_tokens"].observe(generated)

    def http(self, handler: str, method: str, status: int, sizes: tuple[int, int], seconds: float) -> None:
        """Counts an HTTP request. `sizes`: bytes of the request's and of the response's body."""
        self._http_requests.labels(handler, method, f"{status // 100}xx").inc()
        self._http_sizes[0].labels(handler).observe(sizes[0])
        self._http_sizes[1].labels(handler).observe(sizes[1])
        self._http_seconds.labels(handler, method).observe(seconds)
        self._http_seconds_fine.observe(seconds)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"vllm:{name}", _doc(name), _LABELS, buckets=buckets, registry=self.registry).labels(*self._names)

    def _counter(self, name: str) -> Counter:
        return Counter(f"vllm:{name}", _doc(name), _LABELS, registry=self.registry).labels(*self._names)

    def _gauges(self, engine: Engine) -> None:
        for name, value in (
            ("num_requests_running", lambda: engine.running),
            ("num_requests_waiting", lambda: engine.waiting),
            ("kv_cache_usage_perc", lambda: engine.held_tokens / engine.kv_cache_tokens),
        ):
            Gauge(f"vllm:{name}", _doc(name), _LABELS, registry=self.registry).labels(*self._names).set_function(value)
        waiting = Gauge("vllm:num_requests_waiting_by_reason", _doc("waiting_by_reason"), [*_LABELS, "reason"], registry=self.registry)
        waiting.labels(*self._names, "capacity").set_function(lambda: engine.waiting)
        waiting.labels(*self._names, "deferred").set(0)
        sleep = Gauge("vllm:engine_sleep_state", _doc("engine_sleep_state"), [*_LABELS, "sleep_state"], registry=self.registry)
        for state in ("awake", "weights_offloaded", "discard_all"):
            sleep.labels(*self._names, state).set(state == "awake")

    def _adapter_gauge(self) -> Gauge:
        labels = ["max_lora", "waiting_lora_adapters", "running_lora_adapters"]
        return Gauge("vllm:lora_requests_info", _doc("lora_requests_info"), labels, registry=self.registry)

    def _cache_config(self, engine: Engine) -> None:
        values = {
            "block_size": engine.block_tokens,
            "cache_dtype": "auto",
            "enable_prefix_caching": True,
            "engine": ENGINE,
            "gpu_memory_utilization": 0.92,
            "kv_cache_max_concurrency": engine.kv_cache_tokens / engine.settings.max_model_len,
            "kv_cache_size_tokens": engine.kv_cache_tokens,
            "num_gpu_blocks": engine.kv_cache_tokens // engine.block_tokens,
        }
        info = Gauge("vllm:cache_config_info", _doc("cache_config_info"), list(values), registry=self.registry)
        info.labels(*map(str, values.values())).set(1)

    def _http(self) -> None:
        self._http_requests = Counter("http_requests", "Requests.", ["handler", "method", "status"], registry=self.registry)
        self._http_sizes = [
            Summary(f"http_{what}_size_bytes", f"Bytes of the {what}s.", ["handler"], registry=self.registry)
            for what in ("request", "response")
        ]
        self._http_seconds = Histogram(
            "http_request_duration_seconds", "Latency.", ["handler", "method"], buckets=(0.1, 0.5, 1), registry=self.registry
        )
        self._http_seconds_fine = Histogram(
            "http_request_duration_highr_seconds", "Latency, finer.", buckets=_HTTP_SECONDS, registry=self.registry
        )


def _doc(name: str) -> str:
    return f"{name.replace('_', ' ').capitalize()}, as vLLM counts it."


def _one_two_five(limit: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50, ... up to `limit`."""
    steps = (step * 10**power for power in range(len(str(limit))) for step in (1, 2, 5))
    return tuple(step for step in steps if step <= limit)
