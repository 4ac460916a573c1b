"""What a reviewer sees of a report, at any width, in light and dark, by keyboard and on paper."""

from __future__ import annotations

import pytest

from tests.program.conftest import STACKS

PHONE = {"width": 360, "height": 800}


@pytest.mark.parametrize("stack", STACKS)
def test_a_report_loads_without_complaint_and_asks_for_nothing_but_itself(open_report, stack):
    report = open_report(stack)
    assert report.complaints == []
    assert report.requests == [report.page.url]
    assert report.page.title().startswith(f"{stack}: ")


@pytest.mark.parametrize("stack", STACKS)
def test_a_phone_shows_it_without_scrolling_sideways(open_report, stack):
    report = open_report(stack, viewport=PHONE)
    assert report.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
