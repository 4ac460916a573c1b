"""The formula of the replica count: what it answers to a load, and how it learns what a replica really costs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planning.scaling import (
    HEADROOM,
    LEAST_CORRECTION,
    MOST_CORRECTION,
    SPREAD,
    Load,
    ScalingTarget,
    Served,
    correction,
    replica,
    request_seconds,
    wanted_replicas,
)

# Qwen3-32B on two H100: prompt speed and KV cache as llm-d publishes them (guides/workload-autoscaling, d38c9f0c); a step reads 32 GB of
# weights per GPU at 80 % of 3.35 TB/s and the same share of 256 KiB of KV cache per token.
LLM_D = ScalingTarget(
    step_seconds=0.015,
    sequence_seconds=0.00003,
    context_seconds=4.9e-8,
    prompt_seconds=0,
    prompt_token_seconds=1 / 15_928,
    kv_tokens=350_000,
    max_num_seqs=256,
    tpot_seconds=0.1,
    busiest_for_ttft=1,
    startup_seconds=105,
    prompt_tokens=4000,
    output_tokens=1000,
)
STEADY = Load(
    requests=7.1,
    requests_before=7.1,
    prompts=28_400,
    prompts_before=28_400,
    prompt_tokens=4000,
    output_tokens=1000,
    spread=0,
    running=0,
    waiting=0,
    ready=8,
)


def test_a_replica_of_llm_d_s_benchmark_is_planned_for_a_little_less_than_they_measured():
    """Around 1.4 to 1.5 requests/s a replica (guides/workload-autoscaling/slo-aware/README.md), with all of its KV cache."""
    assert 0.9 * 1.4 < replica(LLM_D, 4000, 1000).requests_per_second < 1.4
    assert request_seconds(LLM_D, 4000, 1000) == pytest.approx(0.50, abs=0.02)


def test_a_steady_load_gets_what_it_needs_and_headroom_for_its_spread():
    can = replica(LLM_D, 4000, 1000)
    assert wanted_replicas(LLM_D, STEADY) == pytest.approx(HEADROOM * 7.1 / can.requests_per_second, rel=0.01)
    assert wanted_replicas(LLM_D, replace(STEADY, spread=0.4)) == pytest.approx(wanted_replicas(LLM_D, STEADY) + SPREAD * 0.4)


def test_longer_prompts_than_the_mean_count_before_they_are_read():
    assert wanted_replicas(LLM_D, replace(STEADY, prompts=2 * 28_400, prompts_before=2 * 28_400)) > 1.2 * wanted_replicas(LLM_D, STEADY)


def test_a_rise_counts_until_a_replica_can_be_ready():
    rising = replace(STEADY, requests_before=5, prompts_before=20_000)
    slow = replace(LLM_D, startup_seconds=345)
    assert wanted_replicas(slow, rising) > wanted_replicas(LLM_D, rising) > wanted_replicas(LLM_D, STEADY)


def test_a_fall_is_not_extrapolated():
    falling = replace(STEADY, requests_before=9, prompts_before=36_000)
    assert wanted_replicas(LLM_D, falling) == wanted_replicas(LLM_D, STEADY)


def test_work_in_flight_is_a_lower_bound_when_nothing_arrives():
    idle = replace(STEADY, requests=0, requests_before=0, prompts=0, prompts_before=0, running=200, ready=8)
    assert wanted_replicas(LLM_D, idle) == pytest.approx(200 / replica(LLM_D, 4000, 1000).in_flight)


def test_kv_caches_in_use_are_a_lower_bound_too():
    assert wanted_replicas(LLM_D, replace(STEADY, kv_usage=9)) == pytest.approx(9 / 0.75)


def test_nothing_arriving_and_nothing_in_flight_needs_no_replica():
    nothing = replace(STEADY, requests=0, requests_before=0, prompts=0, prompts_before=0)
    assert wanted_replicas(LLM_D, nothing) == 0


def _served(slower: float, requests: float) -> Served:
    """What a replica does whose every second takes `slower` seconds, in equilibrium."""
    busy = requests * slower * request_seconds(LLM_D, 4000, 1000)
    step = slower * LLM_D.step_seconds / (1 - busy)
    return Served(1 / step, requests * 4000, requests, requests * 1000, requests * 1000 * step, 4000, 1000)


@given(st.floats(LEAST_CORRECTION, MOST_CORRECTION), st.floats(1.1, 1.25))
def test_what_steps_really_take_is_learnt_from_the_counters(slower, requests):
    assert correction(LLM_D, _served(slower, requests)) == pytest.approx(slower)


def test_the_correction_is_bounded_and_silent_when_idle():
    assert correction(LLM_D, replace(_served(1.0, 1.2), steps_per_second=0.0, generation_tokens_per_second=0.0)) == MOST_CORRECTION
    assert correction(LLM_D, replace(_served(1.0, 1.0), running=1.0)) is None


@given(st.floats(LEAST_CORRECTION, MOST_CORRECTION), st.floats(10, 30_000), st.floats(1, 5000))
def test_a_replica_never_does_more_than_all_of_the_time(slower, prompt_tokens, output_tokens):
    can = replica(LLM_D, prompt_tokens, output_tokens, slower)
    assert 0 < can.busy <= 0.9
    assert can.in_flight > 0
