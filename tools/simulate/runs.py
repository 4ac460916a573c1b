"""One policy on one trace, as a function that a process pool can call."""

from __future__ import annotations

from dataclasses import dataclass

from tools.simulate.fleet import Site
from tools.simulate.laws import Objective, Seen, Static
from tools.simulate.policies import POLICIES, Setting
from tools.simulate.simulation import Outcome, Simulation

# Policies that are told what will come; the others know the plan's mean lengths and learn the trace's.
_TOLD = ("known", "static")


@dataclass(frozen=True)
class Run:
    site: Site
    setting: Setting
    known: Setting
    """With the mean lengths of the trace."""
    objective: Objective
    seed: int = 0
    choices: int | None = 2


def run(one: Run, key: str, knob: float | None = None) -> Outcome:
    """Every policy begins with the replicas of perfect knowledge: a trace begins where something ran before."""
    law = POLICIES[key].law(one.known if key in _TOLD else one.setting, knob)
    begin = law.replicas if isinstance(law, Static) else POLICIES["known"].law(one.known).wanted(0.0, Seen(one.objective), 0)
    begin = min(one.site.ceiling, max(one.site.floor, int(begin)))
    return Simulation(one.site, law, one.setting.trace, one.objective, begin=begin, seed=one.seed, choices=one.choices).run()
