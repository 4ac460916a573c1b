"""`make_plan`: everything that follows from a stack's settings, or every reason why it cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from config import catalog
from config.architecture import Architecture
from config.errors import Problem, StackError
from config.models import Model
from config.settings import Settings
from planning import compatibility, cost, placement, zones
from planning.adapters import adapter_problems
from planning.capacity import CapacityPlan, plan_capacity
from planning.cost import CostPlan, ModelCost, plan_cost
from planning.drain import Drain, drain
from planning.fit import memory_problems
from planning.gateway import GatewayPlan, gateway_problems, gateway_warnings, plan_gateway
from planning.machines import Pool, read_pool
from planning.memory import GIB, EngineLimits, MemoryPlan, engine_limits, kv_cache, plan_memory
from planning.placement import Placed, PoolPlan, ReplicaShape, Rollout, plan_pool, plan_rollout, replica_shape
from planning.startup import StartupPlan, plan_startup
from planning.weights import WeightsPlan, disk_problems, plan_weights


@dataclass(frozen=True)
class ModelPlan:
    """What components need to know of a model beyond its settings."""

    name: str
    revision: str | None
    served_names: tuple[str, ...]
    pool: Pool
    shape: ReplicaShape
    limits: EngineLimits
    memory: MemoryPlan
    weights: WeightsPlan
    startup: StartupPlan
    capacity: CapacityPlan
    rollout: Rollout
    floor: int
    burst: int
    floor_drain: Drain
    burst_drain: Drain
    force_include_usage: bool
    """Every stream ends with its token counts, for the gateway's audit log."""
    cost: ModelCost


@dataclass(frozen=True)
class Plan:
    """A stack that can work. Warnings are doubts that do not stop it."""

    pools: dict[str, PoolPlan]
    models: dict[str, ModelPlan]
    gateway: GatewayPlan | None
    cost: CostPlan
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class _Sized:
    """A model measured against its GPU, before it shares a pool with others."""

    model: Model
    architecture: Architecture
    row: catalog.ModelRow | None
    pool: Pool
    limits: EngineLimits
    memory: MemoryPlan
    shape: ReplicaShape
    capacity: CapacityPlan

    @property
    def parameters(self) -> int | None:
        return self.row.parameters if self.row else None


def make_plan(settings: Settings) -> Plan:
    """The plan of a stack.

    Raises:
        StackError: with the problems of the settings and of the plan, all of them.
    """
    problems = list(settings.problems)
    pools = {
        name: pool for name in settings.node_pools if f"nodePools.{name}" not in settings.doubtful and (pool := read_pool(settings, name))
    }
    for name, pool in pools.items():
        problems += placement.size_problems(settings.node_pools[name], pool)
        problems += [*zones.accelerator_problems(settings, pool), *zones.partition_problems(settings, pool)]
    problems += zones.address_problems(settings)
    pools = {name: pool for name, pool in pools.items() if pool.machine.has_room}
    sized = {name: one for name, model in settings.models.items() if (one := _size(model, pools))}
    for name, one in sized.items():
        problems += _model_problems(settings, name, one)
    placed: dict[str, list[Placed]] = {name: [] for name in pools}
    for name, one in sized.items():
        placed[one.pool.name].append(Placed(name, one.model, one.shape))
    pool_plans = {name: plan_pool(pool, placed[name]) for name, pool in pools.items()}
    for name, pool_plan in pool_plans.items():
        problems += placement.placement_problems(pool_plan, placed[name])
    problems += gateway_problems(settings)
    costs = plan_cost(settings, pool_plans, placed, {name: one.capacity for name, one in sized.items()})
    over_budget = [*cost.budget_problems(costs, settings.budget)]
    unpriced = [*cost.price_problems(costs, settings)]
    if settings.budget.on_exceed == "fail":
        problems += over_budget + (unpriced if settings.budget.monthly_usd is not None else [])
    if problems:
        raise StackError(problems)
    models = {one.name: _model_plan(settings, one, sized[one.name], pool_plans[name], costs) for name in pools for one in placed[name]}
    in_order = {name: models[name] for name in settings.models}
    in_flight = {name: one.capacity.most_in_flight for name, one in models.items()}
    gateway = plan_gateway(settings, in_flight, {name: one.memory.max_model_len for name, one in models.items()})
    plan = Plan(pool_plans, in_order, gateway, costs, ())
    warnings = [*_warnings(settings, plan, placed, sized), *over_budget, *unpriced]
    return replace(plan, warnings=tuple(sorted(set(warnings))))


def _size(model: Model, pools: dict[str, Pool]) -> _Sized | None:
    """None where the settings' rules have already said what is missing."""
    row = catalog.model(model.source)
    architecture = model.architecture or (row.architecture if row else None)
    pool = pools.get(model.node_pool)
    if architecture is None or pool is None:
        return None
    row = row if model.architecture is None else None
    limits = engine_limits(model, pool.machine)
    memory = plan_memory(model, architecture, row.parameters if row else None, family(architecture, row), pool.machine)
    capacity = plan_capacity(model, architecture, memory, kv_cache(architecture, model, limits), limits, pool.machine)
    return _Sized(model, architecture, row, pool, limits, memory, replica_shape(model, pool.machine), capacity)


def family(architecture: Architecture, row: catalog.ModelRow | None) -> str:
    """Which measured activation peak applies."""
    return row.family if row else "moe" if architecture.is_moe else "dense"


def _model_problems(settings: Settings, name: str, one: _Sized) -> Iterator[Problem]:
    path, machine = f"models.{name}", one.pool.machine
    invalid = [*compatibility.parallel_sizes(path, one.model, one.architecture, machine, settings.node_pools[one.pool.name])]
    yield from invalid
    too_long = [*compatibility.context_length(path, one.model, one.architecture)]
    yield from too_long
    yield from compatibility.data_types(path, one.model, one.architecture, machine)
    yield from _shared_gpu_problems(settings, path, one)
    yield from adapter_problems(path, one.model, one.architecture)
    weights = plan_weights(one.model, one.memory.weights_bytes)
    yield from disk_problems(path, one.model, weights, one.memory.weights_bytes / GIB, machine, one.shape.slots)
    if not invalid and not too_long and path not in settings.doubtful:
        yield from memory_problems(
            path, one.model, one.architecture, one.parameters, family(one.architecture, one.row), machine, one.memory
        )


def _shared_gpu_problems(settings: Settings, path: str, one: _Sized) -> Iterator[Problem]:
    sharing = settings.node_pools[one.pool.name].gpu_sharing
    if sharing and one.model.engine.gpu_memory_utilization * sharing.max_clients_per_gpu > 1:
        share = 1 / sharing.max_clients_per_gpu
        yield Problem(
            f"{path}.engine.gpuMemoryUtilization",
            f"{sharing.max_clients_per_gpu} pods share a GPU, and each would take {one.model.engine.gpu_memory_utilization:.0%} of it",
            f"set it to at most {int(share * 100) / 100}",
        )


def _model_plan(settings: Settings, one: Placed, sized: _Sized, pool: PoolPlan, costs: CostPlan) -> ModelPlan:
    model = one.model
    burst_drain = drain(settings.cluster, model.scaling.burst)
    streamed = bool(settings.node_pools[pool.pool.name].image_streaming and settings.cluster.provider == "gke")
    floor_drain = drain(settings.cluster, "on-demand")
    startup = plan_startup(
        model, sized.architecture, sized.memory.weights_bytes, sized.pool.machine, streamed=streamed, grace=floor_drain.grace_period
    )
    catalogued = catalog.model(model.source)
    return ModelPlan(
        name=one.name,
        revision=model.revision or (catalogued.revision if catalogued else None),
        served_names=tuple(model.served_names or [one.name]),
        pool=pool.pool,
        shape=one.shape,
        limits=sized.limits,
        memory=sized.memory,
        weights=plan_weights(model, sized.memory.weights_bytes),
        startup=startup,
        capacity=sized.capacity,
        rollout=plan_rollout(pool, one),
        floor=model.scaling.floor,
        burst=one.burst,
        floor_drain=floor_drain,
        burst_drain=burst_drain,
        force_include_usage=settings.gateway is not None and settings.gateway.count_streamed_tokens,
        cost=costs.models[one.name],
    )


def _warnings(settings: Settings, plan: Plan, placed: dict[str, list[Placed]], sized: dict[str, _Sized]) -> Iterator[Problem]:
    for name, pool_plan in plan.pools.items():
        yield from zones.spot_only_warnings(settings, pool_plan.pool)
        yield from placement.placement_warnings(pool_plan)
        for one in placed[name]:
            model = plan.models[one.name]
            yield from placement.rollout_warnings(one, model.rollout, pool_plan.pool, model.startup.expected - model.startup.node)
            yield from compatibility.data_type_warnings(
                f"models.{one.name}", one.model, sized[one.name].architecture, pool_plan.pool.machine
            )
    yield from gateway_warnings(settings)
    yield from cost.cost_warnings(plan.cost, settings.budget)
