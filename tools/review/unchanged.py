"""Models that a change does not touch, whose resources need not be made on either side: a large stack has thousands."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any
from unittest import mock

from components.naming import model_namespace
from components.observability.stack import model_rules
from tools.review.snapshot import Planned

# Keys of the configuration that are not part of every model's resources: what a model takes from these is in its plan or its rules.
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
    return settings.models[name], plan.models[name], model_rules(settings, plan, name)


@contextlib.contextmanager
def leaving_out(models: frozenset[str]) -> Generator[None]:
    """While it lasts, the program registers nothing for these models; what all models share is made for all of them."""
    from components.serving import model_stack

    made = model_stack.ModelStack

    def model_stack_or_name(name: str, args: Any, opts: Any = None) -> Any:
        return SimpleNamespace(namespace=model_namespace(name), url="") if name in models else made(name, args, opts)

    with mock.patch.object(model_stack, "ModelStack", model_stack_or_name):
        yield
