"""What a stack's plan says of one model, as the simulation needs it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from config.errors import Problem, StackError
from config.settings import Settings
from planning.plan import Plan, performance_of
from planning.scaling import ScalingTarget
from tools.simulate.engine import EngineShape
from tools.simulate.fleet import Site
from tools.simulate.laws import Objective
from tools.simulate.times import planned_times
from tools.simulate.traces import Trace

# Where the stack gives no objective: this many times what the plan promises at its target.
_TIMES_PLANNED = 2.0


@dataclass(frozen=True)
class Changes:
    """What a simulation is to assume otherwise than the plan."""

    slower: float = 1.0
    """How many times longer everything takes on a replica."""
    node_seconds: float = 0.0
    """More, for each new node."""
    reclaims_per_hour: float = 0.0
    ceiling: int | None = None


def site_of(settings: Settings, plan: Plan, name: str, changes: Changes) -> Site:
    model, planned = settings.models[name], plan.models[name]
    performance = performance_of(settings, plan, name)
    if performance is None or planned.scaling is None:
        message = "the speed of this model on this machine is not planned, so its load cannot be simulated"
        raise StackError([Problem(f"models.{name}", message, "choose another: MODEL=<key>")])
    machine, startup, share = planned.pool.machine, planned.startup, planned.shape.slots / planned.pool.machine.slots
    spot = model.scaling.burst != "on-demand"
    group = planned.pool.spot if spot else planned.pool.on_demand
    price = plan.cost.node_prices[planned.pool.name]
    ranks = performance.work.data
    return Site(
        times=planned_times(performance, planned.capacity.target_in_flight, changes.slower),
        shape=EngineShape(
            planned.scaling.kv_tokens,
            planned.limits.max_num_seqs * ranks,
            planned.limits.max_num_batched_tokens * ranks,
            planned.capacity.most_in_flight,
        ),
        floor=planned.floor,
        ceiling=changes.ceiling or planned.floor + planned.burst,  # budget.hourlyUsd has cut it
        node_seconds=startup.node + changes.node_seconds,
        start_seconds=startup.expected - startup.node,
        replicas_per_node=max(1, machine.slots // planned.shape.slots),
        most_burst_nodes=math.inf if changes.ceiling or group is None else group.max_nodes,
        grace_seconds=planned.burst_drain.grace_period,
        burst_is_spot=spot,
        reclaims_per_hour=changes.reclaims_per_hour,
        gpus=model.parallelism.gpus,
        floor_usd=share * (price.on_demand or 0.0),
        burst_node_usd=(price.spot if spot else price.on_demand) or 0.0,
    )


def objective_of(settings: Settings, plan: Plan, name: str) -> Objective:
    slo, speed = settings.models[name].slo, plan.models[name].capacity.speed
    if speed is None:
        return Objective(slo.ttft_seconds or math.inf, slo.tpot_seconds or math.inf)
    return Objective(
        slo.ttft_seconds or _TIMES_PLANNED * max(speed.served.ttft, speed.alone.ttft),
        slo.tpot_seconds or _TIMES_PLANNED * speed.served.tpot,
    )


def for_trace(target: ScalingTarget, trace: Trace) -> ScalingTarget:
    """With the trace's mean lengths instead of the plan's: what the counters know after ten minutes."""
    number = max(1, len(trace.times))
    return replace(target, prompt_tokens=sum(trace.prompts) / number, output_tokens=sum(trace.outputs) / number)
