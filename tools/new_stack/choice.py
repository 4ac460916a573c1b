"""The machine type for each model: the cheapest in the region with which the stack works, found by planning it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from config import catalog, places
from config.errors import Problem, StackError
from config.parsing import parse
from planning.plan import Plan, make_plan
from tools.new_stack.answers import Answers

_ZONES = 3
# What a month may cost beyond what is expected, before the preview refuses it.
_BUDGET_ROOM, _BUDGET_STEP = 1.2, 100
_MOST_SPARE_NODES = 8
# Boot disks to try for weights that are downloaded; None: the setting's default.
_DISKS_GIB = (None, 200, 500, 1000, 2000)


@dataclass(frozen=True)
class Choice:
    """Where a model runs, and over how many GPUs a replica is split."""

    source: str
    machine: str
    tensor: int


def choose(answers: Answers) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The stack's configuration, or why there is none."""
    choices, problems = [], list[Problem]()
    for source in answers.models:
        found, reasons = _cheapest(replace(answers, models=(source,)))
        problems += reasons
        choices += [found] if found else []
    if problems:
        return None, problems
    return _working(answers, choices)


def _cheapest(answers: Answers) -> tuple[Choice | None, list[Problem]]:
    """By the price of the nodes that a replica takes: of two with the same price the larger one is not needed."""
    nearest: list[Problem] = []
    for choice in sorted(_candidates(answers), key=lambda one: (_usd_a_replica(one, answers.region), one.machine)):
        config, problems = _working(answers, [choice])
        if config:
            return choice, []
        nearest = problems
    fix = "choose another region, a shorter --context, or a smaller or quantized model"
    last = f" (on the largest one: {nearest[0].path}: {nearest[0].message})" if nearest else ""
    return None, [Problem("--models", f"{answers.models[0]} runs on no machine type that {answers.region} has{last}", fix)]


def _candidates(answers: Answers) -> Iterator[Choice]:
    for name, machine in catalog.machine_types().items():
        if machine.gpus and not machine.spot_only and answers.region in machine.prices and _zones(answers.region, name):
            for tensor in (1, 2, 4, 8):
                if machine.gpus % tensor == 0:
                    yield Choice(answers.models[0], name, tensor)


def _usd_a_replica(choice: Choice, region: str) -> float:
    machine = catalog.machine_types()[choice.machine]
    price = machine.prices[region].on_demand_usd_per_hour
    return math.inf if price is None else price * choice.tensor / machine.gpus


def _zones(region: str, machine: str) -> list[str]:
    """Zones that sell the machine type, with its GPUs."""
    accelerator = catalog.accelerators()[catalog.machine_types()[machine].accelerator or ""]
    return [zone for zone in places.regions()[region] if accelerator.sold_in(zone) and places.sells(zone, machine)]


def _working(answers: Answers, choices: list[Choice]) -> tuple[dict[str, Any] | None, list[Problem]]:
    """A configuration that the plan accepts: with as many nodes as the floors and an update need, and a budget for them."""
    spare = disk = 0
    while True:
        config = configuration(answers, choices, spare, _DISKS_GIB[disk])
        try:
            plan = make_plan(parse(config))
        except StackError as error:
            problems = list(error.problems)
            if disk + 1 < len(_DISKS_GIB) and any("bootDiskGiB" in problem.fix for problem in problems):
                disk += 1
            elif spare < _MOST_SPARE_NODES and all(problem.path.endswith(("onDemand.max", "spot.max")) for problem in problems):
                spare += 1
            else:
                return None, problems
        else:
            if all(model.rollout.max_surge for model in plan.models.values()) or spare == _MOST_SPARE_NODES:
                return config | {"vllm-platform:budget": {"monthlyUsd": _budget(plan)}}, []
            spare += 1


def _budget(plan: Plan) -> int:
    return _BUDGET_STEP * math.ceil(plan.cost.total.expected * _BUDGET_ROOM / _BUDGET_STEP)


def key_of(source: str) -> str:
    """`Qwen/Qwen3-0.6B` is the model qwen3-0-6b."""
    return "".join(letter if letter.isalnum() else "-" for letter in source.rpartition("/")[2].lower())[:40].strip("-")


def unpinned(sources: Iterable[str]) -> list[str]:
    """Models whose revision the catalogue does not know."""
    return [source for source in sources if not ((row := catalog.model(source)) and row.revision)]


def _pool_of(machine: str) -> str:
    return f"{(catalog.machine_types()[machine].accelerator or '').removeprefix('nvidia-').removeprefix('tesla-')}-{_size(machine)}"


def _size(machine: str) -> str:
    gpus = catalog.machine_types()[machine].gpus
    return f"x{gpus}" if gpus > 1 else machine.rpartition("-")[2]


def configuration(answers: Answers, choices: list[Choice], spare: int, disk_gib: int | None) -> dict[str, Any]:
    """`spare`: nodes of each pool beyond those of the floors, for the replica that an update starts first."""
    zones = list(dict.fromkeys(zone for choice in choices for zone in _zones(answers.region, choice.machine)))
    shared = [zone for zone in zones if all(zone in _zones(answers.region, choice.machine) for choice in choices)]
    cluster_zones = sorted((shared or zones)[:_ZONES])
    has_keys = bool(answers.clients)
    gated = any((row := catalog.model(choice.source)) and row.gated for choice in choices)
    config: dict[str, Any] = {
        "gcp:project": answers.project,
        "gcp:region": answers.region,
        "vllm-platform:cluster": {"provider": "gke", "name": f"llm-{answers.name}"[:40], "zones": cluster_zones},
        "vllm-platform:nodePools": {
            _pool_of(one.machine): _pool(answers, choices, one.machine, spare, cluster_zones)
            | ({"bootDiskGiB": disk_gib} if disk_gib and not catalog.machine_types()[one.machine].local_ssds else {})
            for one in choices
        },
        "vllm-platform:models": {key_of(one.source): _model(answers, one) for one in choices},
        "vllm-platform:gateway": {
            "exposure": "cluster-ip",
            **({"clients": {client: {} for client in answers.clients}} if has_keys else {"authentication": "none"}),
        },
    }
    if unpinned([one.source for one in choices]):
        config["vllm-platform:platform"] = {"requirePinnedRevisions": False}
    if has_keys or gated:
        keys = {"clientKeys": {client: f"llm-client-{client}" for client in answers.clients}} if has_keys else {}
        token = {"huggingFaceToken": "llm-hugging-face"} if gated else {}
        config["vllm-platform:secrets"] = {"source": "secret-manager", **token, **keys}
    return config


def _pool(answers: Answers, choices: list[Choice], machine: str, spare: int, cluster_zones: list[str]) -> dict[str, Any]:
    slots = sum(answers.floor * one.tensor for one in choices if one.machine == machine)
    bursts = sum((answers.ceiling - answers.floor) * one.tensor for one in choices if one.machine == machine)
    gpus = catalog.machine_types()[machine].gpus
    nodes, spot = math.ceil(slots / gpus), math.ceil(bursts / gpus)
    own = [zone for zone in _zones(answers.region, machine) if zone in cluster_zones]
    return {
        "machineType": machine,
        **({"zones": own} if own != cluster_zones else {}),
        "onDemand": {"min": nodes, "max": nodes + spare},
        **({"spot": {"min": 0, "max": spot}} if spot else {}),
    }


def _model(answers: Answers, choice: Choice) -> dict[str, Any]:
    row = catalog.model(choice.source)
    return {
        "source": choice.source,
        **({"revision": row.revision} if row and row.revision else {}),
        "nodePool": _pool_of(choice.machine),
        "engine": {"maxModelLen": answers.context},
        **({"parallelism": {"tensor": choice.tensor}} if choice.tensor > 1 else {}),
        "scaling": {"floor": answers.floor, "ceiling": answers.ceiling},
    }
