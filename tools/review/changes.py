"""What a review says: the differences of a stack before and after a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tools.review.fields import FieldChange
from tools.review.snapshot import Triple

Kind = Literal["create", "update", "replace", "delete"]


@dataclass(frozen=True)
class ResourceChange:
    kind: Kind
    type: str
    name: str
    namespace: str
    because: tuple[str, ...]
    """What cannot be changed in place; empty unless the resource is replaced."""
    protected: bool
    """Whether Pulumi refuses to delete or replace it."""
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Difference:
    """A model's or pool's figures before and after; None where it is not there. `effect`: what the change does to what runs."""

    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    effect: str

    @property
    def change(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class Review:
    stack: str
    problems: tuple[Triple, ...]
    """Why the stack cannot work after the change; then nothing else is said."""
    base_problems: tuple[Triple, ...]
    """Why there is nothing to compare with: then everything counts as added."""
    models: tuple[Difference, ...] = ()
    pools: tuple[Difference, ...] = ()
    cost_before: dict[str, Any] | None = None
    cost_after: dict[str, Any] | None = None
    budget_before: float | None = None
    budget_after: float | None = None
    resources: tuple[ResourceChange, ...] = ()
    new_warnings: tuple[Triple, ...] = ()
    gone_warnings: tuple[Triple, ...] = ()
    other_figures: tuple[Triple, ...] = ()
    """Warnings that were there with other numbers."""
    forbidden: tuple[Triple, ...] = ()
    """Violations of mandatory policies that the change brings."""
    advised: tuple[Triple, ...] = ()
    """Violations of advisory policies that the change brings."""

    @property
    def is_empty(self) -> bool:
        found = (self.models, self.pools, self.resources, self.new_warnings, self.gone_warnings)
        found += (self.other_figures, self.forbidden, self.advised)
        return not any(found) and ((self.cost_before, self.budget_before) == (self.cost_after, self.budget_after))
