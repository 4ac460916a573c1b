"""Refuses an update that would replace pods which have clients' requests, where a candidate is the way to change them.

A hook of the engine sees the Deployment's old and new inputs, in the preview as in the update: only the state knows what runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from pulumi.runtime.settings import SETTINGS

from planning.plan import ModelPlan

_SHOWN = 5


def refuse_changed_pods(plan: ModelPlan, deployment: str) -> pulumi.ResourceHookBinding | None:
    """The hook of one of the model's Deployments. None offline, where there is no state to compare with."""
    if SETTINGS.root_directory is None:
        return None

    def check(args: pulumi.ResourceHookArgs) -> None:
        if refusal := changed_pods(plan, deployment, args.old_inputs or {}, args.new_inputs or {}):
            raise ValueError(refusal)

    hook = pulumi.ResourceHook(f"{deployment}-pods-stay", check, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_update=[hook])


def changed_pods(plan: ModelPlan, deployment: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Why the update is refused; None where the pods stay as they are. Replicas and the strategy may change."""
    before, after = (_plain(one).get("spec", {}).get("template") for one in (old, new))
    changed = [*dict.fromkeys(_differences("", before, after))]
    if not changed:
        return None
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    fix = "set rollout.candidate.weight to 0 first" if plan.is_candidate else "put the change into rollout.candidate.model"
    message = f"the pods of Deployment {deployment} answer clients, and they would be replaced"
    return f"models.{plan.name}.rollout: {message} ({', '.join(changed[:_SHOWN])}{more}); {fix}, or set rollout.strategy to rolling"


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON. Secret and unknown values, of which a pod has none, all count as the same."""
    return json.loads(json.dumps(dict(inputs), default=lambda _: "[hidden]"))


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(f"{path}.{key}" if path else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from _differences(path, one, other)
    elif old != new:
        yield path
