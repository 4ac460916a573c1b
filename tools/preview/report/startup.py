"""How long a model's replica takes from the autoscaler's decision to its first answer, stage by stage, and what would shorten it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from planning.plan import ModelPlan, Plan
from planning.startup import FIXED_SECONDS, StartupPlan
from tools.preview.report.bars import Part, bar
from tools.preview.report.words import about, listed


@dataclass(frozen=True)
class Start:
    """Of one model, on a new node."""

    key: str
    ready_in: str
    parts: tuple[Part, ...]
    svg: Markup
    used: str
    """What shortens it already; empty if nothing does."""
    unused: str
    """What could; empty if nothing is worth it."""
    before: str
    """What must have happened before; empty for most."""


def stages(one: StartupPlan) -> tuple[Part, ...]:
    """They add up to `one.expected`."""
    named = (
        ("new node", one.node, "fourth"),
        ("image", one.image, "third"),
        ("download", one.download, "second"),
        ("processes", FIXED_SECONDS, "fifth"),
        ("weights into the GPU", one.load, "first"),
        ("compilation", one.compile, "sixth"),
    )
    return tuple(Part(name, seconds, f"{seconds:,.0f} s", colour) for name, seconds, colour in named)


def starts(plan: Plan) -> list[Start]:
    """Bars of one scale: the slowest fills its own."""
    slowest = max((one.startup.expected for one in plan.deployed.values()), default=0.0)
    return [_start(one, slowest) for one in plan.deployed.values()]


def _start(planned: ModelPlan, slowest: float) -> Start:
    startup, parts = planned.startup, stages(planned.startup)
    said = ", ".join(f"{part.name} {part.text}" for part in parts if part.value)
    return Start(
        planned.key,
        about(startup.expected),
        parts,
        bar(f"Start of {planned.key}: {said}", parts, slowest),
        listed(f"{one.measure} (saves {about(one.seconds)})" for one in planned.savings if one.used),
        listed(f"{one.measure} ({about(one.seconds)})" for one in planned.savings if not one.used),
        f"Once, before the first replica, a Job fills the shared claim in {about(startup.fill)}." if startup.fill else "",
    )
