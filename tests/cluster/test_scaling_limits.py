"""The whole chain where something limits it: an hourly budget that models share, and a model that sleeps behind a real Envoy."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from planning import scaling as law
from planning.cost import HOURS_PER_MONTH
from planning.plan import make_plan
from tests.cluster.chain import DOWN_SECONDS, MINUTE, STANDS_FOR, Chain, ScaledModel, scaling_chain, turns
from tests.cluster.conftest import needs_own_control_plane
from tests.dataplane.gateway_under_test import HELLO
from tests.dataplane.wire import request, send
from tests.stacks import BASE, settings, stack
from tools.demo.model_server import ServerSettings, fleet
from tools.simulate.laws import Ours
from tools.simulate.planned import Changes, objective_of, site_of
from tools.simulate.simulation import Simulation
from tools.simulate.traces import made

pytestmark = needs_own_control_plane
SPOT_USD, SLEEP_AFTER = 0.5, 300
# What is important comes last in the stack.
SCALING = {
    "batch": {"floor": 1, "ceiling": 4, "priority": 0},
    "sleeper": {"floor": 0, "ceiling": 1, "scaleToZero": True, "sleepAfterSeconds": SLEEP_AFTER},
    "chat": {"floor": 1, "ceiling": 7, "priority": 200},
}
STACK = {
    "nodePools.l4": {"machineType": "g2-standard-12", "onDemand": {"min": 2, "max": 4}, "spot": {"max": 12}},
    "models": None,
    **{f"models.{name}": BASE["vllm-platform:models"]["qwen3-8b"] | {"scaling": one} for name, one in SCALING.items()},
    "budget.prices": {"g2-standard-12": {"onDemandUsdPerHour": 1.0, "spotUsdPerHour": SPOT_USD}},
}
# Burst replicas that the budget pays: all of chat and one more.
PAID = 7


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    always = make_plan(settings(STACK)).cost.total.floor / HOURS_PER_MONTH
    limited = stack(STACK | {"budget.hourlyUsd": round(always + (PAID + 0.5) * SPOT_USD, 2)})
    with scaling_chain(limited, {"spot": 10}, with_gateway=True) as chain:
        yield chain


# A load over the minutes of real time, in replicas that it keeps as busy as they may be; in a straight line between these points.
LOAD = ((0, 0.5), (4, 0.5), (14, 4.5), (20, 4.5), (24, 1.5), (32, 1.5))


def ask(chain):
    assert chain.gateway
    return send(chain.gateway.port, request("/v1/chat/completions", {"model": "sleeper", "messages": HELLO}, client=None))


def test_one_request_wakes_a_model_that_sleeps_and_it_sleeps_again(chain):
    model, gateway = chain.models["sleeper"], chain.gateway
    start = math.ceil(model.load.plan.startup.expected)
    model.reach(0, 3 * DOWN_SECONDS)  # a Deployment begins with one replica
    asleep = model.watch(2 * MINUTE)
    assert set(asleep) == {0}
    answer = ask(chain)
    assert (answer.status, answer.headers["retry-after"], answer.error["code"]) == (503, str(start), "model_waking")
    waking = model.watch(4 * MINUTE, lambda: model.ready("burst") == 1)
    assert waking[-1] == model.ready("burst") == 1
    with fleet([ServerSettings(("sleeper",), "sleeper/0")]) as servers:
        served = [(server.settings.host, server.port) for server in servers]
        gateway.configure(routes=[ModelRoute(one, [Backend("blue", served)]) for one in gateway.plan.models.values()])
        gateway.wait_until(lambda: ask(chain).status == 200, 20, "the woken model does not answer")
    awake = model.watch(SLEEP_AFTER / STANDS_FOR - MINUTE)
    assert set(awake) == {1}
    drowsy = model.watch(MINUTE + 2 * DOWN_SECONDS, lambda: not model.asked())
    assert drowsy[-1] == 0
    assert turns([*asleep, *waking, *awake, *drowsy]) == 1


def test_the_simulator_has_as_many_replicas_as_the_chain_give_or_take_one_at_every_minute(chain):
    model = chain.models["chat"]
    model.load.replicas_for(LOAD[0][1])
    model.reach(0, 6 * DOWN_SECONDS)
    begin, minutes, real = time.monotonic(), 0.0, []
    while len(real) <= LOAD[-1][0]:
        model.load.replicas_for(replicas_at(minutes))
        if minutes >= len(real):
            real.append(model.asked() + model.ready("floor"))
        time.sleep(0.1)
        minutes = (time.monotonic() - begin) / MINUTE
    simulated = simulated_replicas(model)
    assert max(real) >= 5
    apart = [one - other for one, other in zip(real, simulated, strict=True)]
    assert max(map(abs, apart)) <= 1, f"chain {real}, simulator {simulated}"


def replicas_at(minute: float) -> float:
    (start, low), (end, high) = next((one, other) for one, other in pairwise(LOAD) if minute <= other[0] or other is LOAD[-1])
    return low + (high - low) * min(1.0, (minute - start) / (end - start))


def simulated_replicas(model: ScaledModel) -> list[int]:
    """By minute, of the program's law under the same load. Pods of the chain are ready about a second after they are asked for."""
    settings, plan = model.deployed.settings, model.deployed.plan
    target, last = plan.models[model.name].scaling, LOAD[-1][0]
    assert target
    site = replace(site_of(settings, plan, model.name, Changes()), node_seconds=0.0, start_seconds=float(STANDS_FOR))
    trace = made("chain", [(at, int(target.prompt_tokens), int(target.output_tokens)) for at in arrivals(model)], 60.0 * last)
    moments = Simulation(site, Ours(target), trace, objective_of(settings, plan, model.name), begin=site.floor).run().moments
    return [next(one.active for one in reversed(moments) if one.time <= max(60 * minute, moments[0].time)) for minute in range(last + 1)]


def arrivals(model: ScaledModel) -> Iterator[float]:
    """Seconds of real time at which requests arrive, evenly at each moment's rate."""
    arrived, each = 0.0, 0.05
    for step in range(int(60 * LOAD[-1][0] / each)):
        before, arrived = arrived, arrived + each * replicas_at(step * each / 60) * model.load.replica.requests_per_second
        yield from [step * each] * (int(arrived) - int(before))


def test_an_hourly_budget_lowers_ceilings_by_priority_and_never_a_floor(chain):
    chat, batch = chain.models["chat"], chain.models["batch"]
    chat.load.replicas_for(0.2)
    alone = batch.settle(3.5 / law.HEADROOM, burst=3)
    up = chat.settle(6.5 / law.HEADROOM, burst=6)
    lowered = batch.reach(PAID - 6, 4 * DOWN_SECONDS)
    kept = batch.watch(DOWN_SECONDS)
    assert set(kept) == {PAID - 6}
    assert (chat.asked(), chat.ready("floor"), batch.ready("floor")) == (6, 1, 1)
    down = chat.settle(0.2, burst=0)
    again = batch.reach(3, DOWN_SECONDS)
    assert turns([*up, *down]) == 1
    assert turns([*alone, *lowered, *kept, *again]) == 2
