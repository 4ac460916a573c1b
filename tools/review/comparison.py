"""Compares two snapshots of a stack: models, pools, cost, resources, warnings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from tools.review.changes import Difference, Kind, ResourceChange, Review
from tools.review.effects import model_effect, pool_effect
from tools.review.fields import FieldChange, changed_fields
from tools.review.replacements import replace_only
from tools.review.snapshot import Snapshot, Triple


def compare(stack: str, before: Snapshot, after: Snapshot) -> Review:
    base_problems, problems = _triples(before.problems), _triples(after.problems)
    if problems:
        return Review(stack, problems, base_problems)
    resources = tuple(_resources(before, after))
    models = [
        Difference(name, old, new, effect)
        for name, old, new in _pairs(before.models, after.models)
        if (effect := model_effect(name, old, new, resources)) or old != new
    ]
    pools = [
        Difference(name, old, new, effect)
        for name, old, new in _pairs(before.pools, after.pools)
        if (effect := pool_effect(name, old, new, resources)) or old != new
    ]
    old_warnings, new_warnings = _triples(before.warnings), _triples(after.warnings)
    new, gone = _only(new_warnings, old_warnings), _only(old_warnings, new_warnings)
    return Review(
        stack,
        problems,
        base_problems,
        tuple(models),
        tuple(pools),
        before.cost or None,
        after.cost,
        before.budget,
        after.budget,
        resources,
        _only(new, gone, _without_numbers),
        _only(gone, new, _without_numbers),
        tuple(one for one in new if _without_numbers(one) in map(_without_numbers, gone)),
        _only(_triples(after.forbidden), _triples(before.forbidden)),
        _only(_triples(after.advised), _triples(before.advised)),
    )


def _triples(problems: Iterable[Any]) -> tuple[Triple, ...]:
    return tuple((path, message, fix) for path, message, fix in problems)


def _only(these: Iterable[Triple], not_those: Iterable[Triple], key: Callable[[Triple], Triple] = lambda one: one) -> tuple[Triple, ...]:
    others = set(map(key, not_those))
    return tuple(one for one in these if key(one) not in others)


def _without_numbers(one: Triple) -> Triple:
    """What two warnings share that differ in their figures. The 8 of a model's name is no number."""
    path, message, fix = (re.sub(r"(?<![\w.-])\d[\d.,]*(?![\w-])", "#", text) for text in one)
    return path, message, fix


def _pairs(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]


def _resources(before: Snapshot, after: Snapshot) -> list[ResourceChange]:
    old = {one["urn"]: one for one in before.resources}
    new = {one["urn"]: one for one in after.resources}
    reasons = _replacements(old, new)
    found = []
    for urn, was, becomes in _pairs(old, new):
        if was is None or becomes is None:
            found.append(_change("create" if was is None else "delete", was or becomes, was, ()))
        elif urn in reasons or was["inputs"] != becomes["inputs"]:
            fields = tuple(changed_fields(was["inputs"], becomes["inputs"]))
            found.append(_change("replace" if urn in reasons else "update", becomes, was, fields, tuple(reasons.get(urn, ()))))
    return sorted(found, key=lambda one: (one.type, one.namespace, one.name))


def _change(
    kind: Kind, one: dict[str, Any], was: dict[str, Any] | None, fields: tuple[FieldChange, ...], because: tuple[str, ...] = ()
) -> ResourceChange:
    metadata = one["inputs"].get("metadata")
    namespace = one["inputs"].get("namespace") or (metadata.get("namespace") if isinstance(metadata, dict) else None)
    protected = kind in ("delete", "replace") and was is not None and was["protect"]
    return ResourceChange(kind, one["type"], one["name"], namespace or "", because, protected, fields)


def _replacements(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[str]]:
    """Reasons by URN. What stands in a replaced cluster or on a replaced provider is replaced with it; it comes after them."""
    reasons: dict[str, list[str]] = {}
    for urn, one in new.items():
        if urn not in old:
            continue
        found = replace_only(one["type"], old[urn]["inputs"], one["inputs"])
        found += [f"{_short(on)} is replaced" for on in _stands_on(one) if on in reasons][:1]
        if old[urn]["provider"] != one["provider"]:
            found.append("another provider, so another cluster")
        if found:
            reasons[urn] = found
    return reasons


def _stands_on(one: dict[str, Any]) -> list[str]:
    """The cluster of a node pool, and the cluster with which an object is deleted or whose provider manages it."""
    on = [one["deletedWith"]] if one["deletedWith"] else []
    if one["type"] == "gcp:container/nodePool:NodePool":
        on += [urn for urn in one["dependsOn"] if "gcp:container/cluster:Cluster::" in urn]
    return [*on, *([one["provider"]] if one["type"].startswith("kubernetes:") and one["provider"] else [])]


def _short(urn: str) -> str:
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition(':')[2]} {name}"
