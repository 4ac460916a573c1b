"""What a change does to what runs: the replicas of a model, the nodes of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.naming import BURST, FLOOR, STAND_IN, model_namespace
from tools.review.changes import ResourceChange

NO_LONGER_SERVED = "no longer served"
_DEPLOYMENT, _NODE_POOL = "kubernetes:apps/v1:Deployment", "gcp:container/nodePool:NodePool"
# Fields of a Deployment that change no pod that runs.
_NO_RESTART = ("spec.replicas", "spec.strategy", "spec.progressDeadlineSeconds", "spec.minReadySeconds", "metadata.")

# cloud.google.com/kubernetes-engine/docs/how-to/update-existing-nodepools: what is set on nodes that run; all else makes nodes anew.
_ON_RUNNING_NODES = ("nodeConfig.labels", "nodeConfig.taints", "nodeConfig.tags", "nodeConfig.resourceLabels")


def model_effect(name: str, before: dict[str, Any] | None, after: dict[str, Any] | None, resources: Sequence[ResourceChange]) -> str:
    """Empty where nothing of the model changes."""
    if before is None:
        return "new"
    if after is None:
        return _gone(before, resources)
    own = [one for one in resources if one.namespace == model_namespace(after["model"])]
    beginning = f"{after['replicas'] or name}-"
    deployments = {one.name: one for one in own if one.type == _DEPLOYMENT}
    tiers = {tier: deployments[beginning + tier] for tier in (FLOOR, BURST, STAND_IN) if beginning + tier in deployments}
    if FLOOR in tiers and tiers[FLOOR].kind == "replace":
        return "replaced: not served until the new Deployment is ready"
    effects = [_floor(tiers[FLOOR], after)] if FLOOR in tiers else []
    restarting = [tier for tier, one in tiers.items() if tier != FLOOR and (one.kind == "replace" or _restarts(one))]
    if restarting and not any(one.startswith("restarts") for one in effects):
        effects.append("burst replicas restart")
    nodes = [one.name for one in _node_pools(after["pool"], resources) if one.kind == "replace" or _makes_nodes_anew(one)]
    effects += [f"its nodes are replaced ({', '.join(nodes)})"] if nodes else []
    if any(before[key] != after[key] for key in ("floor", "burst")):
        effects.append("scales")
    if before.get("colour", after["colour"]) != after["colour"]:
        run_already = FLOOR not in tiers or tiers[FLOOR].kind != "create"
        effects.append(f"its {after['colour']} replicas are live{', which run already' if run_already else ''}")
    elif None not in (was := before.get("requestsPercent"), share := after["requestsPercent"]) and was != share:
        effects.append(f"gets {share} % of the model's requests (was {was} %)")
    return ", ".join(one for one in effects if one) or ("no restart" if own else "")


def _gone(before: dict[str, Any], resources: Sequence[ResourceChange]) -> str:
    """A candidate whose replicas stay has been promoted."""
    if not before.get("isCandidate"):
        return NO_LONGER_SERVED
    deleted = {one.name for one in resources if one.type == _DEPLOYMENT and one.kind == "delete"}
    return "candidate given up" if f"{before['replicas']}-{FLOOR}" in deleted else "promoted: live now"


def _floor(one: ResourceChange, after: dict[str, Any]) -> str:
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
    return ", ".join(f"{one.name.removeprefix(f'{name}-')} {_nodes(one)}" for one in _node_pools(name, resources))


def _nodes(one: ResourceChange) -> str:
    if one.kind == "replace":
        return f"nodes replaced ({', '.join(one.because)})"
    if _makes_nodes_anew(one):
        return "nodes made anew by GKE, a few at a time"
    return {"create": "nodes added", "delete": "nodes removed"}.get(one.kind, "pool updated, nodes stay")


def _makes_nodes_anew(one: ResourceChange) -> bool:
    return one.kind == "update" and any(
        field.path.startswith("nodeConfig.") and not field.path.startswith(_ON_RUNNING_NODES) for field in one.fields
    )


def _node_pools(pool: str, resources: Sequence[ResourceChange]) -> list[ResourceChange]:
    return [one for one in resources if one.type == _NODE_POOL and one.name in (f"{pool}-on-demand", f"{pool}-spot")]
