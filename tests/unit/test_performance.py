"""Planned speed of a replica, compared with public measurements of vLLM; and its direction when inputs change."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import catalog
from config.models import Parallelism
from planning.performance import CONSTANTS, Performance
from planning.performance_error import speed_error
from planning.work import plan_work
from tools.truth import fit, throughput
from tools.truth.__main__ import DATA
from tools.truth.models import Models

LLAMA_8B, LLAMA_70B = "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"
CONCURRENCY = st.integers(1, 512)


def performance(source: str, gpu: str, tensor: int = 1, **sizes: int) -> Performance:
    row = catalog.model(source)
    assert row is not None
    return Performance(plan_work(row.architecture, Parallelism(tensor=tensor, **sizes)), catalog.accelerators()[gpu])


# IOG-Foundation/llm-inference-benchmarks 4990a80, ShareGPT at one request a second, which is one to ten in flight; ms per token. Nothing
# was fitted to them.
@pytest.mark.parametrize(
    ("source", "gpu", "tensor", "in_flight", "tpot_ms"),
    [
        (LLAMA_8B, "nvidia-h100-pcie", 1, 2, 10.65),
        (LLAMA_70B, "nvidia-h100-pcie", 2, 10, 53.2),
        (LLAMA_8B, "nvidia-h100-pcie", 1, 9, 10.98),
    ],
)
def test_gpus_that_nothing_was_fitted_to_decode_as_measured(source, gpu, tensor, in_flight, tpot_ms):
    assert performance(source, gpu, tensor).serve(in_flight, 206, 205).tpot * 1000 == pytest.approx(tpot_ms, rel=0.2)


def test_the_aims_hold_on_the_points_that_ship():
    table = throughput.compare(DATA / "throughput.csv", Models())
    assert not table.missed, table.summary
    ratios = [row.ratio for row in table.rows if row.judged and row.ratio]
    assert len(ratios) >= 80
    assert sum(abs(ratio - 1) for ratio in ratios) / len(ratios) <= 0.20


def test_the_constants_are_what_the_fit_finds():
    points = fit.samples(DATA / "throughput.csv", Models())
    found = fit.fit(points)
    _, ours, _ = fit.errors(points, CONSTANTS)
    _, best, _ = fit.errors(points, found)
    assert ours <= best + 0.02
    for name in ("weight_bandwidth", "bf16_arithmetic", "fp8_arithmetic", "all_reduce"):
        assert getattr(CONSTANTS, name) == pytest.approx(getattr(found, name), rel=0.15), name


@pytest.mark.parametrize("left_out", ["Qwen/Qwen3-32B", "meta-llama/Llama-3.1-70B", "openai/gpt-oss-120b"])
def test_a_model_that_is_left_out_of_the_fit_is_within_its_aim(left_out):
    points = fit.samples(DATA / "throughput.csv", Models())
    _, error, _ = fit.errors([one for one in points if one.source == left_out], fit.fit([one for one in points if one.source != left_out]))
    assert error <= 0.35


@given(CONCURRENCY, CONCURRENCY)
def test_more_in_flight_are_served_more_slowly_each_and_faster_together(one, other):
    fewer, more = sorted((one, other))
    replica = performance(LLAMA_8B, "nvidia-l4")
    few, many = replica.serve(fewer, 1000, 200), replica.serve(more, 1000, 200)
    assert few.tpot <= many.tpot * 1.000001
    assert few.ttft <= many.ttft * 1.000001
    assert few.output_tokens_per_second <= many.output_tokens_per_second * 1.000001


@given(CONCURRENCY, st.integers(1, 30000), st.integers(1, 4000), st.sampled_from(catalog.model_ids()))
def test_every_model_has_a_speed_and_times_that_are_positive(in_flight, prompt, output, source):
    served = performance(source, "nvidia-b200", 2).serve(in_flight, prompt, output)
    assert served.output_tokens_per_second > 0
    assert served.ttft > 0
    assert served.tpot >= 0


def test_what_does_not_fit_waits():
    replica = performance(LLAMA_8B, "nvidia-l4")
    waiting, fitting = replica.serve(40, 1000, 200, running=10), replica.serve(10, 1000, 200)
    assert waiting.output_tokens_per_second == pytest.approx(fitting.output_tokens_per_second)
    assert waiting.ttft > fitting.ttft + 10


def test_more_gpus_decode_a_large_model_faster_and_the_link_between_them_counts():
    eight, two = (performance(LLAMA_70B, "nvidia-h100-80gb", tensor).serve(1, 1000, 200) for tensor in (8, 2))
    assert eight.tpot < two.tpot < 4 * eight.tpot  # not four times: all-reduces and kernels do not shrink
    nvlink, pcie = (performance(LLAMA_70B, gpu, 4).prompt(8000, 1) for gpu in ("nvidia-h100-nvl", "nvidia-h100-pcie"))
    assert nvlink < pcie * 1.2
    assert performance(LLAMA_70B, "nvidia-h100-80gb", 4).prompt(8000, 1) < pcie


def test_fp8_computes_faster_where_the_gpu_has_it_and_only_reads_less_where_it_has_not():
    plain, fp8 = "Qwen/Qwen3-8B", "Qwen/Qwen3-8B-FP8"
    assert performance(fp8, "nvidia-l4").prompt(4000, 0) < 0.75 * performance(plain, "nvidia-l4").prompt(4000, 0)
    assert performance(fp8, "nvidia-a100-80gb").prompt(4000, 0) > performance(plain, "nvidia-a100-80gb").prompt(4000, 0)
    assert performance(fp8, "nvidia-a100-80gb").step(1, 1000) < performance(plain, "nvidia-a100-80gb").step(1, 1000)


def test_data_parallel_ranks_add_up_where_nothing_connects_them():
    one, two = performance(LLAMA_8B, "nvidia-h100-80gb"), performance(LLAMA_8B, "nvidia-h100-80gb", data=2)
    assert two.serve(64, 1000, 200).output_tokens_per_second == pytest.approx(2 * one.serve(32, 1000, 200).output_tokens_per_second)


def test_pipeline_stages_raise_throughput_but_not_the_speed_of_one():
    one, two = performance(LLAMA_70B, "nvidia-h100-80gb"), performance(LLAMA_70B, "nvidia-h100-80gb", pipeline=2)
    assert two.serve(128, 1000, 200).output_tokens_per_second > 1.3 * one.serve(128, 1000, 200).output_tokens_per_second
    assert two.serve(1, 1000, 200).tpot == pytest.approx(one.serve(1, 1000, 200).tpot, rel=0.01)


@pytest.mark.parametrize(
    ("source", "gpu", "extrapolated"),
    [
        (LLAMA_8B, "nvidia-h100-80gb", False),
        (LLAMA_8B, "nvidia-l4", True),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "nvidia-h100-80gb", True),
    ],
)
def test_what_has_no_measurement_is_said_to_be_extrapolated(source, gpu, extrapolated):
    if catalog.model(source) is None:
        source = "Qwen/Qwen3-30B-A3B-Instruct-2507"
    replica = performance(source, gpu)
    error = speed_error(replica.work, replica.accelerator)
    assert error.extrapolated is extrapolated
    assert 0.05 < error.share < 0.6


def test_weights_that_a_gpu_cannot_multiply_have_the_error_of_unpacked_ones():
    replica = performance("nvidia/Kimi-K2.5-NVFP4", "nvidia-b200", 8)
    assert (
        speed_error(replica.work, catalog.accelerators()["nvidia-h200-141gb"]).share > speed_error(replica.work, replica.accelerator).share
    )


def test_the_points_that_ship_name_their_sources():
    lines = (Path(DATA) / "throughput.csv").read_text().splitlines()
    assert all(line.startswith(("pypi:aiconfigurator-core", "github:")) for line in lines[1:])
