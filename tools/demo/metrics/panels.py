"""A dashboard's panels as this machine's Prometheus answers them: queries with the variables filled in, legends with the labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.demo.metrics.prometheus import LocalPrometheus, Series

ALL = ".+"
_VARIABLE, _LABEL = re.compile(r"\$(\w+)"), re.compile(r"{{\s*(\w+)\s*}}")
_POINTS = 240
_RED, _ORANGE, _GREEN = "#c4162a", "#e07b00", "#2f8f3a"
_COLOURS = {"red": _RED, "orange": _ORANGE, "green": _GREEN}


@dataclass(frozen=True)
class Line:
    legend: str
    series: Series
    dashed: bool


def filled_in(expression: str, **chosen: str) -> str:
    """With the values that somebody has chosen, and all of them for every other variable, as Grafana does it."""
    return _VARIABLE.sub(lambda found: chosen.get(found[1], ALL), expression)


def lines(panel: Mapping[str, Any], prometheus: LocalPrometheus, seconds: float, chosen: Mapping[str, str]) -> Iterator[Line]:
    """Over the last `seconds`."""
    dashed = {one["matcher"]["options"] for one in panel["fieldConfig"].get("overrides", ()) if one["matcher"]["id"] == "byFrameRefID"}
    for target in panel["targets"]:
        expression = filled_in(target["expr"], **chosen)
        for series in prometheus.query_range(expression, seconds, max(1.0, seconds / _POINTS)):
            if series.points:
                legend = _LABEL.sub(lambda found, of=series: of.labels.get(found[1], ""), target["legendFormat"])
                yield Line(legend, series, target["refId"] in dashed)


def table(
    panel: Mapping[str, Any], prometheus: LocalPrometheus, chosen: Mapping[str, str]
) -> tuple[list[str], list[list[tuple[float | None, str]]]]:
    """Headings, the label's first; and for every row the cells: value and unit, the first cell's unit being the label's value."""
    by = next(one["options"]["byField"] for one in panel["transformations"] if one["id"] == "joinByField")
    columns = []
    for target in panel["targets"]:
        found = prometheus.query(filled_in(target["expr"], **chosen))
        columns.append({one.labels[by]: one.points[0][1] for one in found if one.points})
    units = [_property(panel, f"Value #{target['refId']}", "unit") for target in panel["targets"]]
    keys = sorted({key for column in columns for key in column})
    rows = [[(None, key), *((column.get(key), unit) for column, unit in zip(columns, units, strict=True))] for key in keys]
    return [by, *(target["legendFormat"] for target in panel["targets"])], rows


def _property(panel: Mapping[str, Any], field: str, name: str) -> str:
    overrides = (one["properties"] for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == field)
    return next(entry["value"] for properties in overrides for entry in properties if entry["id"] == name)


def colour(panel: Mapping[str, Any], value: float) -> str:
    """By the panel's thresholds."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return _COLOURS[[one["color"] for one in steps if one.get("value") is None or value >= one["value"]][-1]]


def thresholds(panel: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Where lines are drawn."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())
    return [(one["value"], _COLOURS[one["color"]]) for one in steps if one.get("value") is not None]
