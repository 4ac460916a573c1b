"""A stand-in's `/metrics`: vLLM's names, types, labels and buckets, counted as vLLM counts.

Source: the API and engine metrics of vLLM 0.33 (vllm/v1/metrics/loggers.py) and prometheus-fastapi-instrumentator. What follows
from options that are off by default (LoRA, speculative decoding, KV transfer) is left out, as there.
"""

from __future__ import annotations

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
    """One server's registry. Gauges are read off the engine at the scrape, so that requests pay for counters only."""

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
        self._gauges(engine)
        self._cache_config(engine)
        self._http()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def rejected(self) -> None:
        self._rejections.inc()

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

    def next_token(self, seconds: float) -> None:
        self._histograms["inter_token_latency_seconds"].observe(seconds)
        self._histograms["iteration_tokens_total"].observe(1)

    def finished(self, sequence: Sequence, reason: str, now: float) -> None:
        """Times are seconds of the event loop's clock; a request that never ran has no times but its wait."""
        generated, observe = sequence.generated, self._observe
        self._labelled["request_success", reason].inc()
        self._counters["generation_tokens"].inc(generated * sequence.choices)
        started = sequence.started or now
        first = sequence.first_token or now
        observe("e2e_request_latency_seconds", now - sequence.arrived)
        observe("request_queue_time_seconds", started - sequence.arrived)
        observe("request_inference_time_seconds", now - started)
        observe("request_prefill_time_seconds", first - started)
        observe("request_decode_time_seconds", now - first)
        observe("request_prompt_tokens", sequence.prompt_tokens)
        observe("request_generation_tokens", generated)
        observe("request_max_num_generation_tokens", generated)
        observe("request_prefill_kv_computed_tokens", sequence.prompt_tokens - sequence.cached_tokens)
        observe("request_params_n", sequence.choices)
        observe("request_num_preemptions", 0)
        if sequence.max_tokens:
            observe("request_params_max_tokens", sequence.max_tokens)
        if generated > 1:
            observe("request_time_per_output_token_seconds", (now - first) / (generated - 1))

    def http(self, handler: str, method: str, status: int, sizes: tuple[int, int], seconds: float) -> None:
        """`sizes`: bytes of the request's and of the answer's body."""
        self._http_requests.labels(handler, method, f"{status // 100}xx").inc()
        self._http_sizes[0].labels(handler).observe(sizes[0])
        self._http_sizes[1].labels(handler).observe(sizes[1])
        self._http_seconds.labels(handler, method).observe(seconds)
        self._http_seconds_fine.observe(seconds)

    def _observe(self, name: str, value: float) -> None:
        self._histograms[name].observe(value)

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
