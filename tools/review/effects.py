"""What a change does to what runs: the replicas of a model, the nodes of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.naming import FLOOR, model_namespace
from tools.review.changes import ResourceChange

_DEPLOYMENT, _NODE_POOL = "kubernetes:apps/v1:Deployment", "gcp:container/nodePool:NodePool"
# Fields of a Deployment that change no pod that runs.
_NO_RESTART = ("spec.replicas", "spec.strategy", "spec.progressDeadlineSeconds", "spec.minReadySeconds", "metadata.")


def model_effect(name: str, before: dict[str, Any] | None, after: dict[str, Any] | None, resources: Sequence[ResourceChange]) -> str:
    """Empty where nothing of the model changes."""
    if before is None:
        return "new"
    if after is None:
        return "no longer served"
    own = [one for one in resources if one.namespace == model_namespace(name)]
    tiers = {one.name.removeprefix(f"{name}-"): one for one in own if one.type == _DEPLOYMENT}
    effects = [_floor(tiers[FLOOR], after)] if FLOOR in tiers else []
    restarting = [tier for tier, one in tiers.items() if tier != FLOOR and (one.kind == "replace" or _restarts(one))]
    if restarting and not any(one.startswith("restarts") for one in effects):
        effects.append("burst replicas restart")
    nodes = [one.name for one in _node_pools(after["pool"], resources) if one.kind == "replace"]
    effects += [f"its nodes are replaced ({', '.join(nodes)})"] if nodes else []
    if any(before[key] != after[key] for key in ("floor", "burst")):
        effects.append("scales")
    return ", ".join(one for one in effects if one) or ("no restart" if own else "")


def _floor(one: ResourceChange, after: dict[str, Any]) -> str:
    if one.kind == "replace":
        return "replaced: not served until the new Deployment is ready"
    if one.kind == "delete":
        return "floor removed"
    if one.kind == "create":
        return "floor added"
    if not _restarts(one):
        return ""
    if not after["floor"]:
        return "restarts when it next runs"
    if after["maxSurge"]:
        return "restarts, a surge replica first: the whole floor serves"
    share, minutes = after["capacityShare"] or 0, (after["readySeconds"] or 0) / 60
    if share:
        return f"restarts, one replica after the other: {share:.0%} of the floor serves"
    return f"restarts without a successor: not served for about {minutes:.0f} min"


def _restarts(one: ResourceChange) -> bool:
    return one.kind == "update" and any(not field.path.startswith(_NO_RESTART) for field in one.fields)


def pool_effect(name: str, before: dict[str, Any] | None, after: dict[str, Any] | None, resources: Sequence[ResourceChange]) -> str:
    if before is None:
        return "new"
    if after is None:
        return "removed"
    effects = {"create": "{} nodes added", "delete": "{} nodes removed", "replace": "{} nodes replaced", "update": "{} updated in place"}
    return ", ".join(
        effects[one.kind].format(one.name.removeprefix(f"{name}-")) + (f" ({', '.join(one.because)})" if one.because else "")
        for one in _node_pools(name, resources)
    )


def _node_pools(pool: str, resources: Sequence[ResourceChange]) -> list[ResourceChange]:
    return [one for one in resources if one.type == _NODE_POOL and one.name in (f"{pool}-on-demand", f"{pool}-spot")]
