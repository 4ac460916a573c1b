"""The HorizontalPodAutoscaler's arithmetic: tolerance, windows, policies (Kubernetes 1.37, pkg/controller/podautoscaler/horizontal.go)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from planning.scaling import Behaviour

SYNC_SECONDS = 15.0


@dataclass
class Hpa:
    behaviour: Behaviour
    least: int
    most: int
    recommendations: list[tuple[float, int]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)

    def sync(self, now: float, current: int, wanted: float) -> int:
        """The new count. `wanted`: the metric over its target, which an AverageValue makes a number of replicas."""
        if not self.recommendations:
            self.recommendations.append((now, current))  # recordInitialRecommendation: no fall before the down window has passed
        if not self.least <= current <= self.most:
            return self._changed(now, current, min(self.most, max(self.least, current)))
        within = current and abs(wanted / current - 1) <= self.behaviour.tolerance
        desired = min(self.most, max(self.least, current if within else math.ceil(wanted - 1e-9)))
        return self._changed(now, current, self._limited(now, current, self._stabilized(now, current, desired)))

    def _stabilized(self, now: float, current: int, desired: int) -> int:
        rules = self.behaviour
        kept = now - max(rules.up_window, rules.down_window)
        self.recommendations = [one for one in self.recommendations if one[0] > kept]
        up = min((n for at, n in self.recommendations if at > now - rules.up_window), default=desired)
        down = max((n for at, n in self.recommendations if at > now - rules.down_window), default=desired)
        self.recommendations.append((now, desired))
        up, down = min(up, desired), max(down, desired)
        return up if current < up else down if current > down else current

    def _limited(self, now: float, current: int, desired: int) -> int:
        rules = self.behaviour
        if desired > current:
            before = current - self._since(now - rules.up_period)
            most = max(before + rules.up_pods, math.ceil(before * (1 + rules.up_percent / 100)))
            return min(desired, max(current, most))
        if desired < current:
            before = current - self._since(now - rules.down_period)
            least = min(before - rules.down_pods, int(before * (1 - rules.down_percent / 100)))
            return max(desired, min(current, least))
        return desired

    def _since(self, when: float) -> int:
        return sum(change for at, change in self.changes if at > when)

    def _changed(self, now: float, current: int, new: int) -> int:
        longest = max(self.behaviour.up_period, self.behaviour.down_period)
        self.changes = [one for one in self.changes if one[0] > now - longest]
        if new != current:
            self.changes.append((now, new - current))
        return new
