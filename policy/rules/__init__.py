"""The rules of the policy pack. Imported as `policy.rules` by the program's tools and as `rules` by the pack, hence relative imports."""

from .google import RULES as _GOOGLE
from .rule import Level, LevelsError, Resource, Rule, Violation, judged, level_of, read_levels, violations
from .workloads import RULES as _WORKLOADS

RULES: tuple[Rule, ...] = (*_WORKLOADS, *_GOOGLE)

__all__ = ["RULES", "Level", "LevelsError", "Resource", "Rule", "Violation", "judged", "level_of", "read_levels", "violations"]
