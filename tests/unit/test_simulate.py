"""The simulator against what is known without it: a queue's formula, a published benchmark, the HPA's rules."""

import math
import random
from dataclasses import replace

import pytest

from planning.scaling import Behaviour
from tools.simulate import advise, episode, traces
from tools.simulate.__main__ import main
from tools.simulate.arguments import SHIPPED
from tools.simulate.engine import Engine, EngineShape, Request
from tools.simulate.hpa import Hpa
from tools.simulate.laws import HourlyCost, Objective, Ours, SloAware, Static
from tools.simulate.simulation import Simulation
from tools.simulate.times import linear_times

CENTRE = episode.CENTRE


def served(engine: Engine, requests: list[Request]) -> list[Request]:
    """Runs one engine until all have ended."""
    waiting = iter(requests)
    request = next(waiting, None)
    while request or engine.end < math.inf:
        if request is None or engine.end <= request.arrival:
            engine.advance()
        else:
            engine.arrive(request.arrival, request)
            request = next(waiting, None)
    return engine.finished


def evenly(rate: float, seconds: float) -> list[Request]:
    return [Request(index / rate, 4000, 1000) for index in range(int(rate * seconds))]


def test_a_replica_of_the_published_episode_breaks_between_1_4_and_1_5_requests_a_second():
    """Nothing is fitted. Broken: the queue grows as long as the load lasts."""
    slowest = {}
    for rate in (1.4, 1.5):
        engine = Engine(episode.site(CENTRE).times, episode.site(CENTRE).shape)
        slowest[rate] = max(one.ttft for one in served(engine, evenly(rate, 800)))
    assert slowest[1.4] < episode.OBJECTIVE.ttft
    assert slowest[1.5] > 10 * episode.OBJECTIVE.ttft


def test_eight_replicas_serve_the_whole_episode():
    assert episode.play(Static(8), begin=8).attained() == 1.0


def test_draws_of_plausible_constants_find_the_published_number_of_replicas():
    """The attainment of single draws lies in two modes; `make bench-policy` shows many, and docs/autoscaling.md how far off it is."""
    results = episode.ensemble(6)
    replicas = sum(average for _, average in results) / len(results)
    assert replicas == pytest.approx(episode.PUBLISHED[1], abs=0.3)
    assert all(0.8 < attained <= 1 for attained, _ in results)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (4, 0.7), (16, 0.8)])
def test_the_queue_is_that_of_m_m_c(servers, load):
    """Erlang's C. Steps take the same time whoever is in them, so each sequence is a server; lengths are geometric."""
    step, mean, draw, now, requests = 0.01, 200, random.Random(5), 0.0, []  # noqa: S311 - a simulation
    for _ in range(120_000):
        now += draw.expovariate(load * servers / (mean * step))
        requests.append(Request(now, 1, max(1, math.ceil(math.log(1 - draw.random()) / math.log(1 - 1 / mean)))))
    engine = Engine(linear_times(step, 0, 0, 0), EngineShape(1e12, servers, 8192))
    waited = [one.ttft - step for one in served(engine, requests)]
    offered = load * servers
    last = offered**servers / math.factorial(servers) / (1 - load)
    queued = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)
    assert sum(waited) / len(waited) == pytest.approx(queued * mean * step / (servers - offered), rel=0.05, abs=0.01)


def test_steps_taken_together_are_the_steps_taken_one_by_one():
    """Decoding runs have a closed form; an arrival in the middle ends them at the next step and changes nothing that was before."""
    alone = served(Engine(episode.site(CENTRE).times, episode.site(CENTRE).shape), [Request(0.0, 4000, 1000)])[0]
    steps = sum(0.015 + 0.00003 + 4.9e-8 * (4001 + index) for index in range(999))
    assert alone.end - alone.first == pytest.approx(steps, rel=1e-6)


def test_a_full_kv_cache_preempts_the_last_and_everyone_is_answered():
    engine = Engine(episode.site(CENTRE).times, EngineShape(13_000, 256, 8192))
    answered = served(engine, [Request(0.0, 4000, 1500) for _ in range(3)])
    assert engine.counters.preemptions > 0
    assert sorted(one.output for one in answered) == [1500, 1500, 1500]
    assert engine.counters.finished == 3
    assert engine.kv_usage == 0


def test_a_replica_refuses_more_than_it_may_have():
    engine = Engine(episode.site(CENTRE).times, EngineShape(350_000, 256, 8192, most_in_flight=2))
    assert [engine.arrive(0.0, Request(0.0, 100, 10)) for _ in range(3)] == [True, True, False]


def test_an_hpa_does_not_fall_before_its_window_has_passed_since_it_began():
    hpa = Hpa(Behaviour(down_window=300), 1, 20)
    counts = [hpa.sync(time, 13, 2.0) for time in (0, 15, 285)]
    assert counts == [13, 13, 13]
    assert hpa.sync(315, 13, 2.0) == 2


def test_an_hpa_rises_by_the_larger_of_its_policies_per_period():
    hpa = Hpa(Behaviour(up_pods=4, up_percent=100, up_period=60), 1, 100)
    assert hpa.sync(0, 3, 50.0) == 7
    assert hpa.sync(15, 7, 50.0) == 7
    assert hpa.sync(75, 7, 50.0) == 14


def test_an_hpa_ignores_what_is_within_its_tolerance():
    assert Hpa(Behaviour(tolerance=0.1), 1, 100).sync(0, 10, 10.9) == 10
    assert Hpa(Behaviour(tolerance=0.0), 1, 100).sync(0, 10, 10.1) == 11


def hour(trace: traces.Trace, law, begin: int = 2, **changes):
    plain = replace(episode.site(CENTRE), floor=1, ceiling=60, **changes)
    return Simulation(plain, law, trace, Objective(3, 0.1), begin=begin).run()


def test_ours_serves_what_the_latency_law_serves_with_fewer_replicas():
    trace = traces.day(12, seed=2, hours=1, lengths=traces.lengths_of(traces.read(SHIPPED)))
    ours, theirs = hour(trace, Ours(CENTRE)), hour(trace, SloAware())
    assert ours.attained() > 0.99
    assert ours.total_replica_hours < 0.8 * theirs.total_replica_hours


@pytest.mark.parametrize("slower", [0.8, 1.2])
def test_a_plan_that_is_wrong_by_a_fifth_is_corrected_on_line(slower):
    trace = traces.day(9, seed=3, hours=1, lengths=traces.lengths_of(traces.read(SHIPPED)))
    times = linear_times(0.015 * slower, 0.00003 * slower, 4.9e-8 * slower, slower / 15_928)
    law = Ours(CENTRE)
    outcome = hour(trace, law, times=times)
    assert outcome.attained() > 0.98
    assert law.correction == pytest.approx(slower, abs=0.06)


def test_cost_as_a_signal_runs_to_the_ceiling_or_never_scales():
    """What a replica costs an hour over a target of 2: each replica that is added asks for more of its kind."""
    trace = traces.poisson("steady", lambda _: 1.0, 1200)
    dear, cheap = (hour(trace, HourlyCost(usd)) for usd in (10.0, 0.7))
    assert dear.moments[-1].active == 60
    assert max(one.active for one in cheap.moments) == 2


def test_spot_nodes_that_are_taken_away_are_replaced_and_billed():
    trace = traces.poisson("steady", lambda _: 4.0, 1800)
    calm, stormy = (
        hour(trace, Static(5), burst_is_spot=True, reclaims_per_hour=rate, node_seconds=120.0, burst_node_usd=2.0) for rate in (0.0, 6.0)
    )
    assert min(one.ready for one in calm.moments[20:]) == 5
    assert min(one.ready for one in stormy.moments) < 5
    assert stormy.moments[-1].active == 5
    assert calm.usd["burst"] == pytest.approx(2.0 * calm.node_hours)


def test_the_azure_files_are_read_and_may_be_multiplied():
    trace = traces.read(SHIPPED)
    assert len(trace.times) == 2863
    assert (trace.times[0], trace.prompts[0], trace.outputs[0]) == (0.0, 374, 44)
    assert len(traces.multiplied(trace, 2.5).times) == pytest.approx(2.5 * 2863, rel=0.05)


@pytest.mark.parametrize("made", [traces.day(2, hours=2), traces.bursts(2, hours=2), traces.poisson("x", lambda _: 2.0, 7200)])
def test_generated_traces_have_the_load_that_was_asked_for(made):
    assert list(made.times) == sorted(made.times)
    assert 1.8 < made.requests_per_second < 3.5


def test_the_command_compares_policies_on_a_stack(capsys):
    assert main(["prod", "--model", "qwen3-32b-fp8", "--policy", "ours,known", "--no-pictures"]) == 0
    printed = capsys.readouterr().out
    assert "attained" in printed
    assert "ours: replicas over time" in printed


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--model", "nope"], "there is no model 'nope'"), (["--trace", "nope.csv"], "is no trace")]
)
def test_what_cannot_be_simulated_is_said(capsys, arguments, message):
    assert main(["prod", *arguments]) == 2
    assert message in capsys.readouterr().out


def test_advice_is_an_edit_of_the_stack_that_attains_what_is_asked_for(capsys):
    asked = ["prod", "--model", "qwen3-32b-fp8", "--multiply", "3", "--attain", "0.97"]
    assert advise.main(asked) == 0
    printed = capsys.readouterr().out
    assert "pulumi config set --path 'vllm-platform:models.qwen3-32b-fp8.scaling.floor'" in printed
    assert "vllm-platform:models:" in printed
