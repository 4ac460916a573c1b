"""`make_plan`: computes the plan of a stack from its settings, or raises all problems of the stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from config import catalog
from config.errors import Problem, StackError
from config.platform import LogFormat, Tracing
from config.rollout import Colour
from config.rollout_rules import as_written
from config.settings import Settings, candidate_key, replicas_name
from planning import compatibility, cost, data_types, long_context, placement, zones
from planning.adapters import adapter_problems
from planning.batches import EngineLimits, batch_problems
from planning.burst_budget import BurstBudget, floor_problems, hourly_problems, plan_bursts
from planning.capacity import CapacityPlan, plan_performance, slo_problems, slo_warnings
from planning.cost import CostPlan, ModelCost, plan_cost
from planning.drain import Drain, drain, drain_warnings
from planning.engine_options import flag_path
from planning.fit import measured_problems, memory_problems
from planning.gateway import GatewayPlan, gateway_problems, gateway_warnings, plan_gateway
from planning.host_memory import host_memory, host_memory_problems
from planning.machines import Pool, read_pool
from planning.memory import GIB, MemoryPlan, kv_cache
from planning.monitoring import MonitoringPlan, monitoring_warnings, plan_monitoring
from planning.parsers import Parsers, plan_parsers
from planning.performance import Performance
from planning.placement import Placed, PoolPlan, ReplicaShape, Rollout, plan_pool, plan_rollout
from planning.scaling import ScalingTarget, plan_scaling
from planning.service_levels import service_level_problems
from planning.sized import Sized, size
from planning.speculative import draft_revision, speculative_problems, speculative_warnings
from planning.startup import StartupPlan, engine_seconds, plan_startup, startup_problems
from planning.weights import WeightsPlan, disk_problems, plan_weights


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
    warnings: tuple[Problem, ...]

    @property
    def deployed(self) -> dict[str, ModelPlan]:
        """Everything that has replicas: each model, and its candidate behind it."""
        pairs = ((name, model, self.candidates.get(name)) for name, model in self.models.items())
        return {one.key: one for _, model, candidate in pairs for one in (model, candidate) if one is not None}


def performance_of(settings: Settings, plan: Plan, name: str) -> Performance | None:
    """How fast a replica of a model is planned to be, under any load; None where that is not planned."""
    model, planned = settings.deployed[name], plan.deployed[name]
    sized = size(model, {model.node_pool: planned.pool})
    return _performance(sized) if sized else None


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
        problems += zones.spot_only_problems(settings, pool)
    problems += zones.address_problems(settings)
    pools = {name: pool for name, pool in pools.items() if pool.machine.has_room}
    sized = {name: one for name, model in settings.deployed.items() if (one := size(model, pools))}
    for name, one in sized.items():
        problems += _model_problems(settings, name, one)
        problems += service_level_problems(f"models.{name}", one.model) if settings.platform.monitoring.enabled else []
    placed: dict[str, list[Placed]] = {name: [] for name in pools}
    for name, one in sized.items():
        placed[one.pool.name].append(Placed(name, one.model, one.shape))
    pool_plans = {name: plan_pool(pool, placed[name]) for name, pool in pools.items()}
    for name, pool_plan in pool_plans.items():
        problems += placement.placement_problems(pool_plan, placed[name])
        counts = [(one.model.scaling.ceiling, one.shape.slots) for one in placed[name]]
        problems += zones.pods_per_node_problems(settings, pool_plan.pool, counts)
    costs = plan_cost(settings, pool_plans, placed, {name: one.capacity for name, one in sized.items()})
    paid = plan_bursts(settings.budget, costs, pool_plans, placed)
    problems += [*gateway_problems(settings, costs.models), *floor_problems(paid, settings.budget)]
    over_budget = [*cost.budget_problems(costs, settings.budget), *hourly_problems(paid, settings.budget, placed)]
    unpriced = [*cost.price_problems(costs, settings)]
    if settings.budget.on_exceed == "fail":
        problems += over_budget + (unpriced if settings.budget.monthly_usd is not None else [])
    if problems:
        raise StackError(as_written(settings, problems))
    replicas = [(pool_plans[name], one) for name in pools for one in placed[name]]
    planned = {one.name: _model_plan(settings, one, sized[one.name], pool, costs, paid) for pool, one in replicas}
    in_flight = {name: one.capacity.most_in_flight for name, one in planned.items()}
    lengths = {name: one.memory.max_model_len for name, one in planned.items()}
    starts = {name: one.startup.expected for name, one in planned.items()}
    gateway = plan_gateway(settings, in_flight, lengths, costs.models, starts)
    models, candidates = ({name: planned[key] for name, key in keys.items()} for keys in _keys(settings))
    plan = Plan(pool_plans, models, candidates, gateway, plan_monitoring(settings, pool_plans), costs, paid, ())
    warnings = as_written(settings, {*_warnings(settings, plan, placed, sized), *over_budget, *unpriced})
    return replace(plan, warnings=tuple(sorted(warnings)))


def _keys(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """Keys of the models and of the candidates, by model."""
    candidates = {name: candidate_key(name) for name in settings.models}
    return {name: name for name in settings.models}, {name: key for name, key in candidates.items() if key in settings.candidates}


def _model_problems(settings: Settings, name: str, one: Sized) -> Iterator[Problem]:
    path, machine = f"models.{name}", one.pool.machine
    invalid = [*compatibility.parallel_sizes(path, one.model, one.architecture, machine, settings.node_pools[one.pool.name])]
    yield from invalid
    too_long = [*long_context.rope_problems(path, one.model, one.checkpoint), *long_context.too_long(path, one.model, one.architecture)]
    yield from too_long
    yield from compatibility.model_class(path, one.model, one.architecture)
    yield from compatibility.expert_balance(path, one.model, one.options)
    yield from compatibility.sampling_shards(path, one.model, one.options)
    yield from data_types.data_types(path, one.model, one.architecture, machine)
    yield from data_types.quantization(path, one.model, one.checkpoint, one.options)
    yield from measured_problems(path, one.model, machine)
    yield from adapter_problems(path, one.model, one.architecture)
    yield from speculative_problems(path, one.model, one.architecture, one.limits.max_num_batched_tokens, one.limits.max_num_seqs)
    weights = plan_weights(one.model, one.memory.weights_bytes)
    yield from disk_problems(path, one.model, weights, one.memory.weights_bytes / GIB, machine, one.shape.slots)
    if not invalid and not too_long and path not in settings.doubtful:
        if one.memory.fits:
            yield from slo_problems(path, one.model, one.capacity)
        yield from memory_problems(path, one.model, one.architecture, one.parameters, machine, one.memory)
        yield from _engine_problems(path, one)
        yield from startup_problems(path, one.model, engine_seconds(one.model, one.architecture, one.memory.weights_bytes, machine))


def _engine_problems(path: str, one: Sized) -> Iterator[Problem]:
    """Settings that make vLLM refuse to start or be OOM-killed, although the model fits the GPU."""
    memory, machine = one.memory, one.pool.machine
    cache = kv_cache(one.architecture, one.model, one.limits)
    yield from batch_problems(path, one.model, one.architecture, one.limits, cache, memory.kv_cache * GIB, memory.max_model_len)
    if machine.is_cpu:
        for flag in ("--cpu-offload-gb", "--kv-offloading-size"):
            if getattr(one.options, flag.removeprefix("--").replace("-", "_")):
                yield Problem(flag_path(path, one.model, flag), f"{machine.name} has no GPU memory to offload", "remove it")
        return
    if one.options.kv_cache_memory_bytes is not None and memory.requested > memory.device:
        given, left = one.options.kv_cache_memory_bytes / GIB, memory.device - memory.weights - memory.reserves
        message = f"{given:.1f} GiB of KV cache beside weights and reserves exceed the GPU's {memory.device:.1f} GiB"
        yield Problem(flag_path(path, one.model, "--kv-cache-memory-bytes"), message, f"lower it to {max(0, int(left))}G, or remove it")
    needed = host_memory(one.model, one.architecture, one.options, memory.weights + one.options.cpu_offload_gb)
    yield from host_memory_problems(path, one.model, needed, one.shape.memory_gib)


def _model_plan(settings: Settings, one: Placed, sized: Sized, pool: PoolPlan, costs: CostPlan, paid: BurstBudget) -> ModelPlan:
    model = one.model
    burst, floor_drain = paid.cut(one), drain(settings.cluster, "on-demand")
    streamed = bool(settings.node_pools[pool.pool.name].image_streaming and settings.cluster.provider == "gke")
    startup = plan_startup(
        model, sized.architecture, sized.memory.weights_bytes, sized.pool.machine, streamed=streamed, grace=floor_drain.grace_period
    )
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
        capacity=sized.capacity,
        scaling=_scaling(sized, startup),
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
        cost=costs.models[one.name],
    )


def _scaling(one: Sized, startup: StartupPlan) -> ScalingTarget | None:
    performance = _performance(one)
    if performance is None:
        return None
    cache = kv_cache(one.architecture, one.model, one.limits)
    return plan_scaling(one.model, cache, one.memory, one.limits, one.capacity, performance, startup.expected)


def _performance(one: Sized) -> Performance | None:
    cache = kv_cache(one.architecture, one.model, one.limits)
    return plan_performance(one.model, one.architecture, cache, one.pool.machine, one.capacity.requests_in_flight)


def _warnings(settings: Settings, plan: Plan, placed: dict[str, list[Placed]], sized: dict[str, Sized]) -> Iterator[Problem]:
    for name, pool_plan in plan.pools.items():
        yield from placement.placement_warnings(pool_plan)
        for one in placed[name]:
            model = plan.deployed[one.name]
            yield from placement.rollout_warnings(one, model.rollout, pool_plan.pool, model.startup.expected - model.startup.node)
            yield from compatibility.image_warnings(f"models.{one.name}", one.model)
            about = (f"models.{one.name}", one.model, sized[one.name].architecture, pool_plan.pool.machine)
            yield from compatibility.parallel_warnings(*about)
            yield from data_types.data_type_warnings(*about)
            yield from slo_warnings(f"models.{one.name}", one.model, model.capacity)
            yield from speculative_warnings(*about[:3])
    yield from drain_warnings(settings.cluster, spot=any(one.pool.spot for one in plan.pools.values()))
    yield from gateway_warnings(settings)
    yield from monitoring_warnings(settings, plan.pools)
    yield from cost.cost_warnings(plan.cost, settings.budget)
