"""The catalogue of metrics against what a real vLLM exposes."""

from __future__ import annotations

import json
from pathlib import Path

from components.observability.metrics import SCRAPED, Source
from planning.service_levels import latency_objectives
from tests.stacks import settings

REAL = json.loads((Path(__file__).parents[1] / "data" / "vllm_metrics.json").read_text())["metrics"]
TARGET = {"namespace", "pod", "container", "endpoint", "instance", "job", "model", "tier"}


def test_what_the_catalogue_says_of_vllm_a_real_one_exposes():
    ours = [metric for metric in SCRAPED if metric.source is Source.VLLM]
    assert len(ours) > 20
    for metric in ours:
        real = REAL[metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name]
        assert metric.kind == real["type"], metric.name
        assert metric.labels - TARGET <= set(real["labels"]), metric.name
        if not metric.name.endswith("_info"):
            assert metric.labels - TARGET == set(real["labels"]), metric.name


def test_no_metric_is_listed_twice():
    names = [name for metric in SCRAPED for name in metric.series]
    assert len(names) == len(set(names))


def test_objectives_are_held_against_the_edges_of_a_real_vllms_buckets():
    model = settings({"models.qwen3-8b.slo": {"ttftSeconds": 1, "tpotSeconds": 0.5}}).models["qwen3-8b"]
    edges = {one.slo: list(one.edges) for one in latency_objectives(model)}
    assert edges["ttft"] == REAL["vllm:time_to_first_token_seconds"]["buckets"]
    assert edges["tpot"] == REAL["vllm:request_time_per_output_token_seconds"]["buckets"]
