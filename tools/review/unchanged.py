"""Spares the offline run of the program what is known already: its plan, and the resources of models that a change does not touch."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any
from unittest import mock

from components.naming import model_namespace
from components.observability import stack as rules
from planning import plan as plans
from tools.review.snapshot import Planned

# Sections that are not part of every model's resources: what a model takes from these is in its plan or its rules.
_OF_SOME = ("vllm-platform:models", "vllm-platform:nodePools", "vllm-platform:budget", "vllm-platform:gateway")


def unchanged_models(before: Planned, after: Planned) -> frozenset[str]:
    """Models for which the same code makes the same resources: all that a ModelStack is made from is equal."""
    if before.plan is None or after.plan is None or _shared(before) != _shared(after):
        return frozenset()
    return frozenset(
        name for name in after.plan.models if name in before.plan.models and _made_from(before, name) == _made_from(after, name)
    )


def _shared(planned: Planned) -> dict[str, Any]:
    return {key: value for key, value in planned.config.items() if key not in _OF_SOME}


def _made_from(planned: Planned, name: str) -> tuple[Any, ...]:
    settings, plan = planned.settings, planned.plan
    return settings.models[name], plan.models[name], plan.candidates.get(name), rules.model_rules(settings, plan, name)


@contextlib.contextmanager
def sparing(planned: Planned, models: frozenset[str]) -> Generator[None]:
    """While it lasts, the program takes this plan and registers nothing for these models; what all models share is made for all of them.

    A stack of 300 models has 4,000 resources, each of which takes milliseconds.
    """
    from components.serving import models as stacks

    made, ruled = stacks.ModelStack, stacks.model_rules

    def model_stack_or_name(name: str, args: Any, opts: Any = None) -> Any:
        spared = SimpleNamespace(namespace=model_namespace(name), url="", passed=[], await_routes=lambda *_: None)
        return spared if name in models else made(name, args, opts)

    with (
        # Where they are called: a module that has imported their names keeps them.
        mock.patch.object(stacks, "ModelStack", model_stack_or_name),
        mock.patch.object(stacks, "model_rules", lambda settings, plan, name: {} if name in models else ruled(settings, plan, name)),
        mock.patch.object(plans, "make_plan", return_value=planned.plan),
    ):
        yield
