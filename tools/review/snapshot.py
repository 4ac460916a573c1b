"""What a tree of the repository makes of a stack: planned figures, warnings and resources, as plain data.

Runs in this process, or as a program on another tree's modules (`python -P snapshot.py <stack file> <stack>` with that tree as PYTHONPATH,
the answer as JSON on stdout). So it imports the project's modules inside functions, few of them, and a figure that a tree does not have
is None.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# By the name in the comparison, where it stands in a ModelPlan.
_OF_MODEL = {
    "model": "name",
    "replicas": "replicas_name",
    "pool": "pool.name",
    "machine": "pool.machine.name",
    "revision": "revision",
    "gpus": "shape.gpus",
    "colour": "colour",
    "isCandidate": "is_candidate",
    "weightsGib": "memory.weights",
    "reservesGib": "memory.reserves",
    "kvCacheGib": "memory.kv_cache",
    "deviceGib": "memory.device",
    "maxModelLen": "memory.max_model_len",
    "longestModelLen": "memory.longest_model_len",
    "sequences": "memory.concurrent_sequences",
    "measured": "memory.measured",
    "floor": "floor",
    "burst": "burst",
    "readySeconds": "startup.expected",
    "restartSeconds": "startup.engine",
    "tokensPerSecond": "capacity.speed.served.output_tokens_per_second",
    "firstTokenSeconds": "capacity.speed.served.ttft",
    "perTokenSeconds": "capacity.speed.served.tpot",
    "maxSurge": "rollout.max_surge",
    "capacityShare": "rollout.capacity_share",
    "usdFloor": "cost.monthly.floor",
    "usdExpected": "cost.monthly.expected",
    "usdCeiling": "cost.monthly.ceiling",
}
_OF_POOL = {
    "machine": "pool.machine.name",
    "onDemandMin": "pool.on_demand.min_nodes",
    "onDemandMax": "pool.on_demand.max_nodes",
    "spotMin": "pool.spot.min_nodes",
    "spotMax": "pool.spot.max_nodes",
    "floorNodes": "floor_nodes",
    "ceilingOnDemandNodes": "ceiling_on_demand_nodes",
    "ceilingSpotNodes": "ceiling_spot_nodes",
}
_OF_COST = {"usdFloor": "floor", "usdExpected": "expected", "usdCeiling": "ceiling"}

Triple = tuple[str, str, str]
"""Path, message and fix of a Problem, or of a violation of a policy, whose path is its rule."""


@dataclass(frozen=True)
class Snapshot:
    """With problems there is neither plan nor resources."""

    problems: list[Triple] = field(default_factory=list)
    warnings: list[Triple] = field(default_factory=list)
    budget: float | None = None
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    forbidden: list[Triple] = field(default_factory=list)
    """Violations of mandatory policies."""
    advised: list[Triple] = field(default_factory=list)
    """Violations of advisory ones."""


@dataclass(frozen=True)
class Planned:
    """A stack's configuration, settings and plan; the last two are None where there are problems."""

    config: Mapping[str, Any]
    settings: Any = None
    plan: Any = None
    problems: tuple[Any, ...] = ()


def plan(config: Mapping[str, Any]) -> Planned:
    from config.errors import StackError
    from config.parsing import parse
    from config.stack_config import without_secret_values
    from planning.plan import make_plan

    try:
        settings = parse(without_secret_values(config))
        return Planned(config, settings, make_plan(settings))
    except StackError as error:
        return Planned(config, problems=error.problems)


def snapshot(planned: Planned, stack: str, program: Callable[[], None] | None = None) -> Snapshot:
    """`program`: in place of the tree's `__main__.py`, to make some of its resources only."""
    if planned.plan is None:
        return Snapshot(problems=_triples(planned.problems))
    from tools.preview import offline

    if program is None:  # a base with a tree of its own may have a run() that takes none
        recording = offline.run(planned.config, stack, known=True)
    else:
        recording = offline.run(planned.config, stack, known=True, program=program)
    settings, found = planned.settings, planned.plan
    sources = {name: model.source for name, model in getattr(settings, "deployed", settings.models).items()}
    plans = getattr(found, "deployed", found.models)  # with candidates, where the tree knows them
    shares = _request_shares(settings)
    models = {
        name: {"source": sources[name], "requestsPercent": shares.get(name), **_figures(one, _OF_MODEL)} for name, one in plans.items()
    }
    forbidden, advised = _violations(recording, stack)
    return Snapshot(
        forbidden=forbidden,
        advised=advised,
        warnings=_triples(found.warnings),
        budget=_at(settings, "budget.monthly_usd"),
        models=models,
        pools={name: _figures(one, _OF_POOL) | _figures(found.cost.pools.get(name), _OF_COST) for name, one in found.pools.items()},
        cost=_figures(found.cost.total, _OF_COST),
        resources=[_resource(one) for one in recording.resources if one.custom],
    )


def _request_shares(settings: Any) -> dict[str, int]:
    """Percentage of a model's requests that it and its candidate get, where it has one."""
    shares = {}
    for name in settings.models:
        weight = _at(settings.models[name], "rollout.candidate.weight")
        if weight is not None:
            shares |= {name: 100 - weight, f"{name}-candidate": weight}
    return shares


def _violations(recording: Any, stack: str) -> tuple[list[Triple], list[Triple]]:
    """Of mandatory policies and of advisory ones; none where the tree has no policies."""
    try:
        from tools.policies import as_problem, violated
    except ImportError:
        return [], []
    found = violated(recording.resources, stack)
    return (
        _triples(as_problem(one) for one in found if one.level == "mandatory"),
        _triples(as_problem(one) for one in found if one.level != "mandatory"),
    )


def _triples(problems: Iterable[Any]) -> list[Triple]:
    return [(one.path, one.message, one.fix) for one in problems]


def _figures(source: Any, paths: Mapping[str, str]) -> dict[str, Any]:
    return {name: _at(source, path) for name, path in paths.items()}


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
    return value


def _resource(one: Any) -> dict[str, Any]:
    return {
        "urn": one.urn,
        "type": one.type,
        "name": one.name,
        "inputs": _without_secrets(one.inputs, "", one.secrets),
        "dependsOn": list(one.depends_on),
        "deletedWith": one.deleted_with,
        "protect": one.protect,
        "provider": one.provider.rpartition("::")[0],
    }


def _without_secrets(value: Any, path: str, secrets: frozenset[str]) -> Any:
    """A digest in place of each secret value, which tells that it changed. Offline, its content is made of placeholders."""
    if path in secrets:
        return f"[secret:{hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]}]"
    if isinstance(value, dict):
        return {key: _without_secrets(item, f"{path}.{key}" if path else key, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, f"{path}[{index}]", secrets) for index, item in enumerate(value)]
    return value


def main() -> None:
    from config.errors import StackError
    from config.stack_config import read_stack_file

    try:
        planned = plan(read_stack_file(Path(sys.argv[1])))
    except StackError as error:
        planned = Planned({}, problems=error.problems)
    json.dump(asdict(snapshot(planned, sys.argv[2])), sys.stdout)


if __name__ == "__main__":
    main()
