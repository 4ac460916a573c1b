"""What an update does to what runs: the floor of each model, the nodes of each pool, and the GPUs that it needs meanwhile."""

from __future__ import annotations

import math

from config.models import Model
from config.settings import Settings, candidate_key
from planning.plan import ModelPlan, Plan
from tools.preview.report.table import Table
from tools.preview.report.words import about, counted

_MODELS = ("model", "how its replicas change", "meanwhile", "needs besides", "takes about")
_POOLS = ("pool", "a change that GKE cannot make in place", "an upgrade by GKE")


def model_updates(settings: Settings, plan: Plan) -> Table:
    rows = tuple(_model(plan, one, settings.deployed[key]) for key, one in plan.deployed.items())
    return Table("An update of a model", _MODELS, rows)


def _model(plan: Plan, planned: ModelPlan, model: Model) -> tuple[str, ...]:
    if planned.is_candidate:
        return planned.key, "is the candidate: promoted or removed by an edit", "the live replicas serve", "nothing", "-"
    if model.rollout.strategy == "blue-green":
        candidate = plan.candidates.get(planned.name)
        besides = f"nothing: {candidate_key(planned.name)} has its own" if candidate else _hardware(planned, planned.floor)
        return (
            planned.key,
            "blue-green: a candidate is tested and measured beside it",
            "all of it serves",
            besides,
            _ready(candidate or planned),
        )
    return planned.key, *_rolling(planned)


def _rolling(planned: ModelPlan) -> tuple[str, ...]:
    rollout, startup = planned.rollout, planned.startup
    if not planned.floor:
        return "it has no floor: a replica changes when it next starts", "-", "nothing", "-"
    if rollout.max_surge:
        how, each = "a new replica first, then an old one goes", startup.expected
    else:
        how, each = "an old replica goes first, then a new one starts", startup.expected - startup.node
    share = "all of it serves" if rollout.capacity_share == 1 else f"{rollout.capacity_share:.0%} of its floor serve"
    if not rollout.capacity_share:
        share = "it is not served"
    waves = math.ceil(planned.floor / (rollout.max_surge + rollout.max_unavailable))
    return how, share, _hardware(planned, rollout.max_surge), about(waves * each)


def _ready(planned: ModelPlan) -> str:
    return f"{about(planned.startup.expected)}, then its tests"


def _hardware(planned: ModelPlan, replicas: int) -> str:
    shape = planned.shape
    if not replicas:
        return "nothing"
    if shape.gpus:
        return f"{counted(replicas * shape.gpus, 'GPU')} of pool {planned.pool.name}"
    return f"{replicas * shape.cpu:g} CPUs, {replicas * shape.memory_gib:g} GiB of pool {planned.pool.name}"


def pool_updates(settings: Settings, plan: Plan) -> Table | None:
    """None where the nodes are not the stack's."""
    if settings.cluster.provider != "gke":
        return None
    return Table("An update of nodes", _POOLS, tuple((name, _replaced(plan, name), _upgraded(plan, name)) for name in plan.pools))


def _replaced(plan: Plan, name: str) -> str:
    pool = plan.pools[name].pool
    nodes = pool.on_demand.min_nodes if pool.on_demand else 0
    if plan.node_changes[name].replacement == "delete-first":
        return "old nodes go first: what runs there is away until the new ones are ready"
    if not nodes:
        return "new nodes come first; it keeps none on demand"
    gpus = f" ({counted(nodes * pool.machine.gpus, 'GPU')} more)" if pool.machine.gpus else ""
    return f"new nodes come first: {counted(nodes, 'node')} twice{gpus}"


def _upgraded(plan: Plan, name: str) -> str:
    changes = plan.node_changes[name]
    more = f"{counted(changes.max_surge, 'node')} more" if changes.max_surge else ""
    missing = f"{counted(changes.max_unavailable, 'node')} missing" if changes.max_unavailable else ""
    return f"{' and '.join(filter(None, (more, missing)))} at a time"
