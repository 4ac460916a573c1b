"""Stacked bars as SVG, drawn by pygal without words: what they mean is in the HTML around them, which breaks lines and follows the font.

Colours come from the page's style sheet, by the name of each part, so that a bar is drawn once for light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from markupsafe import Markup

_LENGTH, _HEIGHT = 1000, 20
# pygal leaves a fiftieth of a chart's length free on each side, and 1.5 pixels of this height above and below a bar.
_AROUND = 0.02 * _LENGTH
_ABOVE = 1.5
_TEXTS = ("label", "value")


@dataclass(frozen=True)
class Part:
    """One piece of a bar. `colour`: the class that the style sheet colours. `text`: its value, as people read it."""

    name: str
    value: float
    text: str
    colour: str


def bar(title: str, parts: Sequence[Part], whole: float) -> Markup:
    """Its parts one after another; `whole` is what the bar's full length stands for."""
    import pygal  # `make check` does not draw

    shown = [part for part in parts if part.value > 0]
    chart = pygal.HorizontalStackedBar(
        disable_xml_declaration=True,
        explicit_size=False,
        height=_HEIGHT,
        js=[],
        margin=0,
        no_prefix=True,
        range=(0, whole or 1),
        show_legend=False,
        show_x_guides=False,
        show_x_labels=False,
        show_y_guides=False,
        show_y_labels=False,
        spacing=0,
        width=_LENGTH + 2 * _AROUND,
    )
    for part in shown:
        chart.add(part.name, [{"value": part.value, "label": part.name, "formatter": _always(part.text)}])
    chart.add_xml_filter(lambda svg: _bare(svg, title, shown))
    return Markup(chart.render(is_unicode=True))  # noqa: S704 - pygal writes it as XML, which escapes


def _always(text: str) -> Callable[[Any], str]:
    return lambda _: text


def _bare(svg: Element, title: str, parts: Sequence[Part]) -> Element:
    """Only the rectangles, each with its name and value as a title; without pygal's scripts, styles and empty layers."""
    bars = [group for group in svg.iter() if group.get("class") == "bar"]
    attributes = {"class": "bar", "viewBox": f"{_AROUND:g} {_ABOVE} {_LENGTH} {_HEIGHT - 2 * _ABOVE:g}", "preserveAspectRatio": "none"}
    drawn = Element("svg", {**attributes, "role": "img"})
    SubElement(drawn, "title").text = title
    for part, group in zip(parts, bars, strict=True):
        found = {one.get("class", ""): one for one in group}
        rectangle = next(one for one in group if one.tag.endswith("rect"))
        size = {key: f"{float(rectangle.get(key, 0)):g}" for key in ("x", "y", "width", "height")}
        piece = SubElement(drawn, "rect", {**size, "class": f"part {part.colour}"})
        SubElement(piece, "title").text = ": ".join(found[name].text or "" for name in _TEXTS)
    return drawn
