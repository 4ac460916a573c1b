"""Whether the gpuMemoryUtilization of pods that share a GPU always adds up to at most 1.

The device plugin assigns slots of a node in any order, so any `clients` replicas of a node group, also of one model, may share a GPU.
They fit in every assignment if the largest `clients` of them that can exist at once add up to at most 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from config.errors import Problem

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Share:
    """gpuMemoryUtilization of a model's replicas, and how many of them can exist at once in a node group."""

    utilization: float
    replicas: int


def worst_gpu(shares: Mapping[str, Share], clients: int) -> dict[str, int]:
    """The worst assignment to one GPU: number of replicas by model."""
    found: dict[str, int] = {}
    free = clients
    for name in sorted(shares, key=lambda name: -shares[name].utilization):
        if taken := min(free, shares[name].replicas):
            found[name] = taken
            free -= taken
    return found


def is_overfull(shares: Mapping[str, Share], clients: int) -> bool:
    return _taken(shares, worst_gpu(shares, clients)) > 1 + _ROUNDING


def overfull_by_one_more(shares: Mapping[str, Share], clients: int) -> tuple[str, ...]:
    """Models for which one more replica, as in a rolling update, could exceed the memory of a GPU."""
    worst = worst_gpu(shares, clients)
    taken, full = _taken(shares, worst), sum(worst.values()) >= clients
    makes_way = min(shares[name].utilization for name in worst) if full else 0.0
    return tuple(name for name, share in shares.items() if taken + max(0.0, share.utilization - makes_way) > 1 + _ROUNDING)


def sharing_problems(pool: str, shares: Mapping[str, Share], clients: int) -> Iterator[Problem]:
    """One problem for each model in the worst assignment; fixing one of them is enough."""
    if not is_overfull(shares, clients):
        return
    worst = worst_gpu(shares, clients)
    listed = ", ".join(f"{count} of {name} with {shares[name].utilization:.0%} each" for name, count in worst.items())
    for name, count in worst.items():
        others = _taken(shares, {other: taken for other, taken in worst.items() if other != name})
        left = (1 - others) / count
        most = left if left > 0 else 1 / clients
        yield Problem(
            f"models.{name}.engine.gpuMemoryUtilization",
            f"{clients} pods share a GPU of pool '{pool}', and these may share one: {listed}",
            f"set it to at most {int(most * 100 + _ROUNDING) / 100}" + ("" if left > 0 else ", and the others' too"),
        )


def _taken(shares: Mapping[str, Share], replicas: Mapping[str, int]) -> float:
    return sum(shares[name].utilization * count for name, count in replicas.items())
