"""The kinds of panels that dashboards are made of, and the frame around them, so that all look and read alike.

Built with Grafana's own library, whose release is the one for the newest Grafana. What a panel answers is in its description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel = Builder[model.Panel]
Limits = tuple[float, float]
"""From where a value is orange, and from where it is red. The first above the second: low is bad."""

TAG = "vllm-platform"
MODEL_DASHBOARD = "vllm-model"
# As many units as Grafana's grid is wide.
WIDTH = 24
NOTHING = "no traffic"
_SOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
_ALL = ".+"


@dataclass(frozen=True)
class Query:
    expr: str
    legend: str
    """Labels in double braces."""
    dashed: bool = False
    """A limit or the plan's figure, beside what is measured."""


def figure(title: str, expr: str, unit: str, answers: str, *, limits: Limits | None = None, alerts: Sequence[str] = ()) -> Panel:
    """One number, and how it came about."""
    panel = (
        stat.Panel()
        .title(title)
        .description(answers)
        .unit(unit)
        .no_value(NOTHING)
        .thresholds(_thresholds(limits))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(shapes.BigValueGraphMode.AREA)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .datasource(_SOURCE)
        .height(4)
        .span(4)
        .with_target(_target(Query(expr, "__auto"), 0))
    )
    return panel.links(_links(alerts))


def graph(
    title: str,
    queries: Query | Sequence[Query],
    unit: str,
    answers: str,
    *,
    limits: Limits | None = None,
    alerts: Sequence[str] = (),
    width: int = 8,
    stacked: bool = False,
    least: float | None = 0,
    most: float | None = None,
) -> Panel:
    """Lines over time. `least` and `most`: the ends of the axis, where there are any. `alerts`: those on what is drawn; it links to
    their runbooks."""
    listed = [queries] if isinstance(queries, Query) else list(queries)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(answers)
        .unit(unit)
        .no_value(NOTHING)
        .line_width(2)
        .fill_opacity(30 if stacked else 8)
        .show_points(shapes.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .datasource(_SOURCE)
        .height(8)
        .span(width)
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if least is not None:
        panel = panel.min(least)
    if most is not None:
        panel = panel.max(most)
    if limits:
        lines = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(limits)).thresholds_style(lines)
    for index, query in enumerate(listed):
        panel = panel.with_target(_target(query, index))
        if query.dashed:
            panel = panel.override_by_query(_letter(index), _dashes())
    return panel.links(_links(alerts))


def heat(title: str, histogram: str, unit: str, answers: str, *, width: int = 12) -> Panel:
    """How values are spread over time. `histogram`: rates of its buckets, by `le`."""
    target = prometheus.Dataquery().expr(histogram).format(PromQueryFormat.HEATMAP).legend_format("{{le}}").ref_id("A").datasource(_SOURCE)
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").reverse(reverse=True).steps(64)
    return (
        heatmap.Panel()
        .title(title)
        .description(answers)
        .calculate(calculate=False)
        .color(colours)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .datasource(_SOURCE)
        .height(8)
        .span(width)
        .with_target(target)
    )


@dataclass(frozen=True)
class Column:
    title: str
    expr: str
    """With nothing but the table's label."""
    unit: str
    limits: Limits | None = None


def rows_by(label: str, title: str, columns: Sequence[Column], answers: str, *, drill_down: str | None = None) -> Panel:
    """A table with a row for every value of a label. `drill_down`: the dashboard that says more of a row."""
    panel = table.Panel().title(title).description(answers).datasource(_SOURCE).height(8).span(WIDTH).no_value("-")
    for index, column in enumerate(columns):
        target = prometheus.Dataquery().expr(column.expr).format(PromQueryFormat.TABLE).instant()
        panel = panel.with_target(target.ref_id(_letter(index)).legend_format(column.title).datasource(_SOURCE))
        value = f"Value #{_letter(index)}"
        properties = [_property("displayName", column.title), _property("unit", column.unit)]
        if column.limits:
            properties += [
                _property("thresholds", _thresholds(column.limits).build()),
                _property("custom.cellOptions", {"type": "color-text"}),
            ]
        panel = panel.override_by_name(value, properties)
    if drill_down:
        link = {"title": "More of ${__value.text}", "url": f"/d/{drill_down}?var-{label}=${{__value.text}}&${{__url_time_range}}"}
        panel = panel.override_by_name(label, [_property("links", [link])])
    joined = model.DataTransformerConfig(id_val="joinByField", options={"byField": label, "mode": "outer"})
    without_time = {"excludeByName": {"Time": True, **{f"Time {number}": True for number in range(1, len(columns) + 1)}}}
    return panel.with_transformation(joined).with_transformation(model.DataTransformerConfig(id_val="organize", options=without_time))


def choice(name: str, title: str, metric: str, *, several: bool = True) -> Builder[model.VariableModel]:
    """A variable: the values of the label `name` of `metric`, all of them or one until somebody chooses."""
    values = f"label_values({metric}, {name})"
    variable = (
        dashboard.QueryVariable(name)
        .label(title)
        .query({"qryType": 1, "query": values, "refId": name})
        .definition(values)
        .datasource(_SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )
    return variable.multi(multi=True).include_all(include_all=True).all_value(_ALL) if several else variable


def framed(
    uid: str,
    title: str,
    answers: str,
    variables: Sequence[Builder[model.VariableModel]],
    rows: Mapping[str, Sequence[Panel]],
    runbooks: str,
) -> dict[str, Any]:
    """The dashboard as Grafana reads it. `rows`: panels by the heading above them. `runbooks`: where their folder is, which a link leads
    to if it is an address and a panel's description names in any case."""
    source = dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    others = dashboard.DashboardLink("vLLM platform").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    frame = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(answers)
        .tags([TAG])
        .time("now-3h", "now")
        .timezone("browser")
        .refresh("30s")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(others.include_vars(include_vars=True).keep_time(keep_time=True))
        .variables([source, *variables])
    )
    for heading, panels in rows.items():
        frame = frame.with_row(dashboard.Row(heading))
        for panel in panels:
            frame = frame.with_panel(panel)
    built: dict[str, Any] = json.loads(json.dumps(frame.build(), cls=JSONEncoder))
    for number, panel in enumerate(built["panels"], 1):
        panel["id"] = number  # links to a panel name it
        if pages := [link["url"] for link in panel.get("links") or ()]:
            panel["description"] += f"\n\nRunbooks: {', '.join(f'{runbooks}/{page}' for page in pages)}."
        if runbooks.startswith("http"):
            for link in panel.get("links") or ():
                link["url"] = f"{runbooks}/{link['url']}"
        else:
            panel.pop("links", None)
    return built


def _target(query: Query, index: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(_letter(index)).range().datasource(_SOURCE)


def _letter(index: int) -> str:
    return chr(ord("A") + index)


def _links(alerts: Sequence[str]) -> list[Builder[model.DashboardLink]]:
    return [dashboard.DashboardLink(f"Runbook of {alert}").url(f"{alert}.md").target_blank(target_blank=True) for alert in alerts]


def _legend() -> common.VizLegendOptions:
    """Below the lines, with the newest value of each."""
    legend = common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.TABLE).placement(shapes.LegendPlacement.BOTTOM)
    return legend.show_legend(show_legend=True).calcs(["lastNotNull"])


def _thresholds(limits: Limits | None) -> dashboard.ThresholdsConfig:
    if limits is None:
        steps = [model.Threshold(None, "green")]
    elif limits[0] <= limits[1]:
        steps = [model.Threshold(None, "green"), model.Threshold(limits[0], "orange"), model.Threshold(limits[1], "red")]
    else:
        steps = [model.Threshold(None, "red"), model.Threshold(limits[1], "orange"), model.Threshold(limits[0], "green")]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _dashes() -> list[model.DynamicConfigValue]:
    return [_property("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}), _property("custom.fillOpacity", 0)]


def _property(name: str, value: object) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)
