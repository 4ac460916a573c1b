"""`make_plan`: computes the plan of a stack from its settings, or raises all problems of the stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from config import catalog
from config.errors import Problem, StackError
from config.platform import LogFormat, Tracing
from config.rollout import Colour
from config.rollout_rules import as_written
from config.settings import Settings, candidate_key, replicas_name
from planning import compatibility, cost, data_types, long_context, placement, zones
from planning.batches import EngineLimits
from planning.burst_budget import BurstBudget, floor_problems, hourly_problems, paid_cost, plan_bursts
from planning.capacity import CapacityPlan, slo_warnings
from planning.cost import CostPlan, ModelCost, plan_cost
from planning.drain import Drain, drain, drain_warnings
from planning.gateway import GatewayPlan, gateway_problems, gateway_warnings, plan_gateway
from planning.machines import Pool, read_pool
from planning.memory import MemoryPlan
from planning.monitoring import MonitoringPlan, monitoring_warnings, plan_monitoring
from planning.node_changes import NodeChanges, node_change_problems, node_change_warnings, plan_node_changes
from planning.parsers import Parsers, plan_parsers
from planning.performance import Performance
from planning.placement import Placed, PoolPlan, ReplicaShape, plan_pool
from planning.rollout import Rollout, plan_rollout, rollout_problems, rollout_warnings
from planning.scaling import ScalingTarget
from planning.service_levels import service_level_problems
from planning.sized import Sized, model_problems, size
from planning.speculative import draft_revision, speculative_warnings
from planning.startup import StartupPlan, plan_startup
from planning.warm_starts import Saving, image_seconds, savings
from planning.weights import WeightsPlan, claim_warnings, plan_weights


@dataclass(frozen=True)
class ModelPlan:
    """Planned figures of a model, for components to use beside its settings."""

    name: str
    colour: Colour
    is_candidate: bool
    revision: str | None
    draft_revision: str | None
    served_names: tuple[str, ...]
    pool: Pool
    shape: ReplicaShape
    limits: EngineLimits
    parsers: Parsers
    takes_images: bool
    memory: MemoryPlan
    weights: WeightsPlan
    startup: StartupPlan
    savings: tuple[Saving, ...]
    capacity: CapacityPlan
    scaling: ScalingTarget | None
    """None where speed is not planned: such a model scales by its requests in flight alone."""
    rollout: Rollout
    floor: int
    burst: int
    floor_drain: Drain
    burst_drain: Drain
    autoscaled: bool
    """Whether KEDA scales the burst."""
    has_stand_ins: bool
    """Whether on-demand replicas stand in for burst replicas that find no spot node."""
    hf_overrides: dict[str, Any]
    """--hf-overrides for `engine.ropeScaling`."""
    force_include_usage: bool
    """--enable-force-include-usage: every stream ends with its token counts, for the gateway's audit log."""
    log_format: LogFormat
    tracing: Tracing | None
    cost: ModelCost

    @property
    def key(self) -> str:
        """Its name in tables, rules and dashboards, where a model's candidate stands beside it."""
        return candidate_key(self.name) if self.is_candidate else self.name

    @property
    def replicas_name(self) -> str:
        """What its Deployments' names begin with. Promotion keeps it: it follows the colour, not the role."""
        return replicas_name(self.name, self.colour)


@dataclass(frozen=True)
class Plan:
    """The plan of a stack without problems. Warnings do not stop the preview."""

    pools: dict[str, PoolPlan]
    models: dict[str, ModelPlan]
    candidates: dict[str, ModelPlan]
    """By model: the colour that is to replace the live one."""
    gateway: GatewayPlan | None
    monitoring: MonitoringPlan
    cost: CostPlan
    bursts: BurstBudget
    node_changes: dict[str, NodeChanges]
    warnings: tuple[Problem, ...]

    @cached_property
    def deployed(self) -> dict[str, ModelPlan]:
        """Everything that has replicas: each model, and its candidate behind it."""
        pairs = ((model, self.candidates.get(name)) for name, model in self.models.items())
        return {one.key: one for pair in pairs for one in pair if one is not None}


def performance_of(settings: Settings, plan: Plan, name: str) -> Performance | None:
    """How fast a replica of a model is planned to be, under any load; None where that is not planned."""
    model, planned = settings.deployed[name], plan.deployed[name]
    sized = size(model, {model.node_pool: planned.pool})
    return sized.performance if sized else None


@dataclass(frozen=True)
class _Draft:
    """All that is planned before it is known whether the stack can work."""

    machines: dict[str, Pool]
    """Of all pools that could be read."""
    pools: dict[str, PoolPlan]
    """Of those whose machine has room for a model."""
    sized: dict[str, Sized]
    placed: dict[str, list[Placed]]
    costs: CostPlan
    bursts: BurstBudget


def make_plan(settings: Settings) -> Plan:
    """The plan of a stack.

    Raises:
        StackError: with the problems of the settings and of the plan, all of them.
    """
    draft = _draft(settings)
    problems = [*settings.problems, *_pool_problems(settings, draft), *_problems(settings, draft)]
    if problems:
        raise StackError(as_written(settings, problems))
    plan = _plan(settings, draft)
    return replace(plan, warnings=tuple(sorted(as_written(settings, set(_warnings(settings, plan, draft))))))


def _draft(settings: Settings) -> _Draft:
    """Leaves out pools and models whose settings are in doubt: config.rules has reported them."""
    names = [name for name in settings.node_pools if f"nodePools.{name}" not in settings.doubtful]
    machines = {name: pool for name in names if (pool := read_pool(settings, name))}
    pools = {name: pool for name, pool in machines.items() if pool.machine.has_room}
    sized = {name: one for name, model in settings.deployed.items() if (one := size(model, pools))}
    placed: dict[str, list[Placed]] = {name: [] for name in pools}
    for name, one in sized.items():
        placed[one.pool.name].append(Placed(name, one.model, one.shape))
    pool_plans = {name: plan_pool(pool, placed[name]) for name, pool in pools.items()}
    capacity = {name: one.capacity for name, one in sized.items()}
    bursts = plan_bursts(settings.budget, plan_cost(settings, pool_plans, placed, capacity), pool_plans, placed)
    costs = paid_cost(settings, bursts, pool_plans, placed, capacity)
    return _Draft(machines, pool_plans, sized, placed, costs, bursts)


def _pool_problems(settings: Settings, draft: _Draft) -> Iterator[Problem]:
    for name, pool in draft.machines.items():
        yield from placement.size_problems(settings.node_pools[name], pool)
        yield from zones.pool_problems(settings, pool)
    yield from zones.address_problems(settings)
    for name, plan in draft.pools.items():
        yield from placement.placement_problems(plan, draft.placed[name])
        yield from rollout_problems(plan, draft.placed[name])
        counts = [(one.model.scaling.ceiling, one.shape.slots) for one in draft.placed[name]]
        yield from zones.pods_per_node_problems(settings, plan.pool, counts)
    yield from node_change_problems(settings, draft.pools)


def _problems(settings: Settings, draft: _Draft) -> Iterator[Problem]:
    """Of the models, the gateway and the money."""
    for name, one in draft.sized.items():
        yield from model_problems(settings, name, one)
        if settings.platform.monitoring.enabled:
            yield from service_level_problems(f"models.{name}", one.model)
    yield from gateway_problems(settings, draft.costs.models)
    yield from floor_problems(draft.bursts, settings.budget)
    if settings.budget.on_exceed == "fail":
        yield from _over_budget(settings, draft)
        if settings.budget.monthly_usd is not None:
            yield from cost.price_problems(draft.costs, settings)


def _over_budget(settings: Settings, draft: _Draft) -> Iterator[Problem]:
    yield from cost.budget_problems(draft.costs, settings.budget)
    yield from hourly_problems(draft.bursts, settings.budget, draft.placed)


def _plan(settings: Settings, draft: _Draft) -> Plan:
    """Of a stack that can work; its warnings are still missing."""
    replicas = {one.name: (pool, one) for name, pool in draft.pools.items() for one in draft.placed[name]}
    planned = {key: _model_plan(settings, replicas[key][1], draft.sized[key], replicas[key][0], draft) for key in settings.deployed}
    gateway = plan_gateway(
        settings,
        {name: one.capacity.most_in_flight for name, one in planned.items()},
        {name: one.memory.max_model_len for name, one in planned.items()},
        draft.costs.models,
        {name: one.startup.expected for name, one in planned.items()},
    )
    models = {name: planned[name] for name in settings.models}
    candidates = {one.name: one for one in planned.values() if one.is_candidate}
    changes, monitoring = plan_node_changes(settings, draft.pools), plan_monitoring(settings, draft.pools)
    return Plan(draft.pools, models, candidates, gateway, monitoring, draft.costs, draft.bursts, changes, ())


def _model_plan(settings: Settings, one: Placed, sized: Sized, pool: PoolPlan, draft: _Draft) -> ModelPlan:
    model = one.model
    burst, floor_drain = draft.bursts.cut(one), drain(settings.cluster, "on-demand")
    about = (model, sized.architecture, sized.memory.weights_bytes, sized.pool.machine)
    startup = plan_startup(*about, image=image_seconds(settings, model), grace=floor_drain.grace_period)
    catalogued = catalog.model(model.source)
    name, colour, is_candidate = settings.colour_of(one.name)
    return ModelPlan(
        name=name,
        colour=colour,
        is_candidate=is_candidate,
        revision=model.revision or (catalogued.revision if catalogued else None),
        draft_revision=draft_revision(model),
        served_names=tuple(model.served_names or [name]),
        pool=pool.pool,
        shape=one.shape,
        limits=sized.limits,
        parsers=plan_parsers(model),
        takes_images=sized.architecture.vision_config is not None,
        memory=sized.memory,
        weights=plan_weights(model, sized.memory.weights_bytes),
        startup=startup,
        savings=savings(settings, *about),
        capacity=sized.capacity,
        scaling=sized.scaling(startup.expected),
        rollout=plan_rollout(pool, one),
        floor=model.scaling.floor,
        burst=burst,
        floor_drain=floor_drain,
        burst_drain=drain(settings.cluster, model.scaling.burst_capacity),
        autoscaled=burst > 0 and settings.platform.autoscaler.enabled and settings.platform.monitoring.enabled,
        has_stand_ins=model.scaling.has_stand_ins and burst > 0,
        hf_overrides=long_context.hf_overrides(sized.checkpoint, model.engine.rope_scaling),
        force_include_usage=settings.gateway is not None and settings.gateway.count_streamed_tokens,
        log_format=settings.platform.log_format,
        tracing=settings.platform.tracing,
        cost=draft.costs.models[one.name],
    )


def _warnings(settings: Settings, plan: Plan, draft: _Draft) -> Iterator[Problem]:
    for name, pool_plan in plan.pools.items():
        yield from placement.placement_warnings(pool_plan)
        starts = {one.name: plan.deployed[one.name].startup for one in draft.placed[name]}
        if settings.cluster.provider == "gke":
            on_demand = drain(settings.cluster, "on-demand")
            yield from node_change_warnings(pool_plan, draft.placed[name], plan.node_changes[name], on_demand, starts)
        for one in draft.placed[name]:
            model = plan.deployed[one.name]
            yield from rollout_warnings(pool_plan, one, model.rollout, model.startup.expected - model.startup.node)
            yield from compatibility.image_warnings(f"models.{one.name}", one.model)
            about = (f"models.{one.name}", one.model, draft.sized[one.name].architecture, pool_plan.pool.machine)
            yield from compatibility.parallel_warnings(*about)
            yield from data_types.data_type_warnings(*about)
            yield from slo_warnings(f"models.{one.name}", one.model, model.capacity)
            yield from speculative_warnings(*about[:3])
            yield from claim_warnings(f"models.{one.name}", one.model, pool_plan.pool)
    yield from drain_warnings(settings.cluster, spot=any(one.pool.spot for one in plan.pools.values()))
    yield from gateway_warnings(settings)
    yield from monitoring_warnings(settings, plan.pools)
    yield from cost.cost_warnings(plan.cost, settings.budget)
    yield from cost.price_problems(plan.cost, settings)
    yield from _over_budget(settings, draft)
