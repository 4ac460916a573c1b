"""Draws a dashboard by matplotlib from what Prometheus answers to its panels' queries: not Grafana's picture, but its numbers."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tools.demo.metrics.panels import Line, colour, filled_in, lines, table, thresholds
from tools.demo.metrics.prometheus import LocalPrometheus
from tools.demo.metrics.units import written

_GRID_WIDTH = 24
# Inches of a unit of Grafana's grid.
_UNIT_WIDTH, _UNIT_HEIGHT = 0.62, 0.33
_DOTS_PER_INCH = 72
_LEGEND_LINES, _LEGEND_LETTERS = 6, 34
_NOTHING = "no traffic"
_SMALL, _TEXT, _TITLE, _LARGE = 7, 8, 9, 19
_GREY = "#666666"


def drawn(
    dashboard: Mapping[str, Any], prometheus: LocalPrometheus, seconds: float, chosen: Mapping[str, str], rows: tuple[str, ...] = ()
) -> bytes:
    """A PNG of the last `seconds`. `rows`: only the panels below these headings."""
    panels = _moved_up(_below(dashboard["panels"], rows))
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = Figure(figsize=(_GRID_WIDTH * _UNIT_WIDTH, height * _UNIT_HEIGHT), dpi=_DOTS_PER_INCH, facecolor="#f4f5f5")
    for panel in panels:
        at = panel["gridPos"]
        if panel["type"] == "row":
            figure.text(0.006, 1 - (at["y"] + 0.7) / height, panel["title"], size=_TITLE + 2, weight="bold", va="center")
            continue
        axes = figure.add_axes(_place(panel, height))
        _DRAW[panel["type"]](axes, panel, prometheus, seconds, chosen)
        axes.set_title(panel["title"], size=_TITLE, loc="left", weight="bold", pad=5)
    output = io.BytesIO()
    figure.savefig(output, format="png")
    return output.getvalue()


def _below(panels: list[dict[str, Any]], rows: tuple[str, ...]) -> list[dict[str, Any]]:
    kept, heading = [], ""
    for panel in panels:
        heading = panel["title"] if panel["type"] == "row" else heading
        if not rows or heading in rows:
            kept.append(panel)
    return kept


def _moved_up(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without gaps where rows are left out."""
    moved, y, end = [], 0, 0
    for at in sorted({panel["gridPos"]["y"] for panel in panels}):
        row = [panel for panel in panels if panel["gridPos"]["y"] == at]
        y = end
        end = y + max(panel["gridPos"]["h"] for panel in row)
        moved += [panel | {"gridPos": panel["gridPos"] | {"y": y}} for panel in row]
    return moved


def _place(panel: Mapping[str, Any], height: float) -> tuple[float, float, float, float]:
    """Left, bottom, width and height in the figure; a graph leaves room for its axes and its legend."""
    at, is_graph = panel["gridPos"], panel["type"] in ("timeseries", "heatmap")
    left, right, top, bottom = (1.35, 0.3, 1.3, 2.9) if is_graph else (0.2, 0.2, 1.3, 0.2)
    across, down = (at["x"] + left) / _GRID_WIDTH, 1 - (at["y"] + at["h"] - bottom) / height
    return across, down, (at["w"] - left - right) / _GRID_WIDTH, (at["h"] - top - bottom) / height


def _figure(axes: Axes, panel: Mapping[str, Any], prometheus: LocalPrometheus, seconds: float, chosen: Mapping[str, str]) -> None:
    found = list(lines(panel, prometheus, seconds, chosen))
    _bare(axes)
    if not found:
        axes.text(0.5, 0.5, _NOTHING, ha="center", va="center", size=_TEXT, color=_GREY)
        return
    points = found[0].series.points
    value = points[-1][1]
    axes.plot([at for at, _ in points], [each for _, each in points], color="#9db7d5", linewidth=1)
    axes.margins(y=0.6)
    text = written(value, panel["fieldConfig"]["defaults"]["unit"])
    axes.text(0.5, 0.5, text, ha="center", va="center", size=_LARGE, weight="bold", color=colour(panel, value), transform=axes.transAxes)


def _bare(axes: Axes) -> None:
    axes.set_facecolor("white")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#dddddd")


def _graph(axes: Axes, panel: Mapping[str, Any], prometheus: LocalPrometheus, seconds: float, chosen: Mapping[str, str]) -> None:
    found = list(lines(panel, prometheus, seconds, chosen))
    defaults = panel["fieldConfig"]["defaults"]
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    if stacked and found:
        _stack(axes, found)
    for line in [] if stacked else found:
        x, y = zip(*line.series.points, strict=True)
        axes.plot(x, y, linewidth=1.4, linestyle="--" if line.dashed else "-", color=_GREY if line.dashed else None, label=line.legend)
    if not found:
        axes.text(0.5, 0.5, _NOTHING, ha="center", va="center", size=_TEXT, color=_GREY, transform=axes.transAxes)
    _axis(axes, defaults, (prometheus.moment - seconds, prometheus.moment), [value for line in found for _, value in line.series.points])
    for at, hue in thresholds(panel):
        if at <= axes.get_ylim()[1]:
            axes.axhline(at, color=hue, linewidth=0.8, linestyle=":")
    _legend(axes, [(line.legend, line.series.points[-1][1]) for line in found], defaults["unit"])


def _stack(axes: Axes, found: list[Line]) -> None:
    times = sorted({at for line in found for at, _ in line.series.points})
    values = [dict(line.series.points) for line in found]
    axes.stackplot(times, *[[one.get(at, 0.0) for at in times] for one in values], labels=[line.legend for line in found], alpha=0.7)


def _axis(axes: Axes, defaults: Mapping[str, Any], span: tuple[float, float], values: list[float]) -> None:
    axes.set_facecolor("white")
    axes.set_xlim(*span)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: time.strftime("%H:%M:%S", time.localtime(at))))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, defaults["unit"])))
    if "min" in defaults:
        axes.set_ylim(bottom=defaults["min"])
    if not any(values):
        axes.set_ylim(top=defaults.get("max", 1))
    axes.tick_params(labelsize=_SMALL, colors=_GREY, length=2)
    axes.grid(visible=True, color="#e8e8e8", linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color("#cccccc")


def _legend(axes: Axes, entries: list[tuple[str, float]], unit: str) -> None:
    """Below the graph, with the newest value of each line; the largest where there is no room for all."""
    handles = axes.get_legend_handles_labels()[0]
    order = sorted(range(len(handles)), key=lambda index: -entries[index][1])[:_LEGEND_LINES]
    texts = [f"{entries[index][0][:_LEGEND_LETTERS]}  {written(entries[index][1], unit)}" for index in order]
    if order:
        axes.legend(
            [handles[index] for index in order],
            texts,
            loc="upper left",
            bbox_to_anchor=(-0.12, -0.16),
            ncols=2,
            fontsize=_SMALL,
            frameon=False,
            columnspacing=1,
            handlelength=1.2,
            labelspacing=0.3,
        )


def _heat(axes: Axes, panel: Mapping[str, Any], prometheus: LocalPrometheus, seconds: float, chosen: Mapping[str, str]) -> None:
    expression = filled_in(panel["targets"][0]["expr"], **chosen)
    step = max(1.0, seconds / 60)
    found = sorted(prometheus.query_range(expression, seconds, step), key=lambda one: float(one.labels["le"]))
    times = sorted({at for one in found for at, _ in one.points})
    by_edge = [(float(one.labels["le"]), dict(one.points)) for one in found]
    counts, below = [], dict.fromkeys(times, 0.0)
    for _, values in by_edge:
        counts.append([max(0.0, values.get(at, 0.0) - below[at]) for at in times])
        below = {at: values.get(at, below[at]) for at in times}
    _axis(axes, {"unit": "none"}, (prometheus.moment - seconds, prometheus.moment), [])
    shown = [index for index, row in enumerate(counts) if any(row)]
    if not shown:
        return
    lowest, highest = max(0, shown[0] - 1), shown[-1] + 1
    axes.set_ylim(0, highest - lowest)
    axes.pcolormesh([*times, times[-1] + step], range(highest - lowest + 1), counts[lowest:highest], cmap="Blues")
    edges = [by_edge[index][0] for index in range(lowest, highest)]
    axes.set_yticks(range(1, len(edges) + 1), ["more" if math.isinf(edge) else f"{edge:g}" for edge in edges])


def _table(axes: Axes, panel: Mapping[str, Any], prometheus: LocalPrometheus, seconds: float, chosen: Mapping[str, str]) -> None:
    headings, rows = table(panel, prometheus, chosen)
    _bare(axes)
    lines_high = max(7, len(rows) + 1)
    for column, heading in enumerate(headings):
        x = 0.01 + 0.98 * column / len(headings)
        axes.text(x, 1 - 0.5 / lines_high, heading, size=_TEXT, color=_GREY, va="center", transform=axes.transAxes)
        for index, row in enumerate(rows):
            value, unit = row[column]
            text = unit if column == 0 else "-" if value is None else written(value, unit)
            axes.text(x, 1 - (index + 1.5) / lines_high, text, size=_TITLE, va="center", transform=axes.transAxes)


_DRAW = {"stat": _figure, "timeseries": _graph, "heatmap": _heat, "table": _table}
