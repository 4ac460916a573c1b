"""Outcomes as pictures, PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "simulate"  # the same picture is the same file

from matplotlib import pyplot as plt  # noqa: E402 - after the backend is chosen

from tools.simulate.simulation import Outcome  # noqa: E402


def replicas(path: Path, title: str, outcomes: Mapping[str, Outcome]) -> list[Path]:
    """Replicas that are paid for, by policy, over the time."""
    figure, axes = plt.subplots(figsize=(10, 4.5))
    for name, one in outcomes.items():
        hours = [moment.time / 3600 for moment in one.moments]
        label = f"{name}: {one.attained():.2%}, {one.average_replicas:.1f} on average"
        axes.step(hours, [moment.held for moment in one.moments], where="post", label=label, linewidth=1.2)
    axes.set(title=title, xlabel="hours", ylabel="replicas (starting, ready, draining)", ylim=(0, None))
    return _saved(figure, axes, path)


def front(path: Path, title: str, points: Mapping[str, Sequence[tuple[float, Outcome]]]) -> list[Path]:
    """Attainment by replica-hours, a line a policy."""
    figure, axes = plt.subplots(figsize=(10, 5.5))
    for name, many in points.items():
        ordered = sorted((one.total_replica_hours, 100 * one.attained()) for _, one in many)
        axes.plot([x for x, _ in ordered], [y for _, y in ordered], marker="o", label=name)
    axes.set(title=title, xlabel="replica-hours", ylabel="requests within the objectives, %", xscale="log", ylim=(80, 100.5))
    return _saved(figure, axes, path)


def _saved(figure: plt.Figure, axes: plt.Axes, path: Path) -> list[Path]:
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
    for one in paths:
        figure.savefig(one, bbox_inches="tight", metadata={"Date": None} if one.suffix == ".svg" else None)
    plt.close(figure)
    return paths
